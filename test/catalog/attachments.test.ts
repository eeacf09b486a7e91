import { expect, test } from 'vitest';
import { type BundleToApply, type Catalog, openCatalog } from '../../src/catalog/index.ts';
import {
	type BundleKind,
	DEFAULT_POLICY,
	type ManifestLine,
	type MessageLine,
	type PartFacts,
	parseSearchQuery,
	parseSnapshotName,
	tenantOf,
} from '../../src/domain/index.ts';
import { idOf, messageOf, placedAt, placeOf } from '../support/words.ts';
import { ATTACHMENT_SIZE, attachmentId, attachmentOf, bundleWith, partOf, recipeOf } from './attachment-lines.ts';

const STATE = { name: parseSnapshotName('20261123T021500Z-0a1b2c3d'), sha256: 'ab', time: '2026-11-23T02:15:00.000Z' };
const ANNA = 'anna@example.org/INBOX';
const BEN = 'ben@example.org/INBOX';
const CLEO = 'cleo@example.net/INBOX';
const DUE = Date.parse('2026-01-02T03:04:05.000Z') + DEFAULT_POLICY.quietPeriod;

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

function removed(place: string): ManifestLine {
	return { type: 'removed', ...placeOf(place) };
}

/** The fingerprint of a catalog that never knew anything but these bundles. */
function fingerprintOf(...bundles: readonly BundleToApply[]): string {
	const catalog = inMemory();
	for (const bundle of bundles) catalog.apply(bundle, { policy: DEFAULT_POLICY });
	const fingerprint = catalog.fingerprint();
	catalog.close();
	return fingerprint;
}

function liveNames(catalog: Catalog, { ref }: BundleToApply): string[] {
	return catalog.pack.liveAttachments(ref.id).map(({ line }) => line.id);
}

test('messageLine() gives exactly the line of each copy, whichever form it has', () => {
	const catalog = inMemory();
	const part = partOf('report', { name: 'Bericht "März".pdf', disposition: 'inline' });
	const { id: _id, ...inside } = part;
	const headers = { messageId: '<red@example.org>', subject: 'red' };
	const recipe = recipeOf('red', [part, { type: 'image/png', size: 70, id: attachmentId('logo') }, part], { headers });
	const whole: MessageLine = { ...messageOf('red', { headers }), codec: 'gzip', attachments: [inside] };
	const old = messageOf('red', { headers });
	const lines = new Map<string, MessageLine>();
	for (const line of [recipe, whole, old]) lines.set(apply(catalog, 'volatile', line).ref.id, line);
	const copies = catalog.pack.copies(idOf('red'));
	expect(copies.map((copy) => copy.bundle)).toEqual([...lines.keys()].reverse());
	for (const copy of copies) {
		expect(catalog.pack.messageLine(idOf('red'), copy)).toStrictEqual(lines.get(copy.bundle));
	}
	apply(catalog, 'volatile', placedAt(`${ANNA}/1`, 'red'));
	const [living] = catalog.pack.liveMessages(copies[0]?.bundle ?? bundleWith('volatile', []).ref.id);
	expect(living).toStrictEqual({ line: old, copy: copies[0] });
});

test('attachmentCopies() gives sealed copies first, newest first, with where they lie', () => {
	const catalog = inMemory();
	const bundles = [
		apply(catalog, 'volatile', attachmentOf('report')),
		apply(catalog, 'sealed', attachmentOf('logo', 70), attachmentOf('report')),
		apply(catalog, 'volatile', { ...attachmentOf('report'), codec: 'gzip' }),
		apply(catalog, 'sealed', attachmentOf('report'), attachmentOf('logo', 70)),
	];
	const [first, second, third, fourth] = bundles.map((bundle) => bundle.ref.id);
	const copies = catalog.pack.attachmentCopies(attachmentId('report'));
	expect(copies.map((copy) => copy.bundle)).toEqual([fourth, second, third, first]);
	expect(copies.map((copy) => [copy.sealed, copy.codec])).toEqual([
		[true, 'none'],
		[true, 'none'],
		[false, 'gzip'],
		[false, 'none'],
	]);
	expect(copies[1]).toEqual({
		bundle: second,
		sealed: true,
		...bundles[1]?.attachmentLocations.get(attachmentId('report')),
		codec: 'none',
		size: ATTACHMENT_SIZE,
	});
	expect(catalog.pack.attachmentCopies(attachmentId('missing'))).toEqual([]);
});

