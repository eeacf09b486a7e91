import { expect, test } from 'vitest';
import { type BundleToApply, type Catalog, openCatalog } from '../../src/catalog/index.ts';
import { type BundleKind, DEFAULT_POLICY, type ManifestLine, type Tenant } from '../../src/domain/index.ts';
import { idOf, messageOf, placedAt, placeOf } from '../support/words.ts';
import { attachmentId, attachmentOf, bundleWith, recipeOf } from './attachment-lines.ts';

const ANNA = 'anna@example.org/INBOX';
const CARL = 'carl@example.net/INBOX';

function inMemory(): Catalog {
	const catalog = openCatalog({ kind: 'memory' });
	catalog.begin();
	return catalog;
}

function apply(catalog: Catalog, kind: BundleKind, ...lines: ManifestLine[]): BundleToApply {
	const bundle = bundleWith(kind, lines);
	catalog.apply(bundle, { policy: DEFAULT_POLICY });
	return bundle;
}

function drop(catalog: Catalog, { ref, lines }: BundleToApply): void {
	catalog.drop(ref.id, lines);
}

function removed(place: string): ManifestLine {
	return { type: 'removed', ...placeOf(place) };
}

/** The fingerprint of a catalog that never knew anything but these bundles. */
function fingerprintOf(...bundles: readonly BundleToApply[]): string {
	const catalog = inMemory();
	for (const bundle of bundles) catalog.apply(bundle, { policy: DEFAULT_POLICY });
	catalog.tidy();
	return catalog.fingerprint();
}

/** What is alive of each sealed bundle, once these leave: messages, attachments, words. */
function aliveOf(catalog: Catalog, leaving: readonly BundleToApply[] = []): number[][] {
	catalog.compact.setLeaving(leaving.map(({ ref }) => ref.id));
	return catalog.compact.liveness().map(({ liveMessages, liveAttachments, liveWords }) => [liveMessages, liveAttachments, liveWords]);
}

test('a removal is remembered as long as one listed sealed bundle speaks of what was removed, and no longer', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/1`, 'red'));
	const second = apply(catalog, 'sealed', placedAt(`${ANNA}/1`, 'red', { flags: ['flagged', 'seen'] }));
	const third = apply(catalog, 'volatile', removed(`${ANNA}/1`));
	const words = (): number => catalog.pack.liveWords(third.ref.id, new Set()).length;
	expect(words()).toBe(1);
	drop(catalog, second);
	expect(words()).toBe(1);
	catalog.tidy();
	expect(catalog.fingerprint()).toBe(fingerprintOf(first, third));
	drop(catalog, first);
	expect(words()).toBe(0);
	catalog.tidy();
	expect(catalog.fingerprint()).toBe(fingerprintOf(third));
});

test('what comes back after its removal is counted on, and so is a bundle that moves to the end of the list', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/1`, 'red'));
	apply(catalog, 'volatile', removed(`${ANNA}/1`));
	const third = apply(catalog, 'volatile', messageOf('red'), placedAt(`${ANNA}/1`, 'red'));
	const fourth = apply(catalog, 'volatile', removed(`${ANNA}/1`));
	catalog.apply(first, { policy: DEFAULT_POLICY });
	expect(catalog.fingerprint()).toBe(fingerprintOf(bundleWith('volatile', [removed(`${ANNA}/1`)]), third, fourth, first));
	const fifth = apply(catalog, 'volatile', messageOf('blue'), removed(`${ANNA}/1`));
	drop(catalog, first);
	expect(catalog.pack.liveWords(fifth.ref.id, new Set([third.ref.id, fourth.ref.id]))).toEqual([]);
});

test('drop() refuses to lose the newest word about a sealed placement, and a sealed bundle of which it is not told what it says', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/1`, 'red'));
	apply(catalog, 'volatile', messageOf('red'));
	expect(() => catalog.drop(first.ref.id)).toThrow('needs what it says');
	expect(() => drop(catalog, first)).toThrow('would lose the newest words');
	apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/1`, 'red', { uid: 7 }));
	drop(catalog, first);
	expect(catalog.bundles()).toHaveLength(2);
});

test('of two sealed bundles with one message the earlier keeps it; one that leaves leaves it to the one that stays', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/1`, 'red'));
	const second = apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/2`, 'red'));
	expect(aliveOf(catalog)).toEqual([
		[1, 0, 1],
		[0, 0, 1],
	]);
	expect(aliveOf(catalog, [first])).toEqual([
		[0, 0, 1],
		[1, 0, 1],
	]);
	expect(aliveOf(catalog, [first, second])).toEqual([
		[1, 0, 1],
		[0, 0, 1],
	]);
});

