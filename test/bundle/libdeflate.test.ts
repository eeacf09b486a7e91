import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { build } from 'esbuild';
import fc from 'fast-check';
import type { LibdeflateModule } from 'libdeflate-module';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { insteadOf } from '../../scripts/instead-of.mjs';
import { libdeflateGzip } from '../../src/bundle/libdeflate.ts';
import { noise } from '../support/noise.ts';
import { RUNS, SEED } from './sample-content.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const { made } = vi.hoisted(() => ({ made: [] as LibdeflateModule[] }));

/** Notes each module that is made. */
vi.mock('libdeflate-module', async (importOriginal) => {
	const { default: createModule } = await importOriginal<typeof import('libdeflate-module')>();
	return {
		default(...settings: Parameters<typeof createModule>) {
			const module = createModule(...settings);
			made.push(module);
			return module;
		},
	};
});

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

	it('keeps no memory of a large item', () => {
		const before = made.length;
		libdeflateGzip(Buffer.alloc(40 << 20), 1);
		const text = Buffer.from('small');
		for (const level of [1, 4, 1]) expect(gunzipSync(libdeflateGzip(text, level)).equals(text)).toBe(true);
		expect(made.length).toBeLessThanOrEqual(before + 2);
		expect(made.at(-1)?.HEAPU8.length).toBeLessThan(20 << 20);
	});

	it.skipIf(process.platform !== 'linux')('says so where the process may not have the memory that WebAssembly reserves', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'mailseal-libdeflate-'));
		onTestFinished(() => rmSync(folder, { recursive: true }));
		const script = join(folder, 'compress.cjs');
		await build({
			stdin: {
				contents: `
					import { libdeflateGzip } from './src/bundle/libdeflate.ts';
					try {
						libdeflateGzip(Buffer.from('x'), 1);
					} catch ({ code, message }) {
						console.log(code, message);
					}
					const ears = () => process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
					setImmediate(() => console.log(ears(), 'listen'));
				`,
				resolveDir: ROOT,
			},
			absWorkingDir: ROOT,
			bundle: true,
			platform: 'node',
			format: 'cjs',
			...insteadOf,
			outfile: script,
			logLevel: 'error',
		});
		const { stdout, stderr } = spawnSync('sh', ['-c', 'ulimit -v 6000000 && exec "$0" "$1"', process.execPath, script], {
			encoding: 'utf8',
		});
		// A Node that reserves less compresses.
		expect(['io Cannot compress: WebAssembly gets no memory\n0 listen\n', '0 listen\n']).toContain(stdout);
		expect(stderr).toBe('');
	});
});
