import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Calls the program built at `path` as a user would, with `archive` as the archive. */
export function callerOf(
	program: { readonly path: string },
	call: { readonly archive: string; readonly uid?: number; readonly env?: Readonly<Record<string, string>> },
): Caller {
	// No config file or archive of the machine that runs the tests may reach in.
	const env = { PATH: process.env.PATH, HOME: '/nowhere', NODE_PATH, MAILSEAL_ARCHIVE: call.archive, ...call.env };
	const options = { env, cwd: '/', ...(call.uid === undefined ? {} : { uid: call.uid, gid: call.uid }) };
	function run(...args: readonly string[]): Ended {
		const { status, stdout, stderr, error } = spawnSync(process.execPath, [program.path, ...args], { ...options, maxBuffer: 1 << 30 });
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
		start: (...args) => spawn(process.execPath, [program.path, ...args], { ...options, stdio: ['ignore', 'ignore', 'pipe'] }),
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
