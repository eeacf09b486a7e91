import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundlesToFold } from '../../src/archive/fold.ts';
import type { Liveness } from '../../src/catalog/index.ts';
import { parseBundleId } from '../../src/domain/index.ts';
import { bundleNames, packOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { listedBundles, messagesIn, wordsIn } from '../support/listed-bundles.ts';
import { DAY, DAY_ZERO, makeMailStore, noisyMail } from '../support/mail-store.ts';

/** Folds what is less than half alive. */
const HALF = { foldBelow: 0.5 };
const ANNA = 'anna@example.org/INBOX';

function liveness(name: number, facts: Partial<Liveness>): Liveness {
	return {
		bundle: parseBundleId(name.toString(16).padStart(64, '0')),
		messages: 0,
		attachments: 0,
		bytes: 0,
		words: 0,
		liveMessages: 0,
		liveAttachments: 0,
		liveBytes: 0,
		liveWords: 0,
		...facts,
	};
}

function folded(...bundles: Liveness[]): number[] {
	return [...bundlesToFold(bundles, { foldBelow: 0.5, mostVolatile: 100 })].map((id) => Number.parseInt(id, 16)).sort((a, b) => a - b);
}

test('a bundle is folded once less than half of it is alive, by bytes of messages and by words', () => {
	const all = { messages: 2, bytes: 10_000, words: 10 };
	expect(folded(liveness(1, { ...all, liveMessages: 1, liveBytes: 5000, liveWords: 5 }))).toEqual([]);
	expect(folded(liveness(1, { ...all, liveMessages: 1, liveBytes: 4999, liveWords: 5 }))).toEqual([1]);
	expect(folded(liveness(1, { ...all, liveMessages: 1, liveBytes: 9000, liveWords: 0 }))).toEqual([]);
	expect(folded(liveness(1, { words: 3, liveWords: 2 }), liveness(2, { words: 3, liveWords: 1 }))).toEqual([2]);
	expect(folded(liveness(1, { messages: 1, bytes: 1, words: 1 }))).toEqual([1]);
});

test('another share and another bound fold accordingly, and a share of 0 folds nothing but for the bound', () => {
	const half = { messages: 2, bytes: 10_000, words: 2, liveMessages: 1, liveBytes: 5000, liveWords: 1 };
	const dead = { messages: 1, bytes: 10_000, words: 1 };
	const bundles = [liveness(1, half), liveness(2, dead), liveness(3, half)];
	const fold = (foldBelow: number, mostVolatile: number) => bundlesToFold(bundles, { foldBelow, mostVolatile }).size;
	expect([fold(0.6, 100), fold(0.5, 100), fold(0, 100), fold(0, 3), fold(0, 1)]).toEqual([3, 1, 0, 1, 3]);
});

test('at most a hundred volatile bundles are left with tonight’s: the least alive go first', () => {
	const bundles = Array.from({ length: 102 }, (_, index) => {
		const bytes = 1_000_000 - index * 1000;
		return liveness(index, { messages: 1, bytes, words: 1, liveMessages: 1, liveBytes: bytes, liveWords: 1 });
	});
	expect(folded(...bundles.slice(0, 99))).toEqual([]);
	expect(folded(...bundles.slice(0, 100))).toEqual([99]);
	expect(folded(...bundles)).toEqual([99, 100, 101]);
	expect(folded(...bundles, liveness(500, { messages: 1, bytes: 9 }))).toEqual([99, 100, 101, 500]);
});

test('folding keeps exactly what is alive, and drops the rest from the snapshot, not from the disk', async () => {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	const pack = (day: number) => packOnce(archive, store.spec, { now: DAY_ZERO + day * DAY, bundles: HALF });
	for (let n = 0; n < 10; n++) store.put(`${ANNA}/${n}:2,S`, { content: noisyMail(`${n}`, 2000) });
	await pack(1);
	const [first] = await listedBundles(archive, 'volatile');
	for (let n = 0; n < 7; n++) store.remove(`${ANNA}/${n}:2,S`);
	store.rename(`${ANNA}/7:2,S`, `${ANNA}/7:2,FS`);
	await packOnce(archive, store.spec, { now: DAY_ZERO + 2 * DAY, allowMassRemoval: true, bundles: HALF });
	store.put(`${ANNA}/news:2,S`);
	await pack(3);
	const listed = await listedBundles(archive, 'volatile');
	expect(listed.map(({ ref }) => ref.id)).not.toContain(first?.ref.id);
	const [second, third] = listed;
	// The second bundle still speaks of what the first held; nothing that is left would say so if it did not.
	expect(wordsIn(second?.lines ?? []).filter((word) => word.startsWith('placed'))).toEqual([`placed ${ANNA}/7`]);
	expect(
		messagesIn(third?.lines ?? [])
			.map(({ headers }) => headers.subject)
			.sort(),
	).toEqual(['7', '8', '9', 'news']);
	expect(wordsIn(third?.lines ?? [])).toEqual([
		'account anna@example.org',
		`folder ${ANNA}`,
		`placed ${ANNA}/8`,
		`placed ${ANNA}/9`,
		`placed ${ANNA}/news`,
	]);
	expect(existsSync(join(archive, 'bundles', 'volatile', `${first?.ref.id.slice(0, 2)}`, `${first?.ref.id}.zip`))).toBe(true);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('a fold of large messages makes several bundles rather than one above the maximum', async () => {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	const bundles = { target: 10_000, max: 12_000, compress: false, ...HALF };
	const pack = (day: number) => packOnce(archive, store.spec, { now: DAY_ZERO + day * DAY, bundles, allowMassRemoval: true });
	for (const night of [1, 2, 3, 4]) {
		store.put(`${ANNA}/kept${night}:2,S`, { content: noisyMail(`kept${night}`, 4500) });
		store.put(`${ANNA}/gone${night}:2,S`, { content: noisyMail(`gone${night}`, 6500) });
		await pack(night);
	}
	for (const night of [1, 2, 3, 4]) store.remove(`${ANNA}/gone${night}:2,S`);
	await pack(5);
	store.put(`${ANNA}/news:2,S`, { content: noisyMail('news', 8000) });
	await pack(6);
	const sizes = (await listedBundles(archive, 'volatile')).map(({ bytes }) => bytes).filter((bytes) => bytes > 0);
	expect(sizes).toEqual([9000, 9000, 8000]);
	expect((await verifyOnce(archive)).findings).toEqual([]);
	expect(bundleNames(archive, 'volatile').length).toBeGreaterThan(sizes.length);
});
