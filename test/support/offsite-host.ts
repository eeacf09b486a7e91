import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { NODE_PATH } from './build-program.ts';
import { copyFolder } from './offsite-mail.ts';
import type { Place } from './offsite-places.ts';
import type { Ended, Told } from './program.ts';

/** A machine as the program sees it: a home of its own, and perhaps an archive. Its calls run while this thread goes on. */
export interface Host {
	readonly folder: string;
	readonly archive: string;
	/** With `--json`: whatever the exit code, what standard output says. */
	json<Result>(...args: readonly string[]): Promise<Told<Result>>;
	run(...args: readonly string[]): Promise<Ended>;
	/** The bytes on standard output of a call that must succeed, and complain of nothing. */
	bytes(...args: readonly string[]): Promise<Buffer>;
	/** The result of a call that must end with 0, without findings; where the catalog was lost, it may say that it makes another. */
	result<Result>(...args: readonly string[]): Promise<Result>;
	start(...args: readonly string[]): ChildProcess;
}

export interface HostOptions {
	/** Where homes are made. */
	readonly within: string;
	/** Secrets and addresses; the place that the calls are about. */
	readonly place?: Pick<Place, 'env'>;
	/** Copied to be the archive. */
	readonly archive?: string;
	readonly env?: Readonly<Record<string, string>>;
}

/** Nothing that needs attention. */
function isQuiet(err: string): boolean {
	return err === '' || err === 'mailseal: rebuilding the catalog from the bundles\n';
}

/** A machine that knows nothing yet: neither keys, nor configuration, nor cache. */
export function openHost(program: { readonly path: string }, options: HostOptions): Host {
	const folder = mkdtempSync(join(options.within, 'host-'));
	const archive = join(folder, 'archive');
	if (options.archive !== undefined) copyFolder(options.archive, archive);
	for (const name of ['cache', 'config']) mkdirSync(join(folder, name));
	const env = {
		PATH: process.env.PATH,
		NODE_PATH,
		HOME: folder,
		XDG_CACHE_HOME: join(folder, 'cache'),
		XDG_CONFIG_HOME: join(folder, 'config'),
		MAILSEAL_ARCHIVE: archive,
		// Else the SDK would ask the network of a cloud for credentials.
		AWS_EC2_METADATA_DISABLED: 'true',
		AWS_REGION: 'us-east-1',
		...options.place?.env,
		...options.env,
	};
	const setting = { env, cwd: folder };

	async function run(...args: readonly string[]): Promise<Ended> {
		const child = spawn(process.execPath, [program.path, ...args], { ...setting, stdio: ['ignore', 'pipe', 'pipe'] });
		const out: Buffer[] = [];
		const err: Buffer[] = [];
		child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
		child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
		const [code] = (await once(child, 'close')) as [number | null];
		return { code, bytes: Buffer.concat(out), err: Buffer.concat(err).toString('utf8') };
	}

	async function json<Result>(...args: readonly string[]): Promise<Told<Result>> {
		const { code, bytes, err } = await run(...args, '--json');
		if (bytes.length === 0) throw new Error(`mailseal ${args.join(' ')} ended with ${code} and said: ${err}`);
		const said = JSON.parse(bytes.toString('utf8')) as Omit<Told<Result>, 'code' | 'err'>;
		return { code, ...said, error: said.error, err };
	}

	return {
		folder,
		archive,
		run,
		json,
		async bytes(...args) {
			const { code, bytes, err } = await run(...args);
			expect({ code, err }, `mailseal ${args.join(' ')}`).toEqual({ code: 0, err: expect.toSatisfy(isQuiet) });
			return bytes;
		},
		async result<Result>(...args: readonly string[]) {
			const { code, result, findings, error, err } = await json<Result>(...args);
			expect({ code, error, findings, err }, `mailseal ${args.join(' ')}`).toEqual({
				code: 0,
				error: undefined,
				findings: [],
				err: expect.toSatisfy(isQuiet),
			});
			return result;
		},
		start: (...args) => spawn(process.execPath, [program.path, ...args], { ...setting, stdio: ['ignore', 'ignore', 'pipe'] }),
	};
}
