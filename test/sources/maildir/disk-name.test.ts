import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diskDirectory, diskName, diskPath, textOfDirectory, textOfName, under } from '../../../src/sources/maildir/disk-name.ts';
import { propertyRuns } from '../../support/property-runs.ts';

/** File names: any bytes but `/` and NUL, often just outside UTF-8. */
const NAME = fc
	.array(fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constantFrom(0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xff, 0xef, 0xbf, 0xbd, 0x61)), {
		minLength: 1,
		maxLength: 20,
	})
	.map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x2f)))
	.filter((bytes) => bytes.length > 0);

describe('the text of a name', () => {
	test('leads back to the bytes, whatever they are', () => {
		fc.assert(
			fc.property(NAME, (bytes) => {
				expect(Buffer.from(diskName(textOfName(bytes))).equals(bytes)).toBe(true);
				expect(Buffer.from(diskDirectory(textOfDirectory(bytes))).equals(bytes)).toBe(true);
			}),
			propertyRuns(1000),
		);
	});

	test('is the name itself where it is UTF-8', () => {
		expect(textOfName(Buffer.from('1.Müller'))).toBe('1.Müller');
		expect(textOfName(Buffer.from('\ufffd\ufeff'))).toBe('\ufffd\ufeff');
		expect(diskName('1.Müller')).toBe('1.Müller');
	});

	test('has a slash and two hex digits for a byte that is not', () => {
		expect(textOfName(Buffer.from([0x61, 0xe9, 0x62]))).toBe('a/e9b');
		expect(textOfDirectory(Buffer.from([0x61, 0xe9, 0x62]))).toBe('a//e9b');
	});
});

describe('diskPath()', () => {
	test('leads to the true bytes of a message, below directories of any name', () => {
		fc.assert(
			fc.property(fc.array(NAME, { maxLength: 4 }), fc.constantFrom('cur', 'new'), NAME, (levels, middle, name) => {
				const directory = levels.map((level) => `/${textOfDirectory(level)}`).join('');
				const path = diskPath(`/srv/new/ab/cur${directory}/${middle}/${textOfName(name)}`);
				const wanted = [...levels, Buffer.from(middle), name].reduce<Buffer | string>(under, '/srv/new/ab/cur');
				expect(Buffer.from(path).equals(Buffer.from(wanted))).toBe(true);
			}),
			propertyRuns(1000),
		);
	});

	test('leaves a path of text alone', () => {
		expect(diskPath('/var/new/ab/cur/1.x:2,S')).toBe('/var/new/ab/cur/1.x:2,S');
	});
});
