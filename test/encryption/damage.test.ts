import { describe, expect, it } from 'vitest';
import { makeHead } from '../../src/encryption/header.ts';
import { openSealed, openSealedStream, parseRecipients } from '../../src/encryption/index.ts';
import { CHUNK, collect, failureOf, makeKey, piecesOf, plainOf, SEALED_CHUNK, sealedBytes, sourceOf } from './sample-files.ts';

const key = await makeKey();
const { identities } = key;
const plain = plainOf(2 * CHUNK + 1000);
const sealed = await sealedBytes(plain, key);
const other = await sealedBytes(plainOf(2 * CHUNK + 1000), key);
const headerLength = sealed.length - plain.length - 3 * 16;
const head = sealed.subarray(0, headerLength);
const [first, second, last] = [0, 1, 2].map((at) =>
	sealed.subarray(headerLength + at * SEALED_CHUNK, headerLength + (at + 1) * SEALED_CHUNK),
);
const border = headerLength + SEALED_CHUNK;

function join(...parts: readonly (Uint8Array | undefined)[]): Buffer {
	return Buffer.concat(parts.map((part) => part ?? Buffer.alloc(0)));
}

function flipped(bytes: Buffer, at: number, mask = 0x10): Buffer {
	const copy = Buffer.from(bytes);
	copy.writeUInt8(copy.readUInt8(at) ^ mask, at);
	return copy;
}

/** How a file is refused that is read as a whole by its ranges. */
async function refusedByRanges(bytes: Uint8Array): Promise<unknown> {
	return await failureOf(async () => {
		const { size, read } = await openSealed({ source: sourceOf(bytes), identities });
		return await read(0, size);
	});
}

/** How a file is refused that is read as a stream; what comes before are whole chunks of the right bytes. */
async function refusedByStream(bytes: Uint8Array, piece = 50_000): Promise<unknown> {
	let given = 0;
	return await failureOf(async () => {
		for await (const part of openSealedStream(piecesOf(bytes, piece), identities)) {
			expect(plain.subarray(given, given + part.length).equals(part)).toBe(true);
			given += part.length;
			expect(given === plain.length || given % CHUNK === 0).toBe(true);
		}
		return `${given} bytes`;
	});
}

it('what is not damaged is not refused', async () => {
	expect(plain.equals((await refusedByRanges(sealed)) as Uint8Array)).toBe(true);
	expect(await refusedByStream(sealed)).toBe(`${plain.length} bytes`);
});

describe('a flipped bit', () => {
	it('in the header is refused: as damage, or as a header for somebody else where it hits the part of the recipient', async () => {
		const lines = head.subarray(0, -16).toString('latin1').split('\n');
		const recipient = { from: (lines[0]?.length ?? 0) + 1, to: lines.slice(0, 3).join('\n').length };
		const codes = new Set<unknown>();
		for (let at = 0; at < headerLength - 16; at++) {
			const code = await refusedByRanges(flipped(sealed, at, 1 << (at % 8)));
			const mayBeSomebodyElses = at >= recipient.from && at < recipient.to;
			const allowed = [
				'archive-damaged seal-header',
				...(at < 22 ? ['archive-damaged not-sealed'] : []),
				...(mayBeSomebodyElses ? ['permission'] : []),
			];
			expect(allowed, `byte ${at}`).toContain(code);
			codes.add(code);
		}
		expect(codes).toEqual(new Set(['archive-damaged not-sealed', 'archive-damaged seal-header', 'permission']));
	});

	it.each([
		['the first byte of the nonce', headerLength - 16],
		['the last byte of the nonce', headerLength - 1],
		['the first chunk', headerLength],
		['the tag of the first chunk', border - 16],
		['the last byte of the first chunk', border - 1],
		['the second chunk', border + 30_000],
		['the last chunk', border + SEALED_CHUNK + 1],
		['the last tag', sealed.length - 16],
		['the last byte', sealed.length - 1],
	])('in %s is refused', async (_name, at) => {
		for (const mask of [0x01, 0x80]) {
			expect(await refusedByRanges(flipped(sealed, at, mask))).toBe('archive-damaged seal-broken');
			expect(await refusedByStream(flipped(sealed, at, mask))).toBe('archive-damaged seal-broken');
		}
	});

	it('concerns the reads that touch its chunk, and no others', async () => {
		const { size, read } = await openSealed({ source: sourceOf(flipped(sealed, border + 5)), identities });
		expect(plain.subarray(0, CHUNK).equals(await read(0, CHUNK))).toBe(true);
		expect(plain.subarray(2 * CHUNK).equals(await read(2 * CHUNK, size - 2 * CHUNK))).toBe(true);
		expect(await failureOf(() => read(CHUNK - 1, 2))).toBe('archive-damaged seal-broken');
		expect(await failureOf(() => read(2 * CHUNK - 1, 1))).toBe('archive-damaged seal-broken');
	});
});

