import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BundleRef } from '../../src/domain/index.ts';
import { packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { listedBundles, messagesIn } from '../support/listed-bundles.ts';
import { DAY, DAY_ZERO, makeMailStore, noisyMail } from '../support/mail-store.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const INBOX = 'anna/INBOX';
const LINGER = 10 * DAY;

/** A store, and a pack a night in which the large mail of the night before is gone and new large mail is there. */
function makePlace() {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	let last = -1;

	async function night(day: number): Promise<void> {
		if (last >= 0) store.remove(`${INBOX}/${last}.large:2,S`);
		store.put(`${INBOX}/${day}.large:2,S`, { content: noisyMail(`large ${day}`, 20_000), at: DAY_ZERO + day * DAY });
		last = day;
		const { findings, result } = await packOnce(archive, store.spec, { now: DAY_ZERO + day * DAY, bundles: { linger: LINGER } });
		expect({ findings, rewritten: result.sealed.rewrittenBytes }, `day ${day}`).toEqual({ findings: [], rewritten: 0 });
	}

	/** The bundles that hold the message of this subject. */
	async function bundlesWith(subject: string): Promise<BundleRef[]> {
		const listed = await listedBundles(archive);
		return listed.filter(({ lines }) => messagesIn(lines).some(({ headers }) => headers.subject === subject)).map(({ ref }) => ref);
	}

	async function kindsOf(subject: string): Promise<string[]> {
		return (await bundlesWith(subject)).map((ref) => ref.kind);
	}

	async function expectWhole(): Promise<void> {
		expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
		const to = temporaryFolder();
		expect((await restoreOnce(archive, to)).findings).toEqual([]);
		expect(compareTreeStates(readTreeState(store.root), readTreeState(to))).toEqual([]);
	}
	return { store, archive, night, bundlesWith, kindsOf, expectWhole };
}

function daysBetween(first: number, last: number): number[] {
	return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

test('quiet mail is sealed once it has lingered, though its volatile bundle is folded again and again', async () => {
	const { store, night, bundlesWith, kindsOf, expectWhole } = makePlace();
	store.put(`${INBOX}/1.quiet:2,S`, { subject: 'quiet' });
	await night(0);
	const carriers = new Set<string>();
	// Due on day 30.
	for (const day of daysBetween(28, 39)) {
		await night(day);
		expect(await kindsOf('quiet'), `day ${day}`).toEqual(['volatile']);
		carriers.add(String((await bundlesWith('quiet'))[0]?.id));
	}
	// A bundle is folded the night after its large mail went; else nothing was put to the test.
	expect(carriers.size).toBeGreaterThan(5);
	await night(40);
	expect(await kindsOf('quiet')).toContain('sealed');
	await expectWhole();
});

test('quiet mail is sealed once it has lingered, though it gets new uids meanwhile', async () => {
	const { store, night, kindsOf, expectWhole } = makePlace();
	store.put(`${INBOX}/1.quiet:2,S`, { subject: 'quiet' });
	await night(0);
	for (const day of daysBetween(30, 39)) {
		store.write(`${INBOX}/dovecot-uidlist`, `3 V${1000 + day} N9 Gabc\n${day} :1.quiet\n`);
		await night(day);
		expect(await kindsOf('quiet'), `day ${day}`).toEqual(['volatile']);
	}
	await night(40);
	expect(await kindsOf('quiet')).toContain('sealed');
	await expectWhole();
});

test('a change of state makes quiet mail wait anew', async () => {
	const { store, night, kindsOf, expectWhole } = makePlace();
	store.put(`${INBOX}/1.quiet:2,S`, { subject: 'quiet' });
	await night(0);
	await night(35);
	store.rename(`${INBOX}/1.quiet:2,S`, `${INBOX}/1.quiet:2,FS`);
	await night(36);
	for (const day of [40, 66, 75]) {
		await night(day);
		expect(await kindsOf('quiet'), `day ${day}`).toEqual(['volatile']);
	}
	await night(76);
	expect(await kindsOf('quiet')).toContain('sealed');
	await expectWhole();
});

test('old mail that comes into a known account waits as long as any other, then is sealed', async () => {
	const { store, night, kindsOf, expectWhole } = makePlace();
	await night(0);
	store.put(`${INBOX}/1.quiet:2,S`, { subject: 'old', at: DAY_ZERO - 400 * DAY });
	for (const day of daysBetween(1, 10)) {
		await night(day);
		expect(await kindsOf('old'), `day ${day}`).toEqual(['volatile']);
	}
	await night(11);
	expect(await kindsOf('old')).toContain('sealed');
	await expectWhole();
});