test('isAttachmentSealed() is true only where a sealed bundle has the bytes', () => {
	const catalog = inMemory();
	apply(catalog, 'sealed', recipeOf('red', ['report']), placedAt(`${ANNA}/1`, 'red'));
	apply(catalog, 'volatile', attachmentOf('report'));
	expect(catalog.pack.isAttachmentSealed(attachmentId('report'))).toBe(false);
	apply(catalog, 'sealed', attachmentOf('report'));
	expect(catalog.pack.isAttachmentSealed(attachmentId('report'))).toBe(true);
});

test('a message may come before the attachments that it needs, or after them', () => {
	const message = [recipeOf('red', ['report', 'logo', 'report']), placedAt(`${ANNA}/1`, 'red')] as const;
	const attachments = [attachmentOf('report'), attachmentOf('logo')] as const;
	for (const order of ['before', 'after']) {
		const catalog = inMemory();
		if (order === 'after') apply(catalog, 'sealed', ...attachments);
		apply(catalog, 'sealed', ...message);
		if (order === 'before') apply(catalog, 'sealed', ...attachments);
		const listed = catalog.read.listAttachments({});
		expect(listed.map(({ id, messages, size }) => [id, messages, size]).sort(), order).toEqual(
			['report', 'logo'].map((name) => [attachmentId(name), 1, ATTACHMENT_SIZE]).sort(),
		);
	}
});

test('an attachment that no bundle has yet is neither listed nor counted', () => {
	const catalog = inMemory();
	apply(catalog, 'sealed', recipeOf('red', ['report']), placedAt(`${ANNA}/1`, 'red'));
	expect(catalog.read.listAttachments({})).toEqual([]);
	expect(catalog.read.attachmentBundles({})).toEqual([]);
	expect(catalog.attachmentTotals()).toEqual({ attachments: 0, bytes: 0, sharedBytes: 0 });
});

test('what the bundle says of an attachment’s size is believed over what a message says', () => {
	const wrong = recipeOf('red', [partOf('report', { size: 1 })]);
	for (const lines of [
		[wrong, attachmentOf('report')],
		[attachmentOf('report'), wrong],
	]) {
		const catalog = inMemory();
		for (const line of lines) apply(catalog, 'volatile', line);
		expect(catalog.pack.attachmentCopies(attachmentId('report')).map((copy) => copy.size)).toEqual([ATTACHMENT_SIZE]);
	}
});

test('a volatile bundle is alive by its attachments too, and they count in its bytes but not as words', () => {
	const catalog = inMemory();
	const bundle = apply(
		catalog,
		'volatile',
		recipeOf('red', ['report', 'logo'], { size: 10 }),
		recipeOf('blue', ['logo'], { size: 200 }),
		attachmentOf('report', 3000),
		attachmentOf('logo', 40_000),
		placedAt(`${ANNA}/1`, 'red'),
		placedAt(`${ANNA}/2`, 'blue'),
	);
	const full = { bundle: bundle.ref.id, messages: 2, attachments: 2, bytes: 43_210, words: 2 };
	expect(catalog.pack.liveness()).toEqual([{ ...full, liveMessages: 2, liveAttachments: 2, liveBytes: 43_210, liveWords: 2 }]);
	apply(catalog, 'volatile', removed(`${ANNA}/1`));
	expect(catalog.pack.liveness()[0]).toEqual({ ...full, liveMessages: 1, liveAttachments: 1, liveBytes: 40_200, liveWords: 1 });
	apply(catalog, 'volatile', removed(`${ANNA}/2`));
	expect(catalog.pack.liveness()[0]).toEqual({ ...full, liveMessages: 0, liveAttachments: 0, liveBytes: 0, liveWords: 0 });
});

