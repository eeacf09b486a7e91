import { hash } from 'node:crypto';
import { crc32, deflateRawSync } from 'node:zlib';
import { gzipSync } from 'fflate';
import { buildZip, type EndSpec, type EntrySpec } from './build-zip.ts';

const PLAIN = Buffer.from('From: ann@example.org\nTo: bob@example.org\nSubject: plain\n\nHello Bob.\n');
const LONG = Buffer.from(`From: bob@example.org\nTo: ann@example.org\nSubject: long\n\n${'Hello Ann, how are you?\n'.repeat(20)}`);

function gzip(bytes: Uint8Array): Buffer {
	return Buffer.from(gzipSync(bytes, { level: 6, mtime: 0 }));
}

function idOf(bytes: Uint8Array): string {
	return hash('sha256', bytes, 'hex');
}

function nameOf(bytes: Uint8Array, ending: '.eml' | '.eml.gz' | '.recipe'): string {
	return `messages/${idOf(bytes).slice(0, 2)}/${idOf(bytes)}${ending}`;
}

function attachmentName(bytes: Uint8Array, ending: '' | '.gz'): string {
	return `attachments/${idOf(bytes).slice(0, 2)}/${idOf(bytes)}${ending}`;
}

function messageLine(bytes: Uint8Array, codec: 'none' | 'gzip', size = bytes.length): string {
	return `${JSON.stringify({ type: 'message', id: idOf(bytes), size, codec, attachments: [], headers: {} })}\n`;
}

function attachmentLine(bytes: Uint8Array, codec: 'none' | 'gzip', size = bytes.length): string {
	return `${JSON.stringify({ type: 'attachment', id: idOf(bytes), size, codec })}\n`;
}

const LINES = [messageLine(PLAIN, 'none'), messageLine(LONG, 'gzip'), '{"type":"account-removed","account":"ann@example.org"}\n'];

function manifestEntry(lines: readonly string[] = LINES): EntrySpec {
	return { name: 'manifest.ndjson.gz', data: gzip(Buffer.from(lines.join(''))) };
}

const MARKER: EntrySpec = { name: 'mailseal.json', data: Buffer.from('{"format":1,"kind":"messages"}\n') };
const FIRST: EntrySpec = { name: nameOf(PLAIN, '.eml'), data: PLAIN };
const SECOND: EntrySpec = { name: nameOf(LONG, '.eml.gz'), data: gzip(LONG) };
const LAST = manifestEntry();

/** A sound bundle, to show that the faults below are what is refused. */
export function soundBundle(): Buffer {
	return buildZip([MARKER, FIRST, SECOND, LAST]);
}

const PICTURE = Buffer.from('This stands for a picture of Bob.\n');
const LETTER = Buffer.from('Dear Ann, here is the picture.\n'.repeat(20));
const HEAD = Buffer.from('From: bob@example.org\nTo: ann@example.org\nContent-Type: image/x-text\n\n');
const WITH_PICTURE = Buffer.concat([HEAD, PICTURE]);
const RECIPE = Buffer.concat([
	Buffer.from(
		`${JSON.stringify({
			recipe: 1,
			size: WITH_PICTURE.length,
			pieces: [{ literal: HEAD.length }, { attachment: idOf(PICTURE), size: PICTURE.length }],
		})}\n`,
	),
	HEAD,
]);

/** The line of WITH_PICTURE, as it should be but for `change`; a field that is undefined is left out. */
function recipeLine(change: object = {}): string {
	const { id, size } = { id: idOf(WITH_PICTURE), size: WITH_PICTURE.length };
	const part = { id: idOf(PICTURE), type: 'image/x-text', size: PICTURE.length };
	const line = { type: 'message', id, size, codec: 'none', recipe: RECIPE.length, attachments: [part], headers: {} };
	return `${JSON.stringify({ ...line, ...change })}\n`;
}