describe('a file that is cut', () => {
	it.each([
		['to nothing', 0, 'not-sealed'],
		['within the version', 5, 'seal-header'],
		['after the version', 22, 'seal-header'],
		['within the header', 100, 'seal-header'],
		['after the header', headerLength - 16, 'seal-header'],
		['within the nonce', headerLength - 1, 'seal-header'],
		['after the nonce', headerLength, 'seal-size'],
		['within what would be a tag', headerLength + 15, 'seal-size'],
		['to what would be an empty chunk', headerLength + 16, 'seal-broken'],
		['within the first chunk', headerLength + 1000, 'seal-broken'],
		['before the last byte of a chunk', border - 1, 'seal-broken'],
		['at the border of a chunk', border, 'seal-broken'],
		['after one byte of a chunk', border + 1, 'seal-size'],
		['to an empty chunk after a full one', border + 16, 'seal-size'],
		['to one byte and a tag after a full chunk', border + 17, 'seal-broken'],
		['before its last chunk', border + SEALED_CHUNK, 'seal-broken'],
		['by one byte', sealed.length - 1, 'seal-broken'],
	])('%s is refused', async (_name, length, damage) => {
		expect(await refusedByRanges(sealed.subarray(0, length))).toBe(`archive-damaged ${damage}`);
		for (const piece of [50_000, 1 + length])
			expect(await refusedByStream(sealed.subarray(0, length), piece)).toBe(`archive-damaged ${damage}`);
	});

	it('at the border of a chunk is refused by each read that reaches the end', async () => {
		const { size, read } = await openSealed({ source: sourceOf(sealed.subarray(0, border + SEALED_CHUNK)), identities });
		expect(size).toBe(2 * CHUNK);
		expect(await failureOf(() => read(size - 1, 1))).toBe('archive-damaged seal-broken');
	});

	it('to the form of an empty one is refused when it is opened, though there is nothing to read', async () => {
		const source = sourceOf(sealed.subarray(0, headerLength + 16));
		expect(await failureOf(() => openSealed({ source, identities, head }))).toBe('archive-damaged seal-broken');
	});

	it('while it is read is refused', async () => {
		const source = {
			size: sealed.length,
			read: (offset: number, length: number) => sealed.subarray(offset, Math.min(offset + length, border)),
		};
		const { size, read } = await openSealed({ source, identities });
		expect(await failureOf(() => read(0, size))).toBe('archive-damaged seal-size');
	});
});

describe('a file with other chunks', () => {
	it.each([
		['a byte appended', join(sealed, Buffer.alloc(1))],
		['a tag’s worth appended', join(sealed, Buffer.alloc(16))],
		['zeros appended', join(sealed, Buffer.alloc(SEALED_CHUNK))],
		['its last chunk twice', join(sealed, last)],
		['its first chunk twice', join(head, first, first, second, last)],
		['two chunks swapped', join(head, second, first, last)],
		['the last chunk first', join(head, last, first, second)],
		['a chunk left out', join(head, first, last)],
		['a chunk of another file for the same recipient', join(head, first, other.subarray(border, border + SEALED_CHUNK), last)],
		['another file’s content', join(head, other.subarray(headerLength))],
		['a second file after it', join(sealed, sealed)],
	])('is refused: %s', async (_name, bytes) => {
		expect(await refusedByRanges(bytes)).toMatch(/^archive-damaged seal-(broken|size)$/);
		expect(await refusedByStream(bytes)).toMatch(/^archive-damaged seal-(broken|size)$/);
	});

	it('is refused where a full chunk is followed by an empty one, though every tag is right', async () => {
		const made = await makeHead(parseRecipients([key.recipient]));
		const full = made.cipher.seal({ index: 0, last: false }, plain.subarray(0, CHUNK));
		const empty = made.cipher.seal({ index: 1, last: true }, new Uint8Array(0));
		const bytes = join(made.head, full.bytes, full.tag, empty.bytes, empty.tag);
		expect(await refusedByRanges(bytes)).toBe('archive-damaged seal-size');
		expect(await refusedByStream(bytes)).toBe('archive-damaged seal-size');
	});
});

