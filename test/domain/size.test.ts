import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSize, parseSize } from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';

describe('parseSize()', () => {
	it.each([
		['0', 0],
		['1500', 1500],
		['1500B', 1500],
		['8K', 8192],
		['8KiB', 8192],
		['8kB', 8000],
		['1.5KiB', 1536],
		['64MiB', 67_108_864],
		['64 mib', 67_108_864],
		['2GB', 2_000_000_000],
		['2G', 2_147_483_648],
		[' 1M ', 1_048_576],
	])('reads %j', (text, bytes) => {
		expect(parseSize(text)).toBe(bytes);
	});

	it.each(['', 'K', '-1', '1e3', '1,5K', '.5K', '1.', '1 K B', '64MiBs', '0x10', 'constructor', '1constructor'])('refuses %j', (text) => {
		expect(() => parseSize(text)).toThrow(`Cannot read size "${text}": it is not a number with B, KiB, MiB or GiB, such as 64MiB`);
	});

	it('takes every whole number of bytes as it is', () => {
		fc.assert(
			fc.property(fc.maxSafeNat(), (bytes) => {
				expect(parseSize(String(bytes))).toBe(bytes);
			}),
			propertyRuns(),
		);
	});
});

describe('formatSize()', () => {
	it.each([
		[0, '0 bytes'],
		[999, '999 bytes'],
		[1000, '1.0 kB'],
		[1234, '1.2 kB'],
		[9949, '9.9 kB'],
		[9950, '10 kB'],
		[999_499, '999 kB'],
		[999_500, '1.0 MB'],
		[190_000_000, '190 MB'],
		[1_200_000_000, '1.2 GB'],
		[5e15, '5000 TB'],
	])('writes %d as %s', (bytes, text) => {
		expect(formatSize(bytes)).toBe(text);
	});

	it('writes three digits at most, within a twentieth of the truth', () => {
		const units: Readonly<Record<string, number>> = { byte: 1, bytes: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };
		fc.assert(
			fc.property(fc.nat(999e12), (bytes) => {
				const [number = '', unit = ''] = formatSize(bytes).split(' ');
				expect(number).toMatch(/^(\d\.\d|\d{1,3})$/);
				expect(Math.abs(Number(number) * (units[unit] ?? Number.NaN) - bytes)).toBeLessThanOrEqual(bytes / 20);
			}),
			propertyRuns(),
		);
	});
});
