import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { libdeflateGzip } from '../../src/bundle/libdeflate.ts';
import { RUNS, SEED } from './sample-content.ts';

function noise(length: number): Buffer {
	return createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), Buffer.alloc(16)).update(Buffer.alloc(length));
}

describe('libdeflateGzip()', () => {
	it('gives a gzip member that Node reads, whatever the bytes and the level', () => {
		const bytes = fc.oneof(
			fc.uint8Array({ maxLength: 2000 }),
			fc
				.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(3000))
				.map(([unit, times]) => Buffer.alloc(unit.length * times, unit)),
		);
		fc.assert(
			fc.property(bytes, fc.integer({ min: 1, max: 9 }), (item, level) => {
				expect(gunzipSync(libdeflateGzip(item, level)).equals(item)).toBe(true);
			}),
			{ seed: SEED, numRuns: RUNS },
		);
	});

	it('takes items around and far above the room that it keeps, small ones after large ones', () => {
		for (const length of [0, 1, 262_143, 262_144, 262_145, 40 << 20, 1, 300_000]) {
			for (const item of [noise(length), Buffer.alloc(length, 'a line of mail\r\n')]) {
				for (const level of [1, 4]) expect(gunzipSync(libdeflateGzip(item, level)).equals(item)).toBe(true);
			}
		}
	});

	it('gives bytes of its own, which the next call leaves alone', () => {
		const first = libdeflateGzip(Buffer.alloc(1000, 'one'), 1);
		const copy = Buffer.from(first);
		libdeflateGzip(Buffer.alloc(1000, 'two'), 1);
		expect(copy.equals(first)).toBe(true);
		expect(first.buffer.byteLength).toBe(first.length);
	});

	it('is read by gzip', ({ skip }) => {
		const item = Buffer.alloc(100_000, 'Received: from mx.example.org\r\n');
		try {
			execFileSync('gzip', ['--version']);
		} catch {
			skip('skipped: needs gzip');
		}
		expect(execFileSync('gzip', ['-dc'], { input: libdeflateGzip(item, 1) }).equals(item)).toBe(true);
	});

	it('leaves no ear for the errors of the whole process', () => {
		libdeflateGzip(Buffer.from('x'), 2);
		const listeners = ['uncaughtException', 'unhandledRejection'].flatMap((event) => process.rawListeners(event));
		expect(listeners.filter((listener) => /ExitStatus|throw reason/.test(String(listener)))).toEqual([]);
	});
});