test('an attachment shared by accounts and tenants is alive as long as one of their messages is placed', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'volatile', recipeOf('red', ['report']), attachmentOf('report'), placedAt(`${ANNA}/1`, 'red'));
	apply(catalog, 'volatile', recipeOf('blue', ['report']), placedAt(`${BEN}/1`, 'blue'), placedAt(`${CLEO}/1`, 'blue'));
	for (const place of [ANNA, BEN]) {
		apply(catalog, 'volatile', removed(`${place}/1`));
		expect(liveNames(catalog, first)).toEqual([attachmentId('report')]);
		expect(() => catalog.drop(first.ref.id)).toThrow('would lose');
	}
	apply(catalog, 'volatile', removed(`${CLEO}/1`));
	expect(liveNames(catalog, first)).toEqual([]);
	catalog.drop(first.ref.id);
	expect(catalog.pack.attachmentCopies(attachmentId('report'))).toEqual([]);
});

test('a volatile attachment is dead once a sealed bundle has it, before it or after it, or a later volatile one', () => {
	const catalog = inMemory();
	const words = [recipeOf('red', ['report', 'logo']), placedAt(`${ANNA}/1`, 'red')];
	const early = apply(catalog, 'volatile', ...words, attachmentOf('report'), attachmentOf('logo', 70));
	const later = apply(catalog, 'volatile', attachmentOf('report'));
	expect(liveNames(catalog, early)).toEqual([attachmentId('logo')]);
	expect(liveNames(catalog, later)).toEqual([attachmentId('report')]);
	apply(catalog, 'sealed', attachmentOf('report'));
	expect(liveNames(catalog, later)).toEqual([]);
	const last = apply(catalog, 'volatile', attachmentOf('report'), attachmentOf('logo', 70));
	expect(liveNames(catalog, last)).toEqual([attachmentId('logo')]);
	expect(liveNames(catalog, early)).toEqual([]);
	expect(catalog.pack.liveness().map((one) => [one.attachments, one.liveAttachments, one.liveBytes])).toEqual([
		[2, 0, 100],
		[1, 0, 0],
		[2, 1, 70],
	]);
});

test('liveAttachments() gives lines and copies in the order in which they lie', () => {
	const catalog = inMemory();
	const bundle = apply(
		catalog,
		'volatile',
		recipeOf('red', ['b', 'a', 'c']),
		{ ...attachmentOf('c', 300), codec: 'gzip' },
		attachmentOf('a', 100),
		attachmentOf('b', 200),
		placedAt(`${ANNA}/1`, 'red'),
	);
	const live = catalog.pack.liveAttachments(bundle.ref.id);
	expect(live.map(({ line }) => line)).toStrictEqual([
		{ ...attachmentOf('c', 300), codec: 'gzip' },
		attachmentOf('a', 100),
		attachmentOf('b', 200),
	]);
	for (const { line, copy } of live) expect([copy]).toStrictEqual(catalog.pack.attachmentCopies(line.id));
});

test('drop() refuses to lose the last copy of an attachment that a placed message in another bundle needs', () => {
	const catalog = inMemory();
	const apart = apply(catalog, 'volatile', attachmentOf('report'));
	const message = apply(catalog, 'sealed', recipeOf('red', ['report']), placedAt(`${ANNA}/1`, 'red'));
	expect(() => catalog.drop(apart.ref.id)).toThrow('would lose 1 attachments');
	expect(catalog.bundles()).toEqual([apart.ref, message.ref]);
	const sealed = apply(catalog, 'sealed', attachmentOf('report'));
	catalog.drop(apart.ref.id);
	expect(catalog.fingerprint()).toBe(fingerprintOf(message, sealed));
});

