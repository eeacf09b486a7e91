import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Incoming } from '../../src/archive/arrive.ts';
import type { BundleContents } from '../../src/archive/bundle-builder.ts';
import type { BundleWriter } from '../../src/archive/bundle-writer.ts';
import { byPlace, type QuietMail } from '../../src/archive/divide.ts';
import { DEFAULT_BUNDLES, type Workers } from '../../src/archive/index.ts';
import type { ScannedAccount, ScannedFolder } from '../../src/archive/scan.ts';
import { sealTenant } from '../../src/archive/seal.ts';
import { openAttachmentSealer } from '../../src/archive/seal-attachments.ts';
import type { Ingested } from '../../src/archive/tasks.ts';
import { openCatalog } from '../../src/catalog/index.ts';
import { type BundleRef, DEFAULT_POLICY, type MessageId, type PlacedWord, parseAttachmentId, tenantOf } from '../../src/domain/index.ts';
import { openMaildirSource } from '../../src/sources/index.ts';
import { archiveAt, never, temporaryFolder } from '../support/archive.ts';
import { DAY, DAY_ZERO } from '../support/mail-store.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { bundleOf, idOf, placeOf } from '../support/words.ts';

/** What the zip takes for each message beside its bytes: headers before it and in the directory, and twice its name. */
const OVERHEAD = 30 + 46 + 2 * `messages/ab/${'0'.repeat(64)}.eml`.length;

const ATTACHMENT_OVERHEAD = 30 + 46 + 2 * `attachments/ab/${'0'.repeat(64)}`.length;

interface QuietMessage {
	/** `account/folder/key`. */
	readonly place: string;
	/** Stored bytes, with what the zip adds. */
	readonly size: number;
	readonly at?: number;
	/** Made from the place where left out. */
	readonly content?: string;
	/** Its attachments: a name, which stands for the content, and stored bytes with what the zip adds. */
	readonly files?: readonly { readonly name: string; readonly size: number }[];
	/** Gone, or unreadable, when it is read. */
	readonly unreadable?: boolean;
}

interface Sealed {
	/** The content of each sealed bundle, in order. */
	readonly bundles: BundleContents[];
	/** The content of each sealed bundle of attachments, in order. */
	readonly apart: BundleContents[];
	/** Keys of what stays volatile. */
	readonly volatile: string[];
	readonly absent: string[];
}

/** Seals quiet mail of one tenant with nothing but values: no file is read or written. */
async function sealMail(
	mail: readonly QuietMessage[],
	settings: { target: number; max: number; lingered?: boolean; now?: number; judge?: (word: PlacedWord) => PlacedWord },
): Promise<Sealed> {
	const catalog = openCatalog({ kind: 'memory' });
	catalog.begin();
	const source = openMaildirSource('maildir:/mail/{account}');
	const byPath = new Map(mail.map((one) => [one.place, one]));
	const workers: Workers = {
		width: 2,
		run: (async (task: { paths: readonly string[] }) => ({
			type: 'ingest',
			items: task.paths.map((path) => ingested(byPath.get(path) ?? { place: path, size: 0 })),
		})) as unknown as Workers['run'],
		close: async () => {},
	};
	const bundles: BundleContents[] = [];
	const written: BundleRef[] = [];
	const writer: BundleWriter = {
		written,
		async settle() {},
		async close() {},
		async write(kind, contents) {
			expect(kind).toBe('sealed');
			const bundle = bundleOf(kind, contents.lines);
			catalog.apply(bundle, { policy: DEFAULT_POLICY });
			bundles.push(contents);
			written.push(bundle.ref);
			return bundle.ref;
		},
	};
	const volatile: string[] = [];
	const absent: string[] = [];
	const [first] = mail;
	const quiet: QuietMail = {
		tenant: tenantOf(placeOf(first?.place ?? 'x@y/INBOX/1').account),
		waiting: [],
		incoming: mail.map((one) => incomingOf(one, source)).sort(byPlace),
		lingered: settings.lingered ?? false,
	};
	const shape = { ...DEFAULT_BUNDLES, target: settings.target, max: settings.max };
	const attachments = openAttachmentSealer({ catalog, writer, bundles: shape, onNew() {} });
	await sealTenant(quiet, {
		archive: archiveAt(temporaryFolder()),
		catalog,
		writer,
		attachments,
		bundles: shape,
		policy: DEFAULT_POLICY,
		now: settings.now ?? DAY_ZERO + 40 * DAY,
		findings: [],
		ingest: { workers, compress: false, attachmentMin: 1, signal: never, findings: [], ownCopy: (large) => large, onRead() {} },
		onVolatile: (incoming) => volatile.push(incoming.placement.listed.key),
		onSealed() {},
		onAbsent: ({ incoming }) => absent.push(incoming.placement.listed.key),
		judge: ({ word }) => (settings.judge === undefined ? word : settings.judge(word)),
	});
	await attachments.flush();
	catalog.close();
	const apart = bundles.filter((bundle) => bundle.attachments.length > 0);
	return { bundles: bundles.filter((bundle) => bundle.attachments.length === 0), apart, volatile, absent };
}