describe('what is no age file, or a hostile one', () => {
	const version = 'age-encryption.org/v1\n';
	const stanza = `-> X25519 ${Buffer.alloc(32, 9).toString('base64').replace('=', '')}\n${Buffer.alloc(32, 7).toString('base64').replace('=', '')}\n`;
	const macLine = `--- ${Buffer.alloc(32, 5).toString('base64').replace('=', '')}\n`;

	it.each([
		['a zip', Buffer.from('PK\x03\x04').toString('latin1'), 'not-sealed'],
		['the next version', 'age-encryption.org/v2\n', 'not-sealed'],
		['an armored file', '-----BEGIN AGE ENCRYPTED FILE-----\n', 'not-sealed'],
		['a header without an end', `${version}${'-'.repeat(70_000)}`, 'seal-header'],
		['a header of empty lines', `${version}${'\n'.repeat(70_000)}`, 'seal-header'],
		['a header without a recipient', `${version}${macLine}`, 'seal-header'],
		['a header with CRLF', `${version}${stanza}${macLine}`.replaceAll('\n', '\r\n'), 'not-sealed'],
		['a recipient without a body', `${version}-> X25519\n${macLine}`, 'seal-header'],
		['a share that is no point', `${version}-> X25519 ${'A'.repeat(43)}\n${stanza.split('\n')[1]}\n${macLine}`, 'seal-header'],
		['a header that is not ASCII', `${version}-> ü\n\n${macLine}`, 'seal-header'],
	])('is refused: %s', async (_name, text, damage) => {
		const bytes = Buffer.from(text.padEnd(80_000, '\0'));
		expect(await refusedByRanges(bytes)).toBe(`archive-damaged ${damage}`);
		for (const piece of [1, 50_000]) expect(await refusedByStream(bytes, piece)).toBe(`archive-damaged ${damage}`);
	});

	it('takes 64 KiB of a header that never ends, and no more', async () => {
		let reads = 0;
		let taken = 0;
		const line = Buffer.from(stanza);
		const source = {
			size: 2 ** 45,
			read(offset: number, length: number) {
				reads++;
				taken += length;
				return Buffer.from(version + stanza.repeat(800)).subarray(offset, offset + length);
			},
		};
		expect(await failureOf(() => openSealed({ source, identities }))).toBe('archive-damaged seal-header');
		expect({ reads, taken }).toEqual({ reads: 2, taken: 65_536 });

		taken = 0;
		async function* endless(): AsyncIterable<Uint8Array> {
			yield Buffer.from(version);
			for (;;) {
				taken += line.length;
				yield line;
			}
		}
		expect(await failureOf(() => collect(openSealedStream(endless(), identities)))).toBe('archive-damaged seal-header');
		expect(taken).toBeLessThanOrEqual(65_536 + line.length);
	});

	it('goes through as many recipients as 64 KiB hold', async () => {
		const bytes = Buffer.from(`${version}${stanza.repeat(650)}${macLine}${'\0'.repeat(32)}`);
		expect(bytes.length).toBeLessThan(65_536);
		expect(await refusedByRanges(bytes)).toBe('permission');
		const short = Buffer.from(`${version}${'-> a\n\n'.repeat(10_000)}${macLine}${'\0'.repeat(32)}`);
		expect(await refusedByRanges(short)).toBe('permission');
	});
});
