import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Incoming } from '../../../src/archive/arrive.ts';
import { sha256, sha256Of } from '../../../src/archive/hash.ts';
import { extract } from '../../../src/archive/index.ts';
import type { IngestRequest } from '../../../src/archive/ingest.ts';
import { arriveLarge } from '../../../src/archive/ingest-large.ts';
import { rebuildMessage } from '../../../src/attachments/index.ts';
import { parseAccountName, parseFolderName } from '../../../src/domain/index.ts';
import { archiveAt, inThisThread, never, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../../support/archive.ts';
import { fileBytes, mailWith } from '../../support/attached-mail.ts';
import { attachmentsIn, listedBundles, messagesIn } from '../../support/listed-bundles.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';
import { compareTreeStates, readTreeState } from '../../support/tree-state.ts';

const FILES = [
	{ name: 'a.bin', bytes: fileBytes('a', 40_000) },
	{ name: 'b.bin', bytes: fileBytes('b', 30_000) },
	{ name: 'tiny.bin', bytes: fileBytes('tiny', 500) },
];
const MAIL = mailWith(FILES, { subject: 'in pieces' });

/** Arrives as a message that is read in pieces, of any size; `readings` are what one reading after the other gives, the last one for ever. */
function arrive(readings: readonly Buffer[]) {
	const closed: number[] = [];
	let count = 0;
	const large = {
		date: DAY_ZERO,
		mode: 0o600,
		owner: [0, 0] as const,
		*chunks() {
			const bytes = readings[Math.min(count++, readings.length - 1)] ?? Buffer.alloc(0);
			for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
		},
		close: () => closed.push(1),
	};
	const listed = { key: '1.a', flags: ['seen'] as const, keywords: [], path: '/nowhere' };
	const folder = { account: parseAccountName('anna'), folder: parseFolderName('INBOX'), facts: { dir: '', owner: [0, 0] } };
	const incoming = { folder, placement: { listed, date: DAY_ZERO, size: 1, known: null } } as unknown as Incoming;
	const request: IngestRequest = {
		workers: inThisThread(),
		compress: true,
		attachmentMin: 1000,
		signal: never,
		findings: [],
		ownCopy: (large) => large,
		onRead() {},
	};
	return { arrived: () => arriveLarge(incoming, { listed, large: large as never, request }), closed };
}

function bytesOf(stored: Uint8Array | { chunks(): Iterable<Uint8Array> }): Buffer {
	return stored instanceof Uint8Array ? Buffer.from(stored) : Buffer.concat([...stored.chunks()]);
}

test('a message read in pieces gives the same recipe, attachments and id as one read at once', () => {
	const { line, stored, attachments } = arrive([MAIL]).arrived();
	expect(line).toMatchObject({ id: sha256(MAIL), size: MAIL.length });
	expect(attachments.map(({ line: { id } }) => id)).toEqual(FILES.slice(0, 2).map(({ bytes }) => sha256(bytes)));
	const byId = new Map(attachments.map((one) => [one.line.id, bytesOf(one.stored)]));
	const recipe = line.codec === 'none' ? bytesOf(stored) : null;
	if (recipe !== null) expect(sha256Of(rebuildMessage([recipe], (id) => [byId.get(id) ?? Buffer.alloc(0)]))).toBe(line.id);
	expect(line.attachments.map(({ name }) => name)).toEqual(['a.bin', 'b.bin', 'tiny.bin']);
});

test('only attachments of a 64th of a message that is read in pieces are stored apart', () => {
	const many = Array.from({ length: 100 }, (_, index) => ({ name: `${index}.bin`, bytes: fileBytes(`${index}`, 2000) }));
	const { attachments } = arrive([
		mailWith([...many, { name: 'large.bin', bytes: fileBytes('large', 9000) }], { subject: 'many' }),
	]).arrived();
	expect(attachments.map(({ line: { size } }) => size)).toEqual([9000]);
});

test.each([1, 2, 3, 6])('a message that changed after reading %i of it is not taken, and is let go', (same) => {
	const other = Buffer.from(MAIL);
	other[MAIL.indexOf('See the file')] = 0x73;
	const { arrived, closed } = arrive([...Array(same).fill(MAIL), other]);
	expect(arrived).toThrow(expect.objectContaining({ code: 'io', retryable: true }));
	expect(closed).toEqual([1]);
});

/** The same mail with another file of the same length and CRC-32: the polynomial divides what was changed. */
function withForgedFile(): Buffer {
	const bytes = Buffer.from(FILES[0]?.bytes ?? '');
	for (const [index, change] of [0x41, 0x06, 0x71, 0xdb, 0x01].entries()) bytes[100 + index] = (bytes[100 + index] ?? 0) ^ change;
	expect(crc32(bytes)).toBe(crc32(FILES[0]?.bytes ?? ''));
	return mailWith([{ name: 'a.bin', bytes }, ...FILES.slice(1)], { subject: 'in pieces' });
}

test('an attachment that is exchanged for one of the same CRC-32 before it is stored is not taken', () => {
	const { arrived, closed } = arrive([...Array(6).fill(MAIL), withForgedFile()]);
	expect(arrived).toThrow(expect.objectContaining({ code: 'io', retryable: true }));
	expect(closed).toEqual([1]);
});

test('an attachment that was another one while its id was computed is not taken apart', () => {
	const { line, stored, attachments } = arrive([MAIL, MAIL, withForgedFile(), MAIL]).arrived();
	expect([line.id, attachments, line.recipe]).toEqual([sha256(MAIL), [], undefined]);
	expect(stored).toMatchObject({ length: MAIL.length, sha256: sha256(MAIL) });
});

test('a message above 64 MiB is stored with its attachments apart, in two sealed bundles, and comes back', {
	timeout: 60_000,
}, async () => {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	const files = ['x', 'y', 'z'].map((name) => ({ name: `${name}.bin`, bytes: fileBytes(name, 18 * 1024 * 1024) }));
	const content = mailWith(files, { subject: 'large' });
	expect(content.length).toBeGreaterThan(64 * 1024 * 1024);
	store.put('anna@example.org/INBOX/1.a:2,S', { content });
	store.put('anna@example.org/INBOX/2.a:2,S', { content: mailWith(files.slice(0, 1), { subject: 'small' }) });
	const { result, findings } = await packOnce(archive, store.spec, { now: DAY_ZERO + 40 * DAY, bundles: { linger: 0 } });
	expect(findings).toEqual([]);
	expect(result.attachments).toEqual({ total: 3, new: 3, sharedBytes: 18 * 1024 * 1024 });
	const sealed = await listedBundles(archive, 'sealed');
	expect(sealed.map(({ lines }) => [messagesIn(lines).length, attachmentsIn(lines).length])).toEqual([
		[0, 3],
		[2, 0],
	]);
	expect((await verifyOnce(archive)).findings).toEqual([]);
	const message = await extract(archiveAt(archive), 'anna@example.org/INBOX/1.a', { now: DAY_ZERO });
	expect(sha256Of(message.chunks())).toBe(sha256(content));
	const to = temporaryFolder();
	await restoreOnce(archive, to);
	expect(compareTreeStates(readTreeState(store.root), readTreeState(to))).toEqual([]);
});
