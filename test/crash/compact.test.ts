import { spawnSync } from 'node:child_process';
import { rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compactOnce, filesBelow, packOnce } from '../support/archive.ts';
import { builtFile, NODE_PATH } from '../support/build-program.ts';
import {
	bundlesOf,
	copyOfEve,
	type EventfulNight,
	flawsAfterNextPack,
	lossesAfterBreak,
	makeEventfulNight,
	packTheNight,
	SMALL_BUNDLES,
	snapshotsOf,
} from '../support/eventful-night.ts';
import type { KillOrder } from '../support/kill-order.ts';
import { DAY } from '../support/mail-store.ts';
import { readTreeState } from '../support/tree-state.ts';

/** What a kill after an operation leaves on disk, a fault after it leaves too, and one before the next: each of these ways strikes others. */
const STEP = 6;
const FIRST = { before: 0, after: 2, kill: 4 } as const;
const packer = builtFile('test/support/pack-until-killed.ts');
const BOUND = { below: 0.8, bundles: SMALL_BUNDLES };
let night: EventfulNight;
let wanted: readonly unknown[];
/** File operations of a compaction that nobody disturbs. The snapshot is renamed to its place in the last but one. */
let count = 0;
beforeAll(async () => {
	const made = await makeEventfulNight();
	const root = made.spec.replace(/^maildir:|\/\{account\}.*$/g, '');
	const mail = [...filesBelow(root).keys()].filter((path) => /\/(cur|new)\/[^/]+$/.test(path)).sort();
	for (const [index, path] of mail.entries()) if (index % 3 > 0) unlinkSync(join(root, path));
	const { result } = await packOnce(made.eve, made.spec, { now: made.now, bundles: SMALL_BUNDLES, rescan: true, allowMassRemoval: true });
	const tree = readTreeState(root);
	// A compaction changes no mail: the tree of every later snapshot is that of the eve.
	night = { ...made, tree, treeBefore: tree, snapshotBefore: String(result.snapshot), now: made.now + DAY };
	const archive = copyOfEve(night);
	const { result: compacted } = await compactTheEve(archive, { before: () => count++ });
	expect(count).toBeGreaterThan(10);
	expect(compacted.superseded).toBeGreaterThan(2);
	expect(compacted.new).toBeGreaterThan(2);
	wanted = bundlesOf(archive, String(compacted.snapshot));
});
afterAll(() => night.remove());

/** The operations that are struck in one way: the last two, and of the others each in so many. All of them where SLOW is set. */
function struckBy(way: keyof typeof FIRST): number[] {
	const all = Array.from({ length: count }, (_, at) => at);
	return process.env.SLOW ? all : all.filter((at) => at % STEP === FIRST[way] || at >= count - 2);
}

function compactTheEve(archive: string, hooks = {}): ReturnType<typeof compactOnce> {
	return compactOnce(archive, { ...BOUND, now: night.now, hooks });
}

/** What is wrong once another compaction, which must come to the bundles that are wanted, and the pack of the night went through. */
async function flawsInTheEnd(archive: string): Promise<string[]> {
	await compactTheEve(archive);
	expect(bundlesOf(archive, String(snapshotsOf(archive).at(-1)))).toEqual(wanted);
	await packTheNight(archive, night);
	return flawsAfterNextPack(archive, night);
}

test.each(['before', 'after'] as const)(
	'a compaction loses nothing whichever file operation fails, the fault coming %s it',
	{ timeout: 180_000 },
	async (when) => {
		for (const at of struckBy(when)) {
			const archive = copyOfEve(night);
			let seen = 0;
			let failed: string | null = null;
			const strike = (operation: string): void => {
				if (seen++ !== at) return;
				failed = operation;
				throw Object.assign(new Error('EIO: made by the test'), { code: 'EIO' });
			};
			const outcome = await compactTheEve(archive, { [when]: strike }).then(
				() => null,
				(error: unknown) => error,
			);
			const place = `operation ${at}, ${failed}`;
			expect(outcome, place).toMatchObject({ name: 'MailsealError', code: 'io' });
			expect(await lossesAfterBreak(archive, night), place).toEqual([]);
			expect(await flawsInTheEnd(archive), `in the end, ${place}`).toEqual([]);
			rmSync(archive, { recursive: true });
		}
	},
);

test('a compaction that is killed after any of its file operations loses nothing, and the next one does what it would have done', {
	timeout: 120_000,
}, async () => {
	function compactUntilKilled(archive: string, killAt: number): { readonly signal: string | null; readonly operations: string[] } {
		const order: KillOrder = { archive, spec: night.spec, now: night.now, bundles: SMALL_BUNDLES, killAt, compactBelow: BOUND.below };
		const { signal, stdout, stderr } = spawnSync(process.execPath, [packer.path, JSON.stringify(order)], {
			encoding: 'utf8',
			env: { PATH: process.env.PATH, NODE_PATH },
		});
		expect(stderr).toBe('');
		return { signal, operations: signal === null ? (JSON.parse(stdout) as string[]) : [] };
	}
	const { operations } = compactUntilKilled(copyOfEve(night), Number.MAX_SAFE_INTEGER);
	expect(operations).toHaveLength(count);
	for (const at of struckBy('kill')) {
		const place = `killed after operation ${at}, ${operations[at]}`;
		const archive = copyOfEve(night);
		expect(compactUntilKilled(archive, at).signal, place).toBe('SIGKILL');
		expect(snapshotsOf(archive).at(-1) !== night.snapshotBefore, place).toBe(at >= count - 2);
		expect(await lossesAfterBreak(archive, night), place).toEqual([]);
		expect(await flawsInTheEnd(archive), `in the end, ${place}`).toEqual([]);
		rmSync(archive, { recursive: true });
	}
});