function ingested({ place, size, at, content, files, unreadable }: QuietMessage): Ingested {
	if (unreadable) return { kind: 'unreadable', why: 'permission', text: 'no' };
	const stored = new Uint8Array(size - OVERHEAD);
	const id = idOf(content ?? place);
	const attachments = (files ?? []).map((file) => {
		const bytes = new Uint8Array(file.size - ATTACHMENT_OVERHEAD);
		const line = { type: 'attachment', id: parseAttachmentId(idOf(file.name)), size: bytes.length, codec: 'none' } as const;
		return { line, stored: bytes };
	});
	return {
		kind: 'message',
		message: {
			id,
			size: stored.length,
			codec: 'none',
			...(attachments.length === 0 ? {} : { recipe: stored.length }),
			stored,
			parts: attachments.map(({ line }) => ({ id: line.id, type: 'application/pdf', size: line.size })),
			attachments,
			problem: null,
			headers: {},
			date: at ?? DAY_ZERO,
			mode: 0o600,
			owner: [0, 0],
		},
	};
}

function incomingOf({ place, at = DAY_ZERO, size }: QuietMessage, source: ReturnType<typeof openMaildirSource>): Incoming {
	const { account, folder, key } = placeOf(place);
	const scannedFolder: ScannedFolder = {
		account,
		folder,
		look: { folder, dir: '', signature: '' },
		facts: { dir: '', owner: [0, 0] },
		added: [],
		signature: '',
	};
	const scanned: ScannedAccount = {
		account,
		tenant: tenantOf(account),
		source,
		root: { account, root: '/mail' },
		folders: [scannedFolder],
		words: [],
		signature: '',
		isNew: true,
	};
	const listed = { key, flags: ['seen'] as const, keywords: [], path: place };
	return { account: scanned, folder: scannedFolder, placement: { listed, date: at, size, known: null } };
}

function sizeOf({ messages }: BundleContents): number {
	return messages.reduce((total, { stored }) => total + stored.length + OVERHEAD, 0);
}

function placesIn({ lines }: BundleContents): string[] {
	return lines.flatMap((line) => (line.type === 'placed' ? [`${line.account}/${line.folder}/${line.key}`] : []));
}

