import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openEncodedAttachments } from '../../src/archive/encoded-attachments.ts';
import { encodeAttachment } from '../../src/bundle/index.ts';
import { type AttachmentId, parseAttachmentId } from '../../src/domain/index.ts';
import { noise } from '../support/noise.ts';

function idOf(number: number): AttachmentId {
	return parseAttachmentId(number.toString(16).padStart(64, '0'));
}

/** Text that shrinks to about half of `length`. */
function half(length: number): Buffer {
	return Buffer.from(noise(length / 2).toString('hex'));
}

describe('openEncodedAttachments()', () => {
	it('gives what encodeAttachment() gives, the first time and later', () => {
		const attachments = openEncodedAttachments();
		for (const [number, bytes] of [noise(30_000), half(30_000), Buffer.alloc(0), Buffer.alloc(100, 'x')].entries()) {
			const expected = encodeAttachment(bytes, { compress: true });
			for (let time = 0; time < 3; time++) {
				const { codec, stored } = attachments.encode(idOf(number), bytes);
				expect(codec).toBe(expected.codec);
				expect(Buffer.from(stored).equals(expected.stored)).toBe(true);
			}
		}
	});

	it('gives bytes that may be handed to another thread, each time', () => {
		const attachments = openEncodedAttachments();
		const bytes = half(30_000);
		for (let time = 0; time < 3; time++) {
			const { stored } = attachments.encode(idOf(1), bytes);
			expect(stored.buffer.byteLength).toBe(stored.length);
			expect(gunzipSync(stored).equals(bytes)).toBe(true);
			structuredClone(stored.buffer, { transfer: [stored.buffer as ArrayBuffer] });
		}
	});

	it('looks no second time at one that it still knows, and anew at one that it had to forget', () => {
		const attachments = openEncodedAttachments();
		attachments.encode(idOf(0), noise(20_000));
		// Believed by its id: the bytes are not looked at.
		expect(attachments.encode(idOf(0), Buffer.alloc(20_000)).codec).toBe('none');
		for (let number = 1; number < 20; number++) attachments.encode(idOf(number), half(2_000_000));
		expect(attachments.encode(idOf(0), Buffer.alloc(20_000)).codec).toBe('gzip');
	});

	it('forgets the one used longest ago', () => {
		const attachments = openEncodedAttachments();
		attachments.encode(idOf(0), noise(20_000));
		for (let number = 1; number < 20; number++) {
			attachments.encode(idOf(number), half(2_000_000));
			expect(attachments.encode(idOf(0), Buffer.alloc(20_000)).codec).toBe('none');
		}
	});
});
