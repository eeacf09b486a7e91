import { spawnSync } from 'node:child_process';

/** True where one of the programs is missing, which is said aloud. */
export function lacks(...programs: readonly string[]): boolean {
	const missing = programs.filter((program) => spawnSync(program, ['--help']).error !== undefined);
	for (const program of missing) console.warn(`skipped: needs ${program}`);
	return missing.length > 0;
}