test('drop() takes an attachment that only the dropped copy of its message needs', () => {
	const catalog = inMemory();
	const both = apply(catalog, 'volatile', recipeOf('red', ['report']), attachmentOf('report'), placedAt(`${ANNA}/1`, 'red'));
	const whole = apply(catalog, 'sealed', messageOf('red'), placedAt(`${ANNA}/1`, 'red'));
	expect(catalog.attachmentTotals().attachments).toBe(1);
	catalog.drop(both.ref.id);
	expect(catalog.pack.copies(idOf('red')).map(({ bundle, recipe }) => [bundle, recipe])).toEqual([[whole.ref.id, null]]);
	expect(catalog.fingerprint()).toBe(fingerprintOf(whole));
	expect(catalog.attachmentTotals()).toEqual({ attachments: 0, bytes: 0, sharedBytes: 0 });
});

test('drop() leaves what a rebuild would make: uses without attachment, attachments without use, and nothing else', () => {
	const catalog = inMemory();
	const message = bundleWith('volatile', [recipeOf('red', ['report', 'logo', 'lost'])]);
	const attachments = bundleWith('volatile', [attachmentOf('report'), attachmentOf('logo'), attachmentOf('idle')]);
	for (const [kept, dropped] of [
		[message, attachments],
		[attachments, message],
	] as const) {
		for (const bundle of [message, attachments]) catalog.apply(bundle, null);
		catalog.drop(dropped.ref.id);
		expect(catalog.fingerprint()).toBe(fingerprintOf(kept));
		catalog.drop(kept.ref.id);
		expect(catalog.fingerprint()).toBe(fingerprintOf());
	}
});

test('fingerprint() tells apart what differs only in attachments', () => {
	const bundle = bundleWith('volatile', [recipeOf('red', ['report', 'logo']), attachmentOf('report'), attachmentOf('logo')]);
	const [message, ...rest] = bundle.lines as [MessageLine, ...ManifestLine[]];
	const elsewhere = new Map([...bundle.attachmentLocations].map(([id, { offset, length }]) => [id, { offset: offset + 1, length }]));
	const variants: BundleToApply[] = [
		bundle,
		{ ...bundle, lines: [message, ...rest.slice(1)] },
		{ ...bundle, lines: [{ ...message, recipe: 51 }, ...rest] },
		{ ...bundle, lines: [{ ...message, attachments: [...message.attachments].reverse() }, ...rest] },
		{ ...bundle, lines: [{ ...message, attachments: message.attachments.slice(1) }, ...rest] },
		{ ...bundle, lines: [message, ...rest.map((line) => ({ ...line, codec: 'gzip' }) as ManifestLine)] },
		{ ...bundle, lines: [message, attachmentOf('report', 9), ...rest.slice(1)] },
		{ ...bundle, attachmentLocations: elsewhere },
	];
	const fingerprints = variants.map((variant) => fingerprintOf(variant));
	expect(new Set(fingerprints).size).toBe(variants.length);
	const backwards = message.attachments.map((part) => Object.fromEntries(Object.entries(part).reverse()) as unknown as PartFacts);
	expect(fingerprintOf({ ...bundle, lines: [{ ...message, attachments: backwards }, ...rest] })).toBe(fingerprints[0]);
});

