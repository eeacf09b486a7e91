import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FileHooks } from '../../src/platform/index.ts';
import { verifyOnce } from '../support/archive.ts';
import {
	bundlesOf,
	copyOfEve,
	type EventfulNight,
	flawsAfterNextPack,
	lossesAfterBreak,
	makeEventfulNight,
	makeFirstNight,
	type Night,
	packTheNight,
	snapshotsOf,
} from '../support/eventful-night.ts';
import { attachmentsIn, listedBundles } from '../support/listed-bundles.ts';

const FAULTS = [
	{ code: 'EIO', error: 'io' },
	{ code: 'ENOSPC', error: 'no-space' },
] as const;

interface Fault {
	/** The operation that fails, counted from 0. */
	readonly at: number;
	/** `after`: it is carried out, and fails nevertheless. */
	readonly when: 'before' | 'after';
}

/** What an operation that was carried out leaves behind is the same for a kill after it, and kill-each.test.ts tries every one. */
const STEPS = { before: 1, after: process.env.SLOW ? 1 : 3 } as const;

let night: EventfulNight;
beforeAll(async () => {
	night = await makeEventfulNight();
});
afterAll(() => night.remove());

/** Lets every operation pass but one. */
function failingHooks({ at, when }: Fault): { readonly hooks: FileHooks; failed(): string | null } {
	let seen = 0;
	let failed: string | null = null;
	function strike(operation: string): void {
		if (seen++ !== at) return;
		failed = operation;
		const { code } = FAULTS[at % 2] ?? FAULTS[0];
		throw Object.assign(new Error(`${code}: made by the test`), { code });
	}
	return { hooks: { [when]: strike }, failed: () => failed };
}

/** Packs with one fault after another, until none strikes; gives the operations that failed. */
async function packWithEveryFault(
	when: Fault['when'],
	given: {
		readonly night: Night;
		readonly archive: () => string;
		readonly judge: (archive: string, place: string) => Promise<void>;
	},
): Promise<string[]> {
	const { night } = given;
	const struck: string[] = [];
	for (let at = 0; ; at += STEPS[when]) {
		const archive = given.archive();
		const { hooks, failed } = failingHooks({ at, when });
		const outcome = await packTheNight(archive, night, hooks).then(
			() => null,
			(error: unknown) => error,
		);
		const operation = failed();
		const place = `operation ${at}, ${operation}`;
		if (operation !== null) expect(outcome, place).toMatchObject({ name: 'MailsealError', code: FAULTS[at % 2]?.error });
		await given.judge(archive, place);
		await packTheNight(archive, night);
		expect(await flawsAfterNextPack(archive, night), `the next pack after ${place}`).toEqual([]);
		rmSync(archive, { recursive: true });
		if (operation === null) {
			expect(outcome).toBeNull();
			return struck;
		}
		struck.push(operation);
	}
}

test('the night that is broken seals mail and attachments, writes several volatile bundles and folds one', async () => {
	const archive = copyOfEve(night);
	const before = bundlesOf(archive, night.snapshotBefore).filter((ref) => ref.kind === 'volatile');
	const { result } = await packTheNight(archive, night);
	const after = bundlesOf(archive, String(result.snapshot)).map((ref) => ref.id);
	expect(result.sealed.new).toBeGreaterThan(0);
	expect(result.volatile.newBytes).toBeGreaterThan(0);
	expect(result.messages.changed).toBeGreaterThan(0);
	expect(result.messages.removed).toBeGreaterThan(0);
	expect(before.some((ref) => !after.includes(ref.id))).toBe(true);
	const old = new Set(bundlesOf(archive, night.snapshotBefore).map((ref) => ref.id));
	const added = (await listedBundles(archive)).filter(({ ref }) => !old.has(ref.id));
	const apart = new Set(added.filter(({ lines }) => attachmentsIn(lines).length > 0).map(({ ref }) => ref.kind));
	expect(apart).toEqual(new Set(['sealed', 'volatile']));
	expect(snapshotsOf(archive).at(-2)).toBe(night.snapshotBefore);
});

test.each(['before', 'after'] as const)(
	'a pack loses nothing whichever file operation fails, the fault coming %s it',
	{ timeout: 180_000 },
	async (when) => {
		const struck = await packWithEveryFault(when, {
			night,
			archive: () => copyOfEve(night),
			judge: async (archive, place) => expect(await lossesAfterBreak(archive, night), place).toEqual([]),
		});
		expect(struck.length).toBeGreaterThan(30 / STEPS[when]);
		if (when === 'before') {
			expect(new Set(struck)).toEqual(new Set(['create', 'write', 'fsync', 'chmod', 'make-folder', 'rename', 'fsync-folder']));
		}
	},
);

test.each(['before', 'after'] as const)(
	'a first pack that fails is done anew by the next, the fault coming %s an operation',
	{ timeout: 180_000 },
	async (when) => {
		const struck = await packWithEveryFault(when, {
			night: makeFirstNight(night.folder()),
			archive: () => join(night.folder(), 'archive'),
			async judge(archive, place) {
				if (existsSync(join(archive, 'mailseal.json'))) expect((await verifyOnce(archive, 'deep')).findings, place).toEqual([]);
			},
		});
		expect(struck.length).toBeGreaterThan(50 / STEPS[when]);
	},
);
