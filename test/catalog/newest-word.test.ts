import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BundleBuilder, type Item, openBuilder } from '../../src/archive/bundle-builder.ts';
import { type BundleToApply, type Catalog, openCatalog } from '../../src/catalog/index.ts';
import {
	type AccountName,
	type BundleId,
	type BundleKind,
	type ControlWord,
	DEFAULT_POLICY,
	type FolderName,
	formatInstant,
	type ManifestLine,
	type MessageId,
	type MessageLine,
	type PlacedWord,
	parseAccountName,
	parseFolderName,
	parseSearchQuery,
	parseSnapshotName,
	tenantOf,
	type Word,
} from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { idOf, messageOf } from '../support/words.ts';
import { attachmentId, attachmentOf, bundleWith, partOf, recipeOf } from './attachment-lines.ts';

const ACCOUNTS = ['anna@example.org', 'ben@Example.org', 'cleo@example.net'].map(parseAccountName);
const FOLDERS = ['INBOX', 'Archive/2026'].map(parseFolderName);
const NOON = '2026-06-01T12:00:00.000Z';

const account = fc.constantFrom(...ACCOUNTS);
const folder = fc.constantFrom(...FOLDERS);
const key = fc.constantFrom('1.a', '2.b', '3.c');

const place = fc.record({
	type: fc.constant('place' as const),
	account,
	folder,
	key,
	message: fc.constantFrom('red', 'green', 'blue', 'black'),
	form: fc.constantFrom('recipe' as const, 'whole' as const, 'old' as const),
	flagged: fc.boolean(),
	uid: fc.nat(9),
	changed: fc.boolean(),
});
const removal = fc.record({ type: fc.constant('remove' as const), account, folder, key });
const folderRemoval = fc.record({ type: fc.constant('remove-folder' as const), account, folder });
const accountRemoval = fc.record({ type: fc.constant('remove-account' as const), account });
const control = fc.record({
	type: fc.constant('control' as const),
	account,
	folder: fc.oneof(folder, fc.constant(null)),
	path: fc.constantFrom('subscriptions', 'sieve/main.sieve'),
	content: fc.constantFrom('YQ==', 'Yg=='),
	gone: fc.boolean(),
});
const happening = fc.oneof(
	{ weight: 8, arbitrary: place },
	{ weight: 3, arbitrary: removal },
	{ weight: 1, arbitrary: folderRemoval },
	{ weight: 1, arbitrary: accountRemoval },
	{ weight: 2, arbitrary: control },
);
/** How a message is stored when it is read: taken apart, whole, or whole by a program that knew of no parts. */
type Form = 'recipe' | 'whole' | 'old';
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

const night = fc.record({
	/** The account whose tenant's mail is sealed first. */
	seal: fc.option(account, { freq: 3 }),
	/** Volatile bundles that tonight's takes over, as bits. */
	fold: fc.nat(15),
	happenings: fc.array(happening, { maxLength: 6 }),
});

/** What the words said so far come to, with nothing but maps. */
interface Model {
	readonly accounts: Map<AccountName, Word>;
	readonly folders: Map<string, Word>;
	readonly controls: Map<string, ControlWord>;
	readonly placements: Map<string, { word: PlacedWord; message: string; sealed: boolean }>;
}

function nameOf(...parts: readonly string[]): string {
	return parts.join('\n');
}

/** Plays one happening on the model and gives the words that a pack would say of it. */
function happen(model: Model, one: Happening): Word[] {
	switch (one.type) {
		case 'place': {
			const words = ensureFolder(model, one.account, one.folder);
			const word: PlacedWord = {
				type: 'placed',
				account: one.account,
				folder: one.folder,
				key: one.key,
				message: idOf(one.message),
				flags: one.flagged ? ['flagged', 'seen'] : ['seen'],
				keywords: [],
				date: NOON,
				...(one.uid === 0 ? {} : { uid: one.uid }),
				...(one.changed ? { since: formatInstant(Date.parse(NOON) + one.uid) } : {}),
			};
			model.placements.set(nameOf(one.account, one.folder, one.key), { word, message: one.message, sealed: false });
			return [...words, word];
		}
		case 'remove':
			model.placements.delete(nameOf(one.account, one.folder, one.key));
			return [{ type: 'removed', account: one.account, folder: one.folder, key: one.key }];
		case 'remove-folder':
			return removeFolder(model, one.account, one.folder);
		case 'remove-account': {
			const words = FOLDERS.flatMap((name) => removeFolder(model, one.account, name));
			words.push(...removeControls(model, one.account, null));
			model.accounts.delete(one.account);
			return [...words, { type: 'account-removed', account: one.account }];
		}
		case 'control': {
			const where = one.folder === null ? { account: one.account } : { account: one.account, folder: one.folder };
			const name = nameOf(one.account, one.folder ?? '', one.path);
			if (one.gone) {
				model.controls.delete(name);
				return [{ type: 'control-removed', ...where, path: one.path }];
			}
			const words = one.folder === null ? ensureAccount(model, one.account) : ensureFolder(model, one.account, one.folder);
			const word: ControlWord = { type: 'control', ...where, path: one.path, content: one.content, date: NOON };
			model.controls.set(name, word);
			return [...words, word];
		}
	}
}

