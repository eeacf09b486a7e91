import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PackResult } from '../../src/archive/results.ts';
import { type Cost, measure } from './measure.ts';

/** The built program; benches run in the root of the repository. */
export const PROGRAM = join(process.cwd(), 'dist', 'mailseal.cjs');
/** What it starts: all of the code. */
export const CODE = join(process.cwd(), 'dist', 'program.cjs');

/** Runs a command with `--json`; exit codes beyond "done, with findings" are errors. */
export function runMailseal<Result>(
	args: readonly string[],
	nodeOptions: readonly string[] = [],
): { readonly result: Result; readonly cost: Cost } {
	if (!existsSync(PROGRAM)) throw new Error(`Cannot run mailseal: "${PROGRAM}" is missing (run npm run build)`);
	const ran = measure(process.execPath, [...nodeOptions, PROGRAM, ...args, '--json']);
	if (ran.status !== 0 && ran.status !== 1) {
		throw new Error(`Cannot run "mailseal ${args.join(' ')}": it ended with ${ran.status}: ${ran.stderr}${ran.stdout}`);
	}
	const { wall, user, system, peak, written } = ran;
	const envelope = JSON.parse(ran.stdout.toString()) as { readonly result: Result };
	return { result: envelope.result, cost: { wall, user, system, peak, written } };
}

/** Packs a tree of makeTree as of `now` and makes sure that all its messages are in. */
export function pack(options: {
	readonly root: string;
	readonly archive: string;
	readonly now: number;
	readonly messages?: number;
	/** Further options of `mailseal pack`. */
	readonly options?: readonly string[];
	readonly nodeOptions?: readonly string[];
}): { readonly result: PackResult; readonly cost: Cost } {
	const source = `maildir:${options.root}/{account}/Maildir`;
	const now = new Date(options.now).toISOString();
	const ran = runMailseal<PackResult>(
		['pack', source, '-a', options.archive, '--now', now, ...(options.options ?? [])],
		options.nodeOptions,
	);
	if (options.messages !== undefined && ran.result.messages.total !== options.messages) {
		throw new Error(`Cannot go on: the pack holds ${ran.result.messages.total} messages (the tree has ${options.messages})`);
	}
	return ran;
}
