import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { itemPath, type Place, placePath } from '../../src/archive/items.ts';
import { openNearbyItems } from '../../src/archive/nearby-items.ts';
import { parseBundleId } from '../../src/domain/index.ts';
import { quickFolder } from '../support/target.ts';

/** The byte of each file that the disk cannot read; null for none. */
const disk = vi.hoisted(() => ({ bad: null as number | null, reads: 0 }));

vi.mock('node:fs', async (original) => {
	const fs = await original<typeof import('node:fs')>();
	function readSync(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
		disk.reads++;
		if (disk.bad !== null && position <= disk.bad && disk.bad < position + length) {
			throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
		}
		return fs.readSync(descriptor, buffer, offset, length, position);
	}
	return { ...fs, readSync };
});
beforeEach(() => {
	disk.bad = null;
	disk.reads = 0;
});

const CONTENT = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));

function placeOf(number: number, where: { readonly offset: number; readonly length: number }): Place {
	return { bundle: parseBundleId(number.toString(16).padStart(2, '0').repeat(32)), sealed: true, codec: 'none', ...where };
}

function writeBundle(dir: string, place: Place, content: Uint8Array = CONTENT): void {
	mkdirSync(dirname(placePath(dir, place)), { recursive: true });
	writeFileSync(placePath(dir, place), content);
}

function partOf({ offset, length }: Place): Buffer {
	return CONTENT.subarray(offset, offset + length);
}

test('openNearbyItems() gives the bytes of each item, asked for before or not', () => {
	const dir = quickFolder();
	const places = [0, 100, 250, 250].map((offset) => placeOf(1, { offset, length: 100 }));
	const other = placeOf(2, { offset: 5, length: 7 });
	for (const place of [placeOf(1, { offset: 0, length: 1 }), other]) writeBundle(dir, place);
	using items = openNearbyItems(dir, [...places, other]);
	for (const place of [...places, other, placeOf(1, { offset: 900, length: 100 })]) {
		const item = items.open(place);
		expect(item.size).toBe(place.length);
		expect(Buffer.from(item.read(0, place.length))).toEqual(partOf(place));
		expect(Buffer.from(item.read(3, 4))).toEqual(partOf(place).subarray(3, 7));
		item.close();
	}
});

test('an item before the place where its bundle was cut off can still be read, one behind it is damage', () => {
	const dir = quickFolder();
	const [first, second] = [placeOf(1, { offset: 0, length: 100 }), placeOf(1, { offset: 100, length: 100 })];
	writeBundle(dir, first, CONTENT.subarray(0, 150));
	using items = openNearbyItems(dir, [first, second]);
	expect(Buffer.from(items.open(first).read(0, 100))).toEqual(partOf(first));
	expect(() => items.open(second).read(0, 100)).toThrow(expect.objectContaining({ code: 'archive-damaged' }));
});

test('of a bundle that is not here, an item that was fetched is read; any other is not found', () => {
	const dir = quickFolder();
	const [kept, lost] = [placeOf(1, { offset: 0, length: 100 }), placeOf(1, { offset: 100, length: 100 })];
	mkdirSync(dirname(itemPath(dir, kept)), { recursive: true });
	writeFileSync(itemPath(dir, kept), partOf(kept));
	using items = openNearbyItems(dir, [kept, lost]);
	const item = items.open(kept);
	expect(Buffer.from(item.read(0, 100))).toEqual(partOf(kept));
	item.close();
	expect(() => items.open(lost)).toThrow(expect.objectContaining({ code: 'not-found' }));
});

test('a bundle that vanishes while it is open can still be read', () => {
	const dir = quickFolder();
	const [first, second] = [placeOf(1, { offset: 0, length: 100 }), placeOf(1, { offset: 500, length: 100 })];
	writeBundle(dir, first);
	using items = openNearbyItems(dir, [first]);
	expect(Buffer.from(items.open(first).read(0, 100))).toEqual(partOf(first));
	rmSync(placePath(dir, first));
	expect(Buffer.from(items.open(second).read(0, 100))).toEqual(partOf(second));
});

test('a bad sector costs the item that lies on it, and none of its neighbours', () => {
	const dir = quickFolder();
	const [before, on, behind] = [0, 100, 200].map((offset) => placeOf(1, { offset, length: 100 })) as [Place, Place, Place];
	writeBundle(dir, before);
	disk.bad = 150;
	using items = openNearbyItems(dir, [before, on, behind]);
	expect(Buffer.from(items.open(before).read(0, 100))).toEqual(partOf(before));
	expect(() => items.open(on).read(0, 100)).toThrow(expect.objectContaining({ code: 'archive-damaged' }));
	expect(Buffer.from(items.open(behind).read(0, 100))).toEqual(partOf(behind));
	// All of it once, then each by itself.
	expect(disk.reads).toBe(4);
});

test.skipIf(process.platform !== 'linux')('items of many bundles take few descriptors, and none once they are closed', () => {
	const dir = quickFolder();
	const places = Array.from({ length: 100 }, (_, index) => placeOf(index, { offset: index, length: 10 }));
	for (const place of places) writeBundle(dir, place);
	const before = readdirSync('/proc/self/fd').length;
	{
		using items = openNearbyItems(dir, places);
		for (const place of [...places, ...places]) {
			const item = items.open(place);
			expect(Buffer.from(item.read(0, 10))).toEqual(partOf(place));
			item.close();
		}
		expect(readdirSync('/proc/self/fd').length - before).toBeLessThan(50);
	}
	expect(readdirSync('/proc/self/fd').length).toBe(before);
});

test('items that lie in two bundles by turns are read at once from each', () => {
	const dir = quickFolder();
	const places = [0, 100, 200, 300].flatMap((offset) => [1, 2].map((number) => placeOf(number, { offset, length: 100 })));
	for (const place of places.slice(0, 2)) writeBundle(dir, place);
	using items = openNearbyItems(dir, places);
	for (const place of places) expect(Buffer.from(items.open(place).read(0, 100))).toEqual(partOf(place));
	expect(disk.reads).toBe(2);
});

test('no more than 16 MiB are held, and what was let go is read again', () => {
	const dir = quickFolder();
	const content = Buffer.alloc(7 << 20, 'mail');
	const places = [0, 4 << 20].flatMap((offset) => [1, 2, 3].map((number) => placeOf(number, { offset, length: 3 << 20 })));
	for (const place of places.slice(0, 3)) writeBundle(dir, place, content);
	using items = openNearbyItems(dir, places);
	for (const place of [...places, ...places]) {
		expect(Buffer.from(items.open(place).read(0, place.length)).equals(content.subarray(place.offset, place.offset + place.length))).toBe(
			true,
		);
	}
	expect(disk.reads).toBeGreaterThan(3);
});