function ensureAccount(model: Model, name: AccountName): Word[] {
	if (model.accounts.has(name)) return [];
	const word: Word = { type: 'account', account: name, source: 'maildir:/mail', layout: 'maildir++' };
	model.accounts.set(name, word);
	return [word];
}

function ensureFolder(model: Model, owner: AccountName, name: FolderName): Word[] {
	const words = ensureAccount(model, owner);
	if (model.folders.has(nameOf(owner, name))) return words;
	const word: Word = { type: 'folder', account: owner, folder: name, dir: name === 'INBOX' ? '' : '.Archive.2026', uidValidity: 7 };
	model.folders.set(nameOf(owner, name), word);
	return [...words, word];
}

function removeFolder(model: Model, owner: AccountName, name: FolderName): Word[] {
	const words: Word[] = [];
	for (const [id, { word }] of model.placements) {
		if (word.account !== owner || word.folder !== name) continue;
		words.push({ type: 'removed', account: owner, folder: name, key: word.key });
		model.placements.delete(id);
	}
	words.push(...removeControls(model, owner, name));
	model.folders.delete(nameOf(owner, name));
	return [...words, { type: 'folder-removed', account: owner, folder: name }];
}

function removeControls(model: Model, owner: AccountName, name: FolderName | null): Word[] {
	const words: Word[] = [];
	for (const [id, word] of model.controls) {
		if (word.account !== owner || (word.folder ?? null) !== name) continue;
		words.push({ type: 'control-removed', account: owner, ...(name === null ? {} : { folder: name }), path: word.path });
		model.controls.delete(id);
	}
	return words;
}

/** A catalog with its bundles as a snapshot would list them. */
interface Store {
	readonly catalog: Catalog;
	listed: BundleToApply[];
}

function write(store: Store, kind: BundleKind, lines: readonly ManifestLine[]): BundleId | null {
	if (lines.length === 0) return null;
	const bundle = bundleWith(kind, lines);
	store.catalog.apply(bundle, { policy: DEFAULT_POLICY });
	store.listed = [...store.listed.filter((one) => one.ref.id !== bundle.ref.id), bundle];
	return bundle.ref.id;
}

/** Seals all volatile mail of one tenant. */
function seal(store: Store, model: Model, owner: AccountName): void {
	const tenant = tenantOf(owner);
	const builder = openBuilder();
	const apart = openBuilder();
	for (const one of model.placements.values()) {
		if (one.sealed || tenantOf(one.word.account) !== tenant) continue;
		const { pack } = store.catalog;
		if (!pack.isSealedFor(one.word.message, tenant)) {
			const copy = pack.copies(one.word.message).find(({ attachments }) => hasAll(store.catalog, attachments));
			if (copy === undefined) throw new Error(`no whole copy of ${one.message}`);
			add(builder, pack.messageLine(one.word.message, copy));
		}
		// The message may be sealed for another tenant already, or be about to be: its attachments belong to all.
		for (const content of CONTENTS[one.message] ?? []) {
			const id = attachmentId(content);
			if (pack.attachmentCopies(id).length > 0 && !pack.isAttachmentSealed(id)) add(apart, attachmentOf(content));
		}
		const { since: _since, ...word } = one.word;
		one.word = word;
		one.sealed = true;
		builder.addWord(word);
	}
	write(store, 'sealed', apart.take().lines);
	write(store, 'sealed', builder.take().lines);
}