test('of several forms of a message the same one tells of its files, in whatever order they came and whichever was dropped', () => {
	const old = bundleWith('sealed', [messageOf('red', { headers: { subject: 'Wein' } }), placedAt(`${ANNA}/1`, 'red')]);
	const recipe = bundleWith('volatile', [
		recipeOf('red', [partOf('report', { name: 'one.pdf' }), 'two'], { headers: { subject: 'Wein' } }),
	]);
	const whole = bundleWith('volatile', [
		{ ...messageOf('red', { headers: { subject: 'Wein' } }), attachments: [{ name: 'three.pdf', type: 'application/pdf', size: 9 }] },
	]);
	function filesOf(...bundles: readonly BundleToApply[]) {
		const catalog = inMemory();
		for (const bundle of bundles) catalog.apply(bundle, { policy: DEFAULT_POLICY });
		return { catalog, shown: show(catalog) };
	}
	function show(catalog: Catalog) {
		const found = ['one', 'two', 'three', 'subject:wein'].map((query) => catalog.search(parseSearchQuery(query), 9).length);
		return [catalog.read.listMessages({})[0]?.files ?? 0, ...found];
	}
	expect(filesOf(old).shown).toEqual([0, 0, 0, 0, 1]);
	expect(filesOf(old, recipe).shown).toEqual([2, 1, 1, 0, 1]);
	expect(filesOf(recipe, old).shown).toEqual([2, 1, 1, 0, 1]);
	const { catalog, shown } = filesOf(old, recipe, whole);
	expect(filesOf(whole, recipe, old).shown).toEqual(shown);
	const rest = shown[3] === 1 ? [whole, recipe] : [recipe, whole];
	for (const dropped of rest) {
		catalog.drop(dropped.ref.id);
		const kept = [old, recipe, whole].filter((one) => catalog.bundles().some(({ id }) => id === one.ref.id));
		expect(show(catalog)).toEqual(filesOf(...kept).shown);
		expect(catalog.fingerprint()).toBe(fingerprintOf(...kept));
	}
	expect(show(catalog)).toEqual([0, 0, 0, 0, 1]);
});

test('waiting() counts each attachment once for a tenant, and none that a sealed bundle has', () => {
	const catalog = inMemory();
	const places = [placedAt(`${ANNA}/1`, 'red'), placedAt(`${BEN}/1`, 'blue'), placedAt(`${CLEO}/1`, 'green')];
	apply(
		catalog,
		'volatile',
		recipeOf('red', ['report', 'logo'], { size: 1 }),
		recipeOf('blue', ['report'], { size: 20 }),
		recipeOf('green', ['report'], { size: 300 }),
		attachmentOf('report', 5000),
		attachmentOf('logo', 40_000),
		attachmentOf('unused', 900_000),
		...places,
	);
	const waiting = () => new Map(catalog.pack.waiting(DUE).map(({ tenant, bytes }) => [tenant, bytes]));
	const tenants = [ANNA, CLEO].map((place) => tenantOf(placeOf(`${place}/1`).account));
	expect(waiting()).toEqual(new Map(tenants.map((tenant, index) => [tenant, [45_021, 5300][index]])));
	apply(catalog, 'sealed', attachmentOf('report', 5000));
	expect(waiting()).toEqual(new Map(tenants.map((tenant, index) => [tenant, [40_021, 300][index]])));
	expect(catalog.pack.waiting(DUE - 1)).toEqual([]);
});

test('attachmentTotals() follows every change, and rollback() takes it back', () => {
	const catalog = inMemory();
	const lines = [recipeOf('red', ['report']), recipeOf('blue', ['report', 'logo']), attachmentOf('report'), attachmentOf('logo', 70)];
	apply(catalog, 'volatile', ...lines, placedAt(`${ANNA}/1`, 'red'), placedAt(`${ANNA}/2`, 'red'));
	expect(catalog.attachmentTotals()).toEqual({ attachments: 1, bytes: ATTACHMENT_SIZE, sharedBytes: 0 });
	catalog.commit(STATE);
	catalog.begin();
	apply(catalog, 'volatile', placedAt(`${BEN}/1`, 'blue'));
	const all = { attachments: 2, bytes: ATTACHMENT_SIZE + 70, sharedBytes: ATTACHMENT_SIZE };
	expect(catalog.attachmentTotals()).toEqual(all);
	catalog.rollback();
	expect(catalog.attachmentTotals()).toEqual({ attachments: 1, bytes: ATTACHMENT_SIZE, sharedBytes: 0 });
	expect(catalog.read.attachmentTotals()).toEqual(catalog.attachmentTotals());
});
