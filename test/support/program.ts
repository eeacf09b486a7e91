import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import type { Finding } from '../../src/domain/index.ts';
import { NODE_PATH } from './build-program.ts';
import { compareTreeStates, type FolderState, readTreeState } from './tree-state.ts';

/** How a call of the program ended. */
export interface Ended {
	readonly code: number | null;
	readonly bytes: Buffer;
	readonly err: string;
}

/** What `--json` said. */
export interface Told<Result> {
	readonly code: number | null;
	readonly result: Result;
	readonly findings: readonly Finding[];
	/** Undefined where the call succeeded. */
	readonly error: { readonly code: string; readonly text: string; readonly hint: string | null } | undefined;
	/** What standard error got beside. */
	readonly err: string;
}

export interface PackSaid {
	readonly snapshot: string;
	readonly messages: { readonly total: number; readonly added: number; readonly changed: number; readonly removed: number };
	readonly sealed: { readonly confirmed: number; readonly new: number };
	readonly volatile: { readonly bundles: number };
}

export interface VerifySaid {
	readonly damaged: readonly string[];
	readonly missing: readonly string[];
	readonly messages: number;
}

export interface Caller {
	run(...args: readonly string[]): Ended;
	json<Result>(...args: readonly string[]): Told<Result>;
	start(...args: readonly string[]): ChildProcess;
}

interface Call {
	readonly archive: string;
	/** Home and working folder; none of the machine that runs the tests may reach in, neither its config file nor its archive. */
	readonly home?: string;
	readonly uid?: number;
	readonly env?: Readonly<Record<string, string>>;
}

/** How a call of the program is started. */
function settingOf(call: Call) {
	const env = { PATH: process.env.PATH, HOME: call.home ?? '/nowhere', MAILSEAL_ARCHIVE: call.archive, ...call.env };
	return { env, cwd: call.home ?? '/', maxBuffer: 1024 ** 3, ...(call.uid === undefined ? {} : { uid: call.uid, gid: call.uid }) };
}

/** Calls the program built at `path` as a user would, with `archive` as the archive. */
export function callerOf(program: { readonly path: string }, call: Call): Caller {
	return callerWith(program, settingOf({ ...call, env: { NODE_PATH, ...call.env } }));
}

function callerWith(program: { readonly path: string }, setting: ReturnType<typeof settingOf>): Caller {
	function run(...args: readonly string[]): Ended {
		const { status, stdout, stderr, error } = spawnSync(process.execPath, [program.path, ...args], setting);
		if (error !== undefined) throw error;
		return { code: status, bytes: stdout, err: stderr.toString('utf8') };
	}
	return {
		run,
		json<Result>(...args: readonly string[]): Told<Result> {
			const { code, bytes, err } = run(...args, '--json');
			if (bytes.length === 0) throw new Error(`mailseal ${args.join(' ')} ended with ${code} and said: ${err}`);
			const said = JSON.parse(bytes.toString('utf8')) as Omit<Told<Result>, 'code' | 'err'>;
			return { code, ...said, error: said.error, err };
		},
		start: (...args) => spawn(process.execPath, [program.path, ...args], { ...setting, stdio: ['ignore', 'ignore', 'pipe'] }),
	};
}

/** The program as it is published. */
const PUBLISHED = join(import.meta.dirname, '..', '..', 'dist', 'mailseal.cjs');

export type Answer<Result> = Pick<Told<Result>, 'result' | 'findings'>;

/** Calls that must succeed: the exit code must be 0. */
export interface Program {
	/** The bytes on standard output. */
	bytes(...args: readonly string[]): Buffer;
	/** What `--json` says. */
	json<Result>(...args: readonly string[]): Answer<Result>;
	/** The same, while this thread goes on. */
	start<Result>(...args: readonly string[]): Promise<Answer<Result>>;
}

/** The published program as a user calls it, with `home` as the home folder and `archive` as the archive. */
export function openProgram(options: { readonly home: string; readonly archive: string }): Program {
	if (!existsSync(PUBLISHED)) throw new Error(`${PUBLISHED} is missing: run "npm run build" first`);
	const setting = settingOf({ ...options, env: { XDG_CONFIG_HOME: join(options.home, 'config'), TZ: 'Asia/Kolkata' } });
	const caller = callerWith({ path: PUBLISHED }, setting);
	function bytes(...args: readonly string[]): Buffer {
		const ended = caller.run(...args);
		const said = ended.code === 0 ? '' : `${ended.err}${ended.bytes}`;
		expect(`${ended.code} ${said}`, `mailseal ${args.slice(0, 5).join(' ')}`).toBe('0 ');
		return ended.bytes;
	}
	return {
		bytes,
		json: (...args) => JSON.parse(bytes(...args, '--json').toString('utf8')),
		async start(...args) {
			const { stdout } = await promisify(execFile)(process.execPath, [PUBLISHED, ...args, '--json'], setting);
			return JSON.parse(stdout);
		},
	};
}

/** A new folder that anybody may use, removed when the test ends. */
export function openFolder(): string {
	const path = mkdtempSync(join(tmpdir(), 'mailseal-bad-input-'));
	chmodSync(path, 0o777);
	onTestFinished(() => rmSync(path, { recursive: true, force: true }));
	return path;
}

/** Codes of findings, sorted. */
export function codesOf(findings: readonly Finding[]): string[] {
	return findings.map((finding) => finding.code).sort();
}

/** A deep verification finds nothing, and a restore gives the mail as the store has it. */
export function expectWhole(caller: Caller, tree: string | ReadonlyMap<string, FolderState>): void {
	const { code, result, findings } = caller.json<VerifySaid>('verify', '--deep');
	expect({ findings, result, code }).toMatchObject({ findings: [], result: { damaged: [], missing: [] }, code: 0 });
	const to = join(openFolder(), 'restored');
	expect(caller.run('restore', '--to', to)).toMatchObject({ code: 0 });
	expect(compareTreeStates(typeof tree === 'string' ? readTreeState(tree) : tree, readTreeState(to))).toEqual([]);
}