const SIZES: Readonly<Record<string, number>> = { red: 100, green: 2000, blue: 30_000, black: 400_000 };

/** What the messages have attached, in order. */
const CONTENTS: Readonly<Record<string, readonly string[]>> = {
	red: [],
	green: ['pdf'],
	blue: ['logo', 'pdf', 'logo'],
	black: ['zip', 'logo'],
};

function lineOf(message: string, form: Form): MessageLine {
	const facts = { size: SIZES[message] ?? 1, headers: { subject: message, messageId: `<${message}@example.org>` } };
	const contents = CONTENTS[message] ?? [];
	if (form === 'old' || contents.length === 0) return messageOf(message, facts);
	if (form === 'recipe') return recipeOf(message, contents, facts);
	const parts = contents.map((content) => {
		const { id: _id, ...part } = partOf(content);
		return part;
	});
	return { ...messageOf(message, facts), attachments: parts };
}

function add(builder: BundleBuilder, line: Item['line']): void {
	builder.add({ line, stored: new Uint8Array() });
}

/** True where each attachment of these parts can be read from a bundle that stays. */
function hasAll(catalog: Catalog, parts: MessageLine['attachments'], folded: ReadonlySet<BundleId> = new Set()): boolean {
	return parts.every(({ id }) => id === undefined || catalog.pack.attachmentCopies(id).some(({ bundle }) => !folded.has(bundle)));
}

function writeNight(store: Store, model: Model, { fold, happenings }: { fold: number; happenings: readonly Happening[] }): void {
	const { catalog } = store;
	const volatile = store.listed.filter((one) => one.ref.kind === 'volatile').map((one) => one.ref.id);
	const folded = new Set(volatile.filter((_, index) => (fold & (1 << index)) !== 0));
	const builder = openBuilder();
	for (const id of folded) {
		for (const { line } of catalog.pack.liveMessages(id)) add(builder, line);
		for (const { line } of catalog.pack.liveAttachments(id)) add(builder, line);
		for (const word of catalog.pack.liveWords(id, folded)) builder.addWord(word);
	}
	for (const one of happenings) {
		for (const word of happen(model, one)) builder.addWord(word);
		if (one.type !== 'place') continue;
		const isKept = catalog.pack
			.copies(idOf(one.message))
			.some((copy) => !folded.has(copy.bundle) && hasAll(catalog, copy.attachments, folded));
		if (isKept) continue;
		const line = lineOf(one.message, one.form);
		add(builder, line);
		for (const content of line.recipe === undefined ? [] : (CONTENTS[one.message] ?? [])) {
			if (!hasAll(catalog, [partOf(content)], folded)) add(builder, attachmentOf(content));
		}
	}
	const written = write(store, 'volatile', builder.take().lines);
	for (const id of folded) {
		if (id === written) continue;
		catalog.drop(id);
		store.listed = store.listed.filter((one) => one.ref.id !== id);
	}
}

/** Everything that the catalog says, as sorted words. */
function wordsOf(catalog: Catalog): string[] {
	const words: Word[] = [];
	for (const row of catalog.read.listAccounts({})) {
		const contents = catalog.read.contents(row.account);
		if (contents === null) continue;
		words.push(contents.account, ...contents.folders, ...contents.controls, ...contents.placements.map(({ word }) => word));
	}
	return words.map(sorted).sort();
}

function wordsOfModel(model: Model): string[] {
	const words = [...model.accounts.values(), ...model.folders.values(), ...model.controls.values()];
	return [...words, ...[...model.placements.values()].map(({ word }) => word)].map(sorted).sort();
}