test('each tenant needs a sealed bundle of its own; what another tenant’s volatile placement relies on is alive where no other bundle has it', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/1`, 'red'));
	apply(catalog, 'sealed', messageOf('red'), placedAt(`${CARL}/1`, 'red'));
	const all = (): number[] => aliveOf(catalog).map(([messages = 0]) => messages);
	expect(all()).toEqual([1, 1]);
	apply(catalog, 'volatile', removed(`${ANNA}/1`));
	expect(all()).toEqual([0, 1]);
	apply(catalog, 'volatile', placedAt(`${CARL}/1`, 'red', { flags: [] }));
	expect(all()).toEqual([0, 1]);
	apply(catalog, 'volatile', removed(`${CARL}/1`), placedAt('dora@example.com/INBOX/1', 'red'));
	expect(all()).toEqual([1, 0]);
	catalog.compact.setLeaving([first.ref.id]);
	expect(aliveOf(catalog, [first]).map(([messages]) => messages)).toEqual([0, 1]);
	apply(catalog, 'volatile', messageOf('red'));
	expect(all()).toEqual([0, 0]);
});

test('what lies in a missing bundle does not count as kept', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/1`, 'red'));
	apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/2`, 'red'));
	catalog.pack.setMissing(new Set([first.ref.id]));
	expect(aliveOf(catalog)).toEqual([[1, 0, 1]]);
});

test('an attachment is alive while a copy needs it that stays or is handed on', () => {
	const catalog = inMemory();
	apply(catalog, 'sealed', attachmentOf('report'), attachmentOf('logo'));
	const recipe = apply(catalog, 'sealed', recipeOf('red', ['report', 'logo']), placedAt(`${ANNA}/1`, 'red'));
	apply(catalog, 'sealed', recipeOf('red', ['logo']), placedAt(`${ANNA}/2`, 'red'));
	expect(aliveOf(catalog).map(([, attachments]) => attachments)).toEqual([2, 0, 0]);
	// Its copy leaves, and another stays that needs less.
	expect(aliveOf(catalog, [recipe]).map(([, attachments]) => attachments)).toEqual([1, 0, 0]);
	apply(catalog, 'volatile', removed(`${ANNA}/1`), removed(`${ANNA}/2`));
	expect(aliveOf(catalog).map(([, attachments]) => attachments)).toEqual([0, 0, 0]);
});

test('a sealed copy that lacks an attachment does not make another copy of the message dead', () => {
	const catalog = inMemory();
	const attachments = apply(catalog, 'sealed', attachmentOf('report'));
	apply(catalog, 'sealed', recipeOf('red', ['report']), placedAt(`${ANNA}/1`, 'red'));
	apply(catalog, 'volatile', removed(`${ANNA}/1`));
	drop(catalog, attachments);
	const whole = apply(catalog, 'volatile', messageOf('red'), placedAt(`${ANNA}/2`, 'red'));
	expect(catalog.pack.liveMessages(whole.ref.id).map(({ line }) => line.id)).toEqual([idOf('red')]);
	expect(catalog.pack.isSealedFor(idOf('red'), 'example.org' as Tenant)).toBe(false);
	apply(catalog, 'volatile', attachmentOf('report'));
	expect(catalog.pack.liveMessages(whole.ref.id)).toEqual([]);
	expect(catalog.pack.attachmentCopies(attachmentId('report'))).toHaveLength(1);
});

test('a sealed copy that lacks an attachment is alive only where no copy is whole, whichever tenant has the message', () => {
	const catalog = inMemory();
	const attachments = apply(catalog, 'sealed', attachmentOf('report'));
	apply(catalog, 'sealed', recipeOf('red', ['report']), placedAt(`${CARL}/1`, 'red'));
	apply(catalog, 'volatile', removed(`${CARL}/1`));
	drop(catalog, attachments);
	const whole = apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/1`, 'red'));
	apply(catalog, 'volatile', placedAt(`${CARL}/2`, 'red'));
	const messages = (): number[] => aliveOf(catalog).map(([alive = 0]) => alive);
	expect(messages()).toEqual([0, 1]);
	// Only the tenant of the copy that lacks something has the message now.
	apply(catalog, 'volatile', removed(`${ANNA}/1`));
	expect(messages()).toEqual([0, 1]);
	expect(() => drop(catalog, whole)).toThrow('would lose 1 messages that are still placed');
	catalog.pack.setMissing(new Set([whole.ref.id]));
	expect(messages()).toEqual([1]);
});
