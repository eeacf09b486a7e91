import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Programs that are none of ours, each with what makes it test one zip. */
export const ZIP_JUDGES: readonly (readonly [program: string, args: readonly string[]])[] = [
	['unzip', ['-tq']],
	['7z', ['t']],
	['python3', ['-c', 'import sys, zipfile; bad = zipfile.ZipFile(sys.argv[1]).testzip(); sys.exit(f"bad: {bad}" if bad else 0)']],
];

/** Absolute paths of the bundles of an archive. */
export function bundlesOf(archive: string): string[] {
	return readdirSync(join(archive, 'bundles'), { recursive: true, encoding: 'utf8' })
		.filter((path) => path.endsWith('.zip'))
		.map((path) => join(archive, 'bundles', path));
}

/** What a judge finds wrong with each bundle; empty where it finds nothing. */
export function complaints(judge: (typeof ZIP_JUDGES)[number], bundles: readonly string[]): string[] {
	const [program, args] = judge;
	return bundles.flatMap((path) => {
		const { status, stdout, stderr } = spawnSync(program, [...args, path], { encoding: 'utf8' });
		return status === 0 && !/warning/i.test(stdout + stderr) ? [] : [`${path}: ${status} ${stdout}${stderr}`];
	});
}

/** Runs the script that lies in an archive. */
export function recover(
	archive: string,
	out: string,
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
	return spawnSync('python3', [join(archive, 'recover.py'), archive, out], { encoding: 'utf8' });
}
