import { execFile, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { measure, type Ran } from './measure.ts';

/** rclone without the configuration of whoever calls. */
export const RCLONE = ['rclone', '--config', ''] as const;

/** Options for rsync and rclone: what an archive can do without at another place. Its catalog is a cache, and `targets` are of this host. */
export const NOT_COPIED = ['/catalog.sqlite*', '/.lock', '/targets/**', '.tmp-*'].flatMap((pattern) => ['--exclude', pattern]);

/** Runs a program that must succeed. */
export function runTool(words: readonly string[]): Ran {
	const [program = '', ...args] = words;
	const ran = measure(program, args);
	if (ran.status !== 0) throw new Error(`Cannot run "${words.join(' ')}": it ended with ${ran.status}: ${ran.stderr}`);
	return ran;
}

/** The same, not measured, while this process goes on: for what lies between the program and its server. */
export async function runAside(words: readonly string[]): Promise<void> {
	const [program = '', ...args] = words;
	const { NODE_EXTRA_CA_CERTS, MAILSEAL_ARCHIVE, ...rest } = process.env;
	const env = { ...rest, XDG_CONFIG_HOME: join(tmpdir(), 'mailseal-no-config') };
	await promisify(execFile)(program, args, { env, maxBuffer: 2 ** 30 });
}

export function isInstalled(program: string): boolean {
	return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}