const MIXED_LINES = [recipeLine(), attachmentLine(PICTURE, 'none'), attachmentLine(LETTER, 'gzip')];
const MIXED_MARKER: EntrySpec = { name: 'mailseal.json', data: Buffer.from('{"format":1,"kind":"volatile"}\n') };
const RECIPE_ENTRY: EntrySpec = { name: nameOf(WITH_PICTURE, '.recipe'), data: RECIPE };
const PICTURE_ENTRY: EntrySpec = { name: attachmentName(PICTURE, ''), data: PICTURE };
const LETTER_ENTRY: EntrySpec = { name: attachmentName(LETTER, '.gz'), data: gzip(LETTER) };
const MIXED = { marker: MIXED_MARKER, items: [RECIPE_ENTRY, PICTURE_ENTRY, LETTER_ENTRY], lines: MIXED_LINES };

/** A sound bundle with a recipe and two attachments, but for `change`. */
export function mixedBundle(change: Partial<typeof MIXED> = {}): Buffer {
	const { marker, items, lines } = { ...MIXED, ...change };
	return buildZip([marker, ...items, manifestEntry(lines)]);
}

/** A sealed bundle of the two attachments, but for `change`. */
export function attachmentsBundle(change: Partial<typeof MIXED> = {}): Buffer {
	const marker = { ...MIXED_MARKER, data: Buffer.from('{"format":1,"kind":"attachments"}\n') };
	return mixedBundle({ marker, items: MIXED.items.slice(1), lines: MIXED_LINES.slice(1), ...change });
}

function withFirst(change: Partial<EntrySpec>): Buffer {
	return buildZip([MARKER, { ...FIRST, ...change }, SECOND, LAST]);
}

function withSecond(change: Partial<EntrySpec>): Buffer {
	return buildZip([MARKER, FIRST, { ...SECOND, ...change }, LAST]);
}

function withExtra(entry: EntrySpec): Buffer {
	return buildZip([MARKER, FIRST, SECOND, entry, LAST]);
}

function withLines(lines: readonly string[]): Buffer {
	return buildZip([MARKER, FIRST, SECOND, manifestEntry(lines)]);
}

function withManifest(data: Uint8Array): Buffer {
	return buildZip([MARKER, FIRST, SECOND, { ...LAST, data }]);
}

function withMarker(text: string): Buffer {
	return buildZip([{ ...MARKER, data: Buffer.from(text) }, FIRST, SECOND, LAST]);
}

function withEnd(end: EndSpec): Buffer {
	return buildZip([MARKER, FIRST, SECOND, LAST], end);
}

function flipped(bytes: Uint8Array, index: number): Buffer {
	const copy = Buffer.from(bytes);
	copy[index] = (copy[index] ?? 0) ^ 0x10;
	return copy;
}

function claiming(member: Buffer, size: number): Buffer {
	const copy = Buffer.from(member);
	copy.writeUInt32LE(size, copy.length - 4);
	return copy;
}

function descriptor(data: Uint8Array): Buffer {
	const bytes = Buffer.alloc(16);
	bytes.writeUInt32LE(0x08074b50, 0);
	bytes.writeUInt32LE(crc32(data), 4);
	bytes.writeUInt32LE(data.length, 8);
	bytes.writeUInt32LE(data.length, 12);
	return bytes;
}

const MANY_PARTS = new Array(1001).fill({ type: 'image/gif', size: 43 });
const JUNK = Buffer.from('sixteen of junk.');
const UNICODE_PATH = Buffer.concat([Buffer.from([0x75, 0x70, 9, 0, 1]), Buffer.alloc(4), Buffer.from('evil')]);
const EMPTY: Pick<EntrySpec, 'data'> = { data: Buffer.alloc(0) };