function sorted(word: Word): string {
	return JSON.stringify(Object.entries(word).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function rebuilt(store: Store): Catalog {
	const catalog = openCatalog({ kind: 'memory' });
	catalog.begin();
	for (const bundle of store.listed) catalog.apply(bundle, null);
	catalog.tidy();
	commit(catalog);
	return catalog;
}

function commit(catalog: Catalog): void {
	catalog.commit({ name: parseSnapshotName('20261123T021500Z-0a1b2c3d'), sha256: '', time: NOON });
}

/** What searches and lists tell of files. */
function shownOf(catalog: Catalog) {
	return {
		withFiles: catalog.search(parseSearchQuery('has:attachment'), 100),
		named: ['logo', 'pdf', 'zip'].map((name) => catalog.search(parseSearchQuery(`filename:${name}`), 100).map(({ id }) => id)),
		attachments: catalog.read.listAttachments({}),
		bundles: catalog.read.attachmentBundles({}),
		totals: catalog.attachmentTotals(),
	};
}

/** From the lines of the listed bundles, with nothing but maps. */
function recountAttachments(store: Store, model: Model) {
	const placed = new Set([...model.placements.values()].map(({ word }) => word.message));
	const lines = store.listed.flatMap((bundle) => bundle.lines);
	const users = new Map<string, Set<MessageId>>();
	for (const line of lines) if (line.type === 'attachment') users.set(line.id, new Set());
	for (const line of lines) {
		if (line.type !== 'message' || !placed.has(line.id)) continue;
		for (const { id } of line.attachments) if (id !== undefined) users.get(id)?.add(line.id);
	}
	const uses = [...users.values()].map((messages) => messages.size).filter((count) => count > 0);
	const size = attachmentOf('logo').size;
	return {
		attachments: uses.length,
		bytes: uses.length * size,
		sharedBytes: uses.reduce((bytes, count) => bytes + (count - 1) * size, 0),
	};
}

function recount(model: Model) {
	const placements = [...model.placements.values()];
	return { messages: placements.length, bytes: placements.reduce((total, { message }) => total + (SIZES[message] ?? 0), 0) };
}

test('after any nights of words, seals and folds the newest word has won, in the catalog that followed and in one built anew', {
	timeout: 900_000,
}, () => {
	fc.assert(
		fc.property(fc.array(night, { minLength: 1, maxLength: 8 }), (nights) => {
			const store: Store = { catalog: openCatalog({ kind: 'memory' }), listed: [] };
			const model: Model = { accounts: new Map(), folders: new Map(), controls: new Map(), placements: new Map() };
			for (const one of nights) {
				store.catalog.begin();
				if (one.seal !== null) seal(store, model, one.seal);
				writeNight(store, model, one);
				commit(store.catalog);
				const expected = wordsOfModel(model);
				expect(wordsOf(store.catalog)).toEqual(expected);
				expect(store.catalog.totals()).toEqual(recount(model));
				expect(store.catalog.bundles()).toEqual(store.listed.map(({ ref }) => ref));
				const fresh = rebuilt(store);
				expect(wordsOf(fresh)).toEqual(expected);
				expect(fresh.totals()).toEqual(recount(model));
				expect(fresh.fingerprint()).toBe(store.catalog.fingerprint());
				for (const id of new Set([...model.placements.values()].map(({ word }) => word.message))) {
					const readable = store.catalog.pack.copies(id).filter(({ attachments }) => hasAll(store.catalog, attachments));
					expect(readable, 'a placed message has a copy with all its attachments').not.toEqual([]);
				}
				expect(shownOf(fresh)).toEqual(shownOf(store.catalog));
				expect(store.catalog.attachmentTotals()).toEqual(recountAttachments(store, model));
				fresh.close();
			}
			store.catalog.close();
		}),
		propertyRuns(80),
	);
});

test('a fold of everything leaves one volatile bundle that is wholly alive', { timeout: 300_000 }, () => {
	fc.assert(
		fc.property(fc.array(night, { minLength: 1, maxLength: 6 }), fc.constantFrom<Form>('recipe', 'whole', 'old'), (nights, form) => {
			const store: Store = { catalog: openCatalog({ kind: 'memory' }), listed: [] };
			const model: Model = { accounts: new Map(), folders: new Map(), controls: new Map(), placements: new Map() };
			store.catalog.begin();
			for (const one of nights) {
				if (one.seal !== null) seal(store, model, one.seal);
				// A copy of another form, dead but not yet gone, may keep an attachment that no living copy needs.
				writeNight(store, model, { ...one, happenings: one.happenings.map((each) => ({ ...each, form })) });
			}
			writeNight(store, model, { fold: -1, happenings: [] });
			const liveness = store.catalog.pack.liveness();
			expect(liveness.length).toBeLessThan(2);
			for (const one of liveness) {
				const { messages, attachments, bytes, words } = one;
				expect(one).toMatchObject({ liveMessages: messages, liveAttachments: attachments, liveBytes: bytes, liveWords: words });
			}
			expect(wordsOf(store.catalog)).toEqual(wordsOfModel(model));
			store.catalog.close();
		}),
		propertyRuns(60),
	);
});
