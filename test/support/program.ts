import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import type { Finding } from '../../src/domain/index.ts';

/** The program as it is published. */
const PROGRAM = join(import.meta.dirname, '..', '..', 'dist', 'mailseal.cjs');

export interface Answer<Result> {
	readonly result: Result;
	readonly findings: readonly Finding[];
}

export interface Program {
	/** The bytes on standard output; the exit code must be 0. */
	bytes(...args: readonly string[]): Buffer;
	/** What `--json` says; the exit code must be 0. */
	json<Result>(...args: readonly string[]): Answer<Result>;
	/** The same, while this thread goes on. */
	start<Result>(...args: readonly string[]): Promise<Answer<Result>>;
}

/** The built program as a user calls it, with `home` as the home folder and `archive` as the archive. */
export function openProgram(options: { readonly home: string; readonly archive: string }): Program {
	const { home, archive } = options;
	if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: run "npm run build" first`);
	// No config file or archive of the machine that runs the tests may reach in.
	const env = { PATH: process.env.PATH, HOME: home, XDG_CONFIG_HOME: join(home, 'config'), TZ: 'Asia/Kolkata', MAILSEAL_ARCHIVE: archive };
	function bytes(...args: readonly string[]): Buffer {
		const { status, stdout, stderr, error } = spawnSync(process.execPath, [PROGRAM, ...args], { env, cwd: home, maxBuffer: 1024 ** 3 });
		if (error !== undefined) throw error;
		expect(`${status} ${status === 0 ? '' : `${stderr}${stdout}`}`, `mailseal ${args.slice(0, 5).join(' ')}`).toBe('0 ');
		return stdout;
	}
	return {
		bytes,
		json: (...args) => JSON.parse(bytes(...args, '--json').toString('utf8')),
		async start(...args) {
			const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...args, '--json'], {
				env,
				cwd: home,
				maxBuffer: 1024 ** 3,
			});
			return JSON.parse(stdout);
		},
	};
}