/** Damaged bundles by file name: the expected code, a variant where there are several, `.zip`. */
export function damagedBundles(): ReadonlyMap<string, Buffer> {
	const sound = soundBundle();
	const deflated = deflateRawSync(LONG, { level: 0 });
	const bombed = gzip(Buffer.alloc(100_000));
	return new Map<string, Buffer>(
		[
			['truncated.nothing', Buffer.alloc(0)],
			['truncated.last-byte', sound.subarray(0, -1)],
			['truncated.half', sound.subarray(0, sound.length / 2)],
			['truncated.not-a-zip', Buffer.from('From: ann@example.org\n\nThis is a mail and no bundle.\n')],
			['junk-after.bytes', withEnd({ afterFile: JUNK })],
			['junk-after.second-zip', withEnd({ afterFile: Buffer.concat([JUNK, sound.subarray(-22), JUNK]) })],
			['bad-end-record.disk', withEnd({ disk: 1 })],
			['bad-end-record.two-counts', withEnd({ diskEntryCount: 3 })],
			['bad-end-record.no-zip64', withEnd({ directoryOffset: 0xffffffff })],
			['directory-misplaced.junk-before-file', withEnd({ beforeFile: JUNK })],
			['directory-misplaced.wrong-size', withEnd({ directorySize: 100 })],
			['too-many-entries.count', withEnd({ entryCount: 60_000 })],
			['entry-count.too-small', withEnd({ entryCount: 3 })],
			['entry-count.too-large', withEnd({ entryCount: 5 })],
			['bad-directory.signature', withSecond({ centralSignature: 0x02014b51 })],
			['bad-name.absolute', withExtra({ ...EMPTY, name: '/etc/cron.d/evil' })],
			['bad-name.dot-dot', withExtra({ ...EMPTY, name: 'messages/../../evil' })],
			['bad-name.dot', withExtra({ ...EMPTY, name: 'messages/./evil' })],
			['bad-name.nul', withExtra({ ...EMPTY, name: 'mailseal.json\0.exe' })],
			['bad-name.newline', withExtra({ ...EMPTY, name: 'messages\nevil' })],
			['bad-name.backslash', withExtra({ ...EMPTY, name: 'messages\\..\\evil' })],
			['bad-name.drive', withExtra({ ...EMPTY, name: 'C:evil' })],
			['bad-name.empty', withExtra({ ...EMPTY, name: '' })],
			['bad-name.folder', withExtra({ ...EMPTY, name: 'messages/' })],
			['bad-name.not-utf8', withExtra({ ...EMPTY, name: Buffer.from([0x6d, 0xff, 0xfe]) })],
			['encrypted.bit', withFirst({ flags: 0x0801 })],
			['data-descriptor.there', withFirst({ flags: 0x0808, after: descriptor(PLAIN) })],
			['unknown-flags.bit-11-and-13', withFirst({ flags: 0x2800 })],
			['compressed.deflate', withSecond({ data: deflated, method: 8, plainSize: LONG.length, crc: crc32(LONG) })],
			['wrong-size.stored', withFirst({ plainSize: PLAIN.length + 1 })],
			['wrong-size.manifest', withLines([messageLine(PLAIN, 'none', 1), ...LINES.slice(1)])],
			['wrong-size.decoded', withLines([messageLine(PLAIN, 'none'), messageLine(LONG, 'gzip', LONG.length + 1)])],
			['not-a-file.symlink', withFirst({ mode: 0o120777 })],
			['not-a-file.device', withFirst({ mode: 0o060644 })],
			['not-a-file.dos-folder', withFirst({ attributes: 0x10 })],
			['unknown-extra.unicode-path', withFirst({ centralExtra: UNICODE_PATH })],
			['unknown-extra.zip64', withFirst({ centralExtra: Buffer.concat([Buffer.from([1, 0, 24, 0]), Buffer.alloc(24)]) })],
			['entry-comment.there', withFirst({ comment: 'hidden' })],
			['duplicate-name.message', withExtra(FIRST)],
			['duplicate-name.manifest', withExtra(LAST)],
			['duplicate-message.two-codecs', withExtra({ name: nameOf(PLAIN, '.eml.gz'), data: gzip(PLAIN) })],
			['gap.first', withSecond({ before: JUNK })],
			['gap.before-everything', buildZip([{ ...MARKER, before: JUNK }, FIRST, SECOND, LAST])],
			['gap.before-directory', withEnd({ beforeDirectory: JUNK })],
			['overlap.shared-header', withExtra({ name: nameOf(JUNK, '.eml'), data: PLAIN, sharesHeaderOf: 1 })],
			['overlap.next-entry', withFirst({ centralLonger: 5 })],
			['overlap.directory', buildZip([MARKER, FIRST, SECOND, { ...LAST, centralLonger: 5 }])],
			[
				'overlap.order',
				buildZip([MARKER, FIRST, SECOND, LAST].map((entry, index) => (index === 1 ? { ...entry, sharesHeaderOf: 0 } : entry))),
			],
			['local-header.signature', withFirst({ local: { signature: 0x04034b51 } })],
			['local-name.other', withFirst({ local: { name: nameOf(LONG, '.eml') } })],
			['local-size.other', withFirst({ local: { size: PLAIN.length - 1 } })],
			['local-crc.other', withFirst({ local: { crc: 0 } })],
			['local-flags.descriptor', withFirst({ local: { flags: 0x0808 } })],
			['local-method.deflate', withFirst({ local: { method: 8 } })],
			['marker-missing.none', buildZip([FIRST, SECOND, LAST])],
			['marker-not-first.second', buildZip([FIRST, MARKER, SECOND, LAST])],
			['bad-marker.json', withMarker('{"format":1,"kind":"messages"')],
			['bad-marker.kind', withMarker('{"format":1,"kind":"pictures"}\n')],
			['bad-marker.format-zero', withMarker('{"format":0,"kind":"messages"}\n')],
			['bad-marker.field', withMarker('{"format":1,"kind":"messages","more":1}\n')],
			['bad-marker.long', withMarker(`${' '.repeat(2000)}{"format":1,"kind":"messages"}\n`)],
			['format-newer.two', withMarker('{"format":2,"kind":"messages"}\n')],
			['unknown-entry.readme', withExtra({ name: 'README.txt', data: Buffer.from('Hello') })],
			['unknown-entry.wrong-folder', withExtra({ name: `messages/00/${idOf(JUNK)}.eml`, data: JUNK })],
			['manifest-missing.none', buildZip([MARKER, FIRST, SECOND])],
			['manifest-not-last.middle', buildZip([MARKER, FIRST, LAST, SECOND])],
			['manifest-lacks-message.first', withLines(LINES.slice(1))],
			['manifest-repeats.first', withLines([...LINES, messageLine(PLAIN, 'none')])],
			['entry-missing.named', withLines([...LINES, messageLine(JUNK, 'none')])],
			['wrong-codec.gzip', withLines([messageLine(PLAIN, 'gzip'), ...LINES.slice(1)])],
			['bad-manifest.json', withLines([...LINES, '{"type":\n'])],
			['bad-manifest.type', withLines([...LINES, '{"type":"wish","account":"ann@example.org"}\n'])],
			['bad-manifest.prototype', withLines([...LINES, '{"type":"constructor"}\n'])],
			['bad-manifest.field', withLines([...LINES, '{"type":"account-removed","account":"ann@example.org","__proto__":{}}\n'])],
			['bad-manifest.account', withLines([...LINES, '{"type":"account-removed","account":".."}\n'])],
			['bad-manifest.key', withLines([...LINES, '{"type":"removed","account":"a","folder":"INBOX","key":"../../evil"}\n'])],
			['bad-manifest.cut-line', withLines([...LINES, '{"type":"account-removed","account":"bob"}'])],
			['bad-manifest.not-utf8', withManifest(gzip(Buffer.from([0x7b, 0xff, 0x7d, 0x0a])))],
			['bad-gzip.manifest', withManifest(flipped(LAST.data, 20))],
			['bad-gzip.manifest-cut', withManifest(Buffer.concat([LAST.data.subarray(0, -30), LAST.data.subarray(-8)]))],
			['bad-gzip.manifest-two-members', withManifest(Buffer.concat([LAST.data, gzip(JUNK)]))],
			['bad-gzip.manifest-empty', withManifest(Buffer.alloc(0))],
			['bad-gzip.message', withSecond({ data: flipped(SECOND.data, 30) })],
			['bad-gzip.message-trailing-bytes', withSecond({ data: Buffer.concat([SECOND.data, SECOND.data.subarray(-8)]) })],
			['too-large.manifest-claims-2-gib', withManifest(claiming(gzip(Buffer.from(LINES.join(''))), 0x80000000))],
			['bad-gzip.manifest-bomb-that-lies', withManifest(claiming(bombed, 100))],
			['too-large.message', withSecond({ data: bombed })],
			['wrong-crc.headers', withFirst({ crc: 0x12345678 })],
			['wrong-crc.bit-flip', withFirst({ data: flipped(PLAIN, 40), crc: crc32(PLAIN) })],
			['wrong-crc.manifest', buildZip([MARKER, FIRST, SECOND, { ...LAST, crc: 1 }])],
			['wrong-hash.stored', withFirst({ data: flipped(PLAIN, 40) })],
			['wrong-hash.attachment', mixedBundle({ items: [RECIPE_ENTRY, { ...PICTURE_ENTRY, data: flipped(PICTURE, 9) }, LETTER_ENTRY] })],
			[
				'wrong-hash.attachment-compressed',
				mixedBundle({ items: [RECIPE_ENTRY, PICTURE_ENTRY, { ...LETTER_ENTRY, data: gzip(flipped(LETTER, 9)) }] }),
			],
			['wrong-size.attachment', mixedBundle({ lines: [recipeLine(), attachmentLine(PICTURE, 'none', 1), ...MIXED_LINES.slice(2)] })],
			[
				'wrong-size.attachment-decoded',
				mixedBundle({ lines: [...MIXED_LINES.slice(0, 2), attachmentLine(LETTER, 'gzip', LETTER.length + 1)] }),
			],
			['wrong-size.recipe', mixedBundle({ lines: [recipeLine({ recipe: RECIPE.length + 1 }), ...MIXED_LINES.slice(1)] })],
			[
				'wrong-size.recipe-decoded',
				mixedBundle({
					items: [{ name: `${RECIPE_ENTRY.name}.gz`, data: gzip(RECIPE) }, PICTURE_ENTRY, LETTER_ENTRY],
					lines: [recipeLine({ codec: 'gzip', recipe: RECIPE.length + 1 }), ...MIXED_LINES.slice(1)],
				}),
			],
			['wrong-codec.attachment', mixedBundle({ lines: [recipeLine(), attachmentLine(PICTURE, 'gzip'), ...MIXED_LINES.slice(2)] })],
			['wrong-codec.recipe', mixedBundle({ lines: [recipeLine({ codec: 'gzip' }), ...MIXED_LINES.slice(1)] })],
			['wrong-form.recipe-said-whole', mixedBundle({ lines: [messageLine(WITH_PICTURE, 'none'), ...MIXED_LINES.slice(1)] })],
			[
				'wrong-form.whole-said-recipe',
				mixedBundle({ items: [{ name: nameOf(WITH_PICTURE, '.eml'), data: WITH_PICTURE }, PICTURE_ENTRY, LETTER_ENTRY] }),
			],
			['wrong-kind.attachment-among-messages', mixedBundle({ marker: MARKER })],
			[
				'wrong-kind.message-among-attachments',
				attachmentsBundle({ items: [FIRST, PICTURE_ENTRY, LETTER_ENTRY], lines: [messageLine(PLAIN, 'none'), ...MIXED_LINES.slice(1)] }),
			],
			['wrong-kind.attachment-among-messages-unlisted', withExtra(PICTURE_ENTRY)],
			['wrong-kind.message-among-attachments-unlisted', attachmentsBundle({ items: [FIRST, PICTURE_ENTRY, LETTER_ENTRY] })],
			['wrong-kind.word-among-attachments', attachmentsBundle({ lines: [...MIXED_LINES.slice(1), ...LINES.slice(2)] })],
			['wrong-order.message-last', mixedBundle({ items: [PICTURE_ENTRY, LETTER_ENTRY, RECIPE_ENTRY] })],
			['wrong-order.message-between', mixedBundle({ items: [PICTURE_ENTRY, RECIPE_ENTRY, LETTER_ENTRY] })],
			[
				'duplicate-attachment.two-codecs',
				mixedBundle({ items: [...MIXED.items, { name: attachmentName(PICTURE, '.gz'), data: gzip(PICTURE) }] }),
			],
			['duplicate-message.two-forms', mixedBundle({ items: [{ name: nameOf(WITH_PICTURE, '.eml'), data: WITH_PICTURE }, ...MIXED.items] })],
			['duplicate-name.attachment', mixedBundle({ items: [...MIXED.items, PICTURE_ENTRY] })],
			['entry-missing.attachment', mixedBundle({ items: [RECIPE_ENTRY, LETTER_ENTRY] })],
			['manifest-lacks-attachment.first', mixedBundle({ lines: [recipeLine(), ...MIXED_LINES.slice(2)] })],
			['manifest-repeats.attachment', mixedBundle({ lines: [...MIXED_LINES, attachmentLine(PICTURE, 'none')] })],
			[
				'unknown-entry.attachment-with-name',
				mixedBundle({ items: [...MIXED.items, { name: `${PICTURE_ENTRY.name}.png`, data: PICTURE }] }),
			],
			[
				'unknown-entry.attachment-in-wrong-folder',
				mixedBundle({ items: [RECIPE_ENTRY, { name: `attachments/00/${idOf(JUNK)}`, data: JUNK }] }),
			],
			['bad-manifest.recipe-without-part', mixedBundle({ lines: [recipeLine({ attachments: [] }), ...MIXED_LINES.slice(1)] })],
			['bad-manifest.part-without-recipe', mixedBundle({ lines: [recipeLine({ recipe: undefined }), ...MIXED_LINES.slice(1)] })],
			[
				'bad-manifest.part-field',
				mixedBundle({
					lines: [recipeLine({ attachments: [{ id: idOf(PICTURE), type: 'a/b', size: 1, path: '/etc' }] }), ...MIXED_LINES.slice(1)],
				}),
			],
			[
				'bad-manifest.parts',
				mixedBundle({ lines: [...MIXED_LINES, messageLine(PLAIN, 'none').replace('[]', JSON.stringify(MANY_PARTS))] }),
			],
			[
				'bad-gzip.attachment',
				mixedBundle({ items: [RECIPE_ENTRY, PICTURE_ENTRY, { ...LETTER_ENTRY, data: flipped(LETTER_ENTRY.data, 20) }] }),
			],
			['too-large.attachment', mixedBundle({ items: [RECIPE_ENTRY, PICTURE_ENTRY, { ...LETTER_ENTRY, data: bombed }] })],
			['wrong-crc.attachment', mixedBundle({ items: [RECIPE_ENTRY, { ...PICTURE_ENTRY, crc: 1 }, LETTER_ENTRY] })],
			['wrong-crc.recipe', mixedBundle({ items: [{ ...RECIPE_ENTRY, crc: 1 }, PICTURE_ENTRY, LETTER_ENTRY] })],
			['wrong-hash.compressed', withSecond({ data: gzip(flipped(LONG, 40)) })],
		].map(([name, bytes]) => [`${name as string}.zip`, bytes as Buffer]),
	);
}