test('whatever the sizes: bundles are as full as they should be, never above the maximum, and hold each message once, in order', async () => {
	const message = fc.record({
		account: fc.constantFrom('anna@example.org', 'ben@example.org', 'cleo@example.org'),
		folder: fc.constantFrom('Archive', 'INBOX'),
		size: fc.oneof(
			{ weight: 9, arbitrary: fc.integer({ min: 250, max: 900 }) },
			{ weight: 1, arbitrary: fc.integer({ min: 900, max: 6000 }) },
		),
		day: fc.nat(5),
		content: fc.option(fc.nat(20), { freq: 3 }),
	});
	const target = 2000;
	const max = 3000;
	await fc.assert(
		fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 40 }), async (messages) => {
			const sizes = new Map<number, number>();
			const mail = messages.map(({ account, folder, size, day, content }, index): QuietMessage => {
				if (content !== null && !sizes.has(content)) sizes.set(content, size);
				return {
					place: `${account}/${folder}/${index}`,
					size: content === null ? size : (sizes.get(content) ?? size),
					at: DAY_ZERO + day * DAY,
					...(content === null ? {} : { content: `content ${content}` }),
				};
			});
			const { bundles, volatile } = await sealMail(mail, { target, max });
			const sealed = bundles.flatMap(placesIn);
			expect([...sealed.map((place) => place.split('/').at(-1)), ...volatile].sort()).toEqual(mail.map((_, index) => `${index}`).sort());
			for (const [index, bundle] of bundles.entries()) {
				const size = sizeOf(bundle);
				expect(bundle.messages.length === 1 || size <= max, `${size} bytes`).toBe(true);
				const next = bundles[index + 1]?.messages[0]?.stored.length ?? 0;
				expect(size >= target / 2 || size + next + OVERHEAD > max, `${size} bytes, the next message has ${next}`).toBe(true);
			}
			const ids = bundles.flatMap((bundle) => bundle.messages.map(({ id }) => id));
			expect(new Set(ids).size, 'no message is sealed twice for one tenant').toBe(ids.length);
			const order = bundles.flatMap(({ lines }) => lines.filter((line) => line.type === 'message').map(({ id }) => id));
			expect(order).toEqual(inOrder(mail).filter((id) => ids.includes(id)));
			const rest = volatile.reduce((total, key) => total + (mail[Number(key)]?.size ?? 0), 0);
			if (mail.every(({ content }) => content === undefined)) expect(rest).toBeLessThan(target / 2);
		}),
		propertyRuns(100),
	);
});

/** Ids as they first stand by account, folder, date and key. */
function inOrder(mail: readonly QuietMessage[]): MessageId[] {
	const sorted = [...mail].sort((a, b) => {
		const [first, second] = [placeOf(a.place), placeOf(b.place)];
		const byName = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);
		return (
			byName(first.account, second.account) ||
			byName(first.folder, second.folder) ||
			(a.at ?? 0) - (b.at ?? 0) ||
			byName(first.key, second.key)
		);
	});
	return [...new Set(sorted.map(({ place, content }) => idOf(content ?? place)))];
}

function many(account: string, count: number, size: number): QuietMessage[] {
	return Array.from({ length: count }, (_, index) => ({ place: `${account}/INBOX/${String(index).padStart(5, '0')}`, size }));
}

test('a bundle is cut between two accounts where the next one would not fit into its target', async () => {
	const mail = [...many('anna@example.org', 6, 1000), ...many('ben@example.org', 6, 1000)];
	const { bundles } = await sealMail([...mail.slice(0, 6), { place: 'ben@example.org/INBOX/0', size: 5000 }, ...mail.slice(7)], {
		target: 10_000,
		max: 15_000,
	});
	expect(bundles.map((bundle) => [...new Set(placesIn(bundle).map((place) => place.split('/')[0]))])).toEqual([
		['anna@example.org'],
		['ben@example.org'],
	]);
});

test('a small mailbox shares its bundle with the next one', async () => {
	const { bundles } = await sealMail([...many('anna@example.org', 2, 1000), ...many('ben@example.org', 8, 1000)], {
		target: 10_000,
		max: 15_000,
	});
	expect(bundles.map((bundle) => bundle.messages.length)).toEqual([10]);
});

test('a bundle holds 7,998 messages at most, however small', { timeout: 120_000 }, async () => {
	const { bundles, volatile } = await sealMail(many('anna@example.org', 8100, OVERHEAD), { target: 1e9, max: 2e9, lingered: true });
	expect(bundles.map((bundle) => bundle.messages.length)).toEqual([7998, 102]);
	expect(volatile).toEqual([]);
});

test('a message above the maximum is a bundle of its own', async () => {
	const [one, two] = many('anna@example.org', 2, 1000);
	const big = { place: 'anna@example.org/INBOX/00000b', size: 50_000 };
	const { bundles } = await sealMail(
		[one, big, two].filter((mail) => mail !== undefined),
		{ target: 4000, max: 6000, lingered: true },
	);
	expect(bundles.map((bundle) => bundle.messages.length)).toEqual([1, 1, 1]);
});

