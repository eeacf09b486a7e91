import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPrng } from '../../bench/mail/prng.ts';
import { makeTree } from '../../bench/tree.ts';
import { restoreOnce, verifyOnce } from '../support/archive.ts';
import { builtFile } from '../support/build-program.ts';
import { fastFolder, leftovers, snapshotsOf } from '../support/eventful-night.ts';
import { callerOf } from '../support/program.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../support/tree-state.ts';

const TRIES = process.env.SLOW ? 100 : 20;
const NOW = Date.UTC(2026, 8, 1, 2);
const program = builtFile('src/cli/bin.ts');
let folder = '';
let root = '';
let half = '';
let tree: Map<string, FolderState>;
let halfTree: Map<string, FolderState>;
/** Of a pack that nobody disturbs, milliseconds. */
let whole = 0;

function packArguments(): string[] {
	const now = new Date(NOW).toISOString();
	return [
		'pack',
		'--now',
		now,
		'--jobs',
		'2',
		'--linger',
		'0s',
		'--bundle-target',
		'512KiB',
		'--attachment-min',
		'2KiB',
		`maildir:${root}/{account}/Maildir`,
	];
}

beforeAll(() => {
	folder = fastFolder();
	root = join(folder, 'store');
	half = join(folder, 'half');
	// The archive has half of the accounts; the pack that is killed brings the others.
	makeTree({ root, seed: 41, accounts: 3, messages: 900, bytes: 'small', domain: ['a.example', 'b.example'], now: NOW });
	const before = callerOf(program, { archive: half });
	expect(before.run(...packArguments()).code).toBe(0);
	halfTree = readTreeState(root);
	const more = join(folder, 'more');
	makeTree({ root: more, seed: 42, accounts: 3, messages: 1100, bytes: 'small', domain: ['c.example', 'd.example'], now: NOW });
	cpSync(more, root, { recursive: true, preserveTimestamps: true });
	tree = readTreeState(root);
	const archive = copyOfHalf();
	const started = performance.now();
	expect(callerOf(program, { archive }).run(...packArguments()).code).toBe(0);
	whole = performance.now() - started;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function copyOfHalf(): string {
	const copy = join(mkdtempSync(join(folder, 'try-')), 'archive');
	execFileSync('cp', ['-a', half, copy]);
	return copy;
}

async function differences(archive: string, wanted: Map<string, FolderState>): Promise<string[]> {
	const to = join(archive, '..', 'restored');
	await restoreOnce(archive, to);
	return compareTreeStates(wanted, readTreeState(to));
}

async function endOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly signal: string | null; readonly err: string }> {
	let err = '';
	child.stderr?.setEncoding('utf8').on('data', (text: string) => {
		err += text;
	});
	const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
	return { code, signal, err };
}

test.each([
	['SIGKILL', 1],
	['SIGINT', 2],
] as const)(
	'a pack with threads that gets %s at any moment leaves the archive whole, and the next one completes it',
	{
		timeout: 300_000,
	},
	async (signal, seed) => {
		const prng = openPrng('kill', seed);
		let struck = 0;
		for (let attempt = 0; attempt < TRIES / 2; attempt++) {
			const archive = copyOfHalf();
			const delay = Math.floor(prng.float() * whole * 1.05);
			const place = `${signal} after ${delay} of ${Math.round(whole)} ms`;
			const child = callerOf(program, { archive }).start(...packArguments());
			const ended = endOf(child);
			await setTimeout(delay);
			child.kill(signal);
			const end = await ended;
			const isCommitted = snapshotsOf(archive).length > 1;
			if (end.code !== 0) {
				struck++;
				// Before the program has put its own handler in place, and once all is done, Node's default ends it.
				if (signal === 'SIGKILL' || end.signal !== null) expect(end, place).toMatchObject({ signal, code: null });
				else
					expect({ ...end, isCommitted }, place).toMatchObject({
						code: 130,
						err: expect.stringMatching(/^mailseal: /),
						isCommitted: false,
					});
			}
			expect((await verifyOnce(archive, 'deep')).findings, place).toEqual([]);
			expect(await differences(archive, isCommitted ? tree : halfTree), place).toEqual([]);
			expect(callerOf(program, { archive }).run(...packArguments()), place).toMatchObject({ code: 0, err: '' });
			expect(leftovers(archive), place).toEqual([]);
			rmSync(join(archive, '..'), { recursive: true });
		}
		expect(struck).toBeGreaterThan(TRIES / 8);
	},
);
