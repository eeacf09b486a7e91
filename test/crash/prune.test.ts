import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FileHooks } from '../../src/platform/index.ts';
import { filesBelow, packOnce, pruneOnce, verifyOnce } from '../support/archive.ts';
import { builtFile, NODE_PATH } from '../support/build-program.ts';
import { leftovers, snapshotsOf } from '../support/eventful-night.ts';
import type { PruneOrder } from '../support/kill-order.ts';
import { DAY } from '../support/mail-store.ts';
import { makeNightsOfMail, NIGHTLY, type NightsOfMail, restoredFlaws } from '../support/pruned-archive.ts';

const pruner = builtFile('test/support/prune-until-killed.ts');
const KEEP = { last: 2 };

let nights: NightsOfMail;
/** The archive before the prune that is broken: one prune was before it, and a night since. */
let eve: string;
/** Of the nights that are kept, and the record that replaces the one before. */
let kept: string[];
/** The files after a prune that nobody disturbs. */
let wanted: string[];
let now: number;
beforeAll(async () => {
	nights = await makeNightsOfMail(8, [1]);
	eve = nights.copy();
	await pruneOnce(eve, { last: 6 }, { now: nights.now });
	const newest = await nights.nextNight(eve, nights.now + DAY);
	now = nights.now + DAY + 3600_000;
	const whole = nights.copy(eve);
	const { result } = await pruneOnce(whole, KEEP, { now });
	kept = result.kept.map(({ name }) => name);
	expect(kept).toEqual([nights.snapshots[1], nights.snapshots[7], newest]);
	expect(result.pruned).toHaveLength(6);
	expect(result.bundles).toBeGreaterThan(2);
	wanted = filesOf(whole);
});
afterAll(() => nights.remove());

/** Everything but what is derived. */
function filesOf(archive: string): string[] {
	return [...filesBelow(archive).keys()].filter((path) => !/^(catalog\.sqlite|\.lock)/.test(path)).sort();
}

/** Everything that is wrong with what the prune was to keep. */
async function losses(archive: string): Promise<string[]> {
	const { findings } = await verifyOnce(archive, 'deep');
	const errors = findings.filter(({ severity, code }) => severity !== 'note' || code !== 'prune-unfinished');
	return [...errors.map(({ code, text }) => `verify: ${code}: ${text}`), ...(await restoredFlaws(archive, kept, nights.trees))];
}

/** Every second time by a pack, which must leave the same but for its own night. */
async function finish(archive: string, at: number, place: string): Promise<void> {
	if (at % 2 === 0) {
		await pruneOnce(archive, KEEP, { now });
		expect(filesOf(archive), `the next prune, ${place}`).toEqual(wanted);
	} else {
		await packOnce(archive, nights.spec, { now: now + DAY, bundles: NIGHTLY });
		expect(leftovers(archive), `the next pack, ${place}`).toEqual([]);
		await pruneOnce(archive, KEEP, { now: now + DAY + 1000 });
	}
	expect(leftovers(archive), place).toEqual([]);
	expect((await verifyOnce(archive, 'deep')).findings, place).toEqual([]);
}

describe('a prune', () => {
	test('that is killed after any of its file operations loses nothing that it was to keep, and the next run finishes it', {
		timeout: 120_000,
	}, async () => {
		function pruneUntilKilled(archive: string, killAt: number): { readonly signal: string | null; readonly operations: string[] } {
			const order: PruneOrder = { archive, now, keep: KEEP, killAt };
			const { signal, stdout, stderr } = spawnSync(process.execPath, [pruner.path, JSON.stringify(order)], {
				encoding: 'utf8',
				env: { PATH: process.env.PATH, NODE_PATH },
			});
			expect(stderr).toBe('');
			return { signal, operations: signal === null ? (JSON.parse(stdout) as string[]) : [] };
		}
		const { operations } = pruneUntilKilled(nights.copy(eve), Number.MAX_SAFE_INTEGER);
		const committed = operations.findIndex((operation) => operation.startsWith('rename '));
		// The record first, then snapshots, then bundles.
		const removals = operations.slice(committed + 2);
		expect(removals.length).toBeGreaterThan(6);
		const folders = removals.map((operation) => /^unlink .*\/(snapshots|bundles)\//.exec(operation)?.[1]);
		expect(folders).toEqual([...folders].sort().reverse());
		for (let at = -1; at < operations.length; at++) {
			const place = `killed after operation ${at}, ${operations[at]}`;
			const archive = nights.copy(eve);
			expect(pruneUntilKilled(archive, at).signal, place).toBe('SIGKILL');
			expect(snapshotsOf(archive).at(-1) !== snapshotsOf(eve).at(-1), place).toBe(at >= committed);
			expect(await losses(archive), place).toEqual([]);
			await finish(archive, at, place);
			rmSync(archive, { recursive: true });
		}
	});

	test.each(['before', 'after'] as const)(
		'loses nothing whichever file operation fails, the fault coming %s it',
		{ timeout: 120_000 },
		async (when) => {
			for (let at = 0; ; at++) {
				let seen = 0;
				let failed: string | null = null;
				const code = at % 3 === 0 ? 'ENOSPC' : 'EIO';
				const strike: FileHooks['before'] = (operation) => {
					if (seen++ !== at) return;
					failed = operation;
					throw Object.assign(new Error(`${code}: made by the test`), { code });
				};
				const archive = nights.copy(eve);
				const outcome = await pruneOnce(archive, KEEP, { now, hooks: { [when]: strike } }).then(
					() => null,
					(error: unknown) => error,
				);
				const place = `operation ${at}, ${failed}`;
				expect(await losses(archive), place).toEqual([]);
				if (failed === null) {
					expect(outcome).toBeNull();
					expect(at).toBeGreaterThan(12);
					expect(filesOf(archive)).toEqual(wanted);
					return;
				}
				expect(outcome, place).toMatchObject({ name: 'MailsealError', code: at % 3 === 0 ? 'no-space' : 'io' });
				await finish(archive, at, place);
				rmSync(archive, { recursive: true });
			}
		},
	);

	test('that is interrupted at any of its file operations stops there, and leaves the archive whole', { timeout: 120_000 }, async () => {
		for (let at = 0; ; at++) {
			const controller = new AbortController();
			const seen: string[] = [];
			const hooks: FileHooks = {
				after(operation) {
					if (seen.push(operation) === at + 1) controller.abort();
				},
			};
			const archive = nights.copy(eve);
			const outcome = await pruneOnce(archive, KEEP, { now, hooks, signal: controller.signal }).then(
				() => null,
				(error: unknown) => error,
			);
			const place = `operation ${at}, ${seen[at]}`;
			if (!controller.signal.aborted) return expect(at).toBeGreaterThan(12);
			// After the last removal there is nothing left to stop.
			if (outcome !== null) expect(outcome, place).toMatchObject({ code: 'interrupted' });
			else expect(filesOf(archive), place).toEqual(wanted);
			if (seen[at] === 'unlink') expect(seen, place).toHaveLength(at + 1);
			expect(await losses(archive), place).toEqual([]);
			await finish(archive, at, place);
			rmSync(archive, { recursive: true });
		}
	});
});