test('quiet mail that does not fill half a bundle waits, and all of it is sealed once some of it has lingered', async () => {
	const mail: QuietMessage[] = [
		{ place: 'anna@example.org/INBOX/1', size: 300 },
		{ place: 'anna@example.org/INBOX/2', size: 300, at: DAY_ZERO + DAY },
	];
	const settings = { target: 10_000, max: 15_000 };
	const before = await sealMail(mail, settings);
	expect([before.bundles.length, before.volatile]).toEqual([0, ['1', '2']]);
	const after = await sealMail(mail, { ...settings, lingered: true });
	expect([after.bundles.map((bundle) => bundle.messages.length), after.volatile]).toEqual([[2], []]);
});

test('a rest of half a bundle is sealed at once, a smaller one waits', async () => {
	const settings = { target: 10_000, max: 15_000 };
	const five = await sealMail(many('anna@example.org', 15, 1000), settings);
	expect([five.bundles.map((bundle) => bundle.messages.length), five.volatile.length]).toEqual([[10, 5], 0]);
	const four = await sealMail(many('anna@example.org', 14, 1000), settings);
	expect([four.bundles.map((bundle) => bundle.messages.length), four.volatile.length]).toEqual([[10], 4]);
});

test('what turns out not to be quiet once it is read stays volatile, and what cannot be read is absent', async () => {
	const mail = many('anna@example.org', 4, 5000);
	const moved = idOf(mail[1]?.place ?? '');
	const { bundles, volatile, absent } = await sealMail(
		mail.map((one, index) => (index === 2 ? { ...one, unreadable: true } : one)),
		{
			target: 10_000,
			max: 15_000,
			judge: (word) => (word.message === moved ? { ...word, since: '2026-02-09T00:00:00.000Z' } : word),
		},
	);
	expect(bundles.flatMap(placesIn).map((place) => place.split('/').at(-1))).toEqual(['00000', '00003']);
	expect([volatile, absent]).toEqual([['00001'], ['00002']]);
});

test('a sealed bundle says nothing of when a pack saw what', async () => {
	const { bundles } = await sealMail(many('anna@example.org', 1, 9000), {
		target: 10_000,
		max: 15_000,
		judge: (word) => ({ ...word, since: '2026-01-05T00:00:00.000Z' }),
	});
	expect(bundles.flatMap(({ lines }) => lines.filter((line) => 'since' in line))).toEqual([]);
	expect(bundles).toHaveLength(1);
});

function namesApart(apart: readonly BundleContents[]): string[][] {
	return apart.map(({ attachments }) => attachments.map(({ id }) => id));
}

function withFile(place: string, name: string, size: number): QuietMessage {
	return { place, size: 600, files: [{ name, size }] };
}

test('an attachment is sealed once, beside the messages that need it, in the order of first use', async () => {
	const mail = [
		withFile('anna@example.org/INBOX/1', 'plan', 3000),
		withFile('anna@example.org/INBOX/2', 'report', 3000),
		withFile('ben@example.org/INBOX/1', 'plan', 3000),
	];
	const { bundles, apart, volatile } = await sealMail(mail, { target: 10_000, max: 15_000 });
	expect(namesApart(apart)).toEqual([[idOf('plan'), idOf('report')]]);
	expect(apart.flatMap(({ lines }) => lines.filter((line) => line.type !== 'attachment'))).toEqual([]);
	expect([bundles.map((bundle) => bundle.messages.length), volatile]).toEqual([[3], []]);
});

test('attachments count when it is asked whether quiet mail fills half a bundle, but those that wait are not sealed', async () => {
	const settings = { target: 10_000, max: 15_000 };
	const enough = await sealMail([withFile('anna@example.org/INBOX/1', 'plan', 4500)], settings);
	expect([enough.bundles.length, enough.apart.length, enough.volatile]).toEqual([1, 1, []]);
	const little = await sealMail([withFile('anna@example.org/INBOX/1', 'plan', 4000)], settings);
	expect([little.bundles.length, little.apart.length, little.volatile]).toEqual([0, 0, ['1']]);
});

test('bundles of attachments are cut at their target, and one above the maximum is alone', async () => {
	const mail = Array.from({ length: 9 }, (_, index) =>
		withFile(`anna@example.org/INBOX/${index}`, `file ${index}`, index === 4 ? 40_000 : 3000),
	);
	const { apart } = await sealMail(mail, { target: 6000, max: 9000 });
	expect(apart.map(({ attachments }) => attachments.length)).toEqual([2, 2, 1, 2, 2]);
});
