import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openItemCache } from '../../../src/archive/item-cache.ts';
import { itemPath, openItem, type Place } from '../../../src/archive/items.ts';
import { MailsealError, parseBundleId } from '../../../src/domain/index.ts';
import { fileBytes } from '../../support/attached-mail.ts';
import { blobsOf, quickFolder } from '../../support/target.ts';

const KIB = 1024;

function placeOf(number: number, length = 10 * KIB): Place {
	return { bundle: parseBundleId(number.toString(16).padStart(2, '0').repeat(32)), sealed: true, offset: number, length, codec: 'none' };
}

function bytesOf(place: Place): Buffer {
	return fileBytes(place.bundle, place.length);
}

function sizeOf(dir: string): number {
	return blobsOf(join(dir, 'cache', 'items')).reduce((total, name) => total + statSync(join(dir, 'cache', 'items', name)).size, 0);
}

/** Makes an item look as if it was used so many seconds ago. */
function age(dir: string, place: Place, seconds: number): void {
	const then = new Date(Date.now() - seconds * 1000);
	utimesSync(itemPath(dir, place), then, then);
}

test('an item is kept as its pieces came, and read from its first byte on', async () => {
	const dir = quickFolder();
	const cache = openItemCache(dir);
	const place = placeOf(1);
	expect(cache.has(place)).toBe(false);
	await cache.keep(place, [bytesOf(place).subarray(0, 7), bytesOf(place).subarray(7)]);
	expect(cache.has(place)).toBe(true);
	const item = openItem(dir, place);
	expect(Buffer.from(item.read(3, 100))).toEqual(bytesOf(place).subarray(3, 103));
	expect(item.size).toBe(place.length);
	item.close();
	expect(statSync(itemPath(dir, place)).mode & 0o077).toBe(0);
	// Another length, or offset, is another item.
	expect(cache.has({ ...place, offset: 2 })).toBe(false);
	expect(cache.has({ ...place, length: 5 })).toBe(false);
	cache.forget(place);
	cache.forget(place);
	expect(cache.has(place)).toBe(false);
	expect(() => openItem(dir, place)).toThrow(expect.objectContaining({ code: 'not-found', message: expect.stringContaining('bundles') }));
});

test('an item of another size than it must have does not count as there', async () => {
	const dir = quickFolder();
	const cache = openItemCache(dir);
	const place = placeOf(1);
	await cache.keep(place, [bytesOf(place)]);
	writeFileSync(itemPath(dir, place), 'half');
	expect(cache.has(place)).toBe(false);
});

test('what ends in the middle of an item leaves nothing', async () => {
	const dir = quickFolder();
	const cache = openItemCache(dir);
	const place = placeOf(1);
	async function* cut(): AsyncGenerator<Uint8Array> {
		yield bytesOf(place).subarray(0, 100);
		throw new MailsealError('unreachable', 'the connection was cut');
	}
	await expect(cache.keep(place, cut())).rejects.toMatchObject({ code: 'unreachable' });
	expect(blobsOf(join(dir, 'cache', 'items'))).toEqual([]);
});

test('the cache stays within its limit and an eighth, over many calls, each of which fetches little', async () => {
	const dir = quickFolder();
	const limit = 200 * KIB;
	let most = 0;
	for (let number = 1; number < 100; number++) {
		// One process after another.
		const cache = openItemCache(dir, limit);
		await cache.keep(placeOf(number), [bytesOf(placeOf(number))]);
		cache.sweepIfDue(new Set());
		most = Math.max(most, sizeOf(dir));
	}
	expect(most).toBeLessThanOrEqual(limit * 1.125 + 10 * KIB);
	expect(sizeOf(dir)).toBeGreaterThan(limit / 2);
});

test('a call that fetched nothing looks through nothing', async () => {
	const dir = quickFolder();
	const cache = openItemCache(dir, 1);
	await cache.keep(placeOf(1), [bytesOf(placeOf(1))]);
	const idle = openItemCache(dir, 1);
	expect(idle.has(placeOf(1))).toBe(true);
	idle.sweepIfDue(new Set());
	expect(idle.has(placeOf(1))).toBe(true);
});

test('what was not used for longest goes first, and nothing that is held', async () => {
	const dir = quickFolder();
	const cache = openItemCache(dir, 40 * KIB);
	const [first, second, third, fourth, fifth] = [1, 2, 3, 4, 5].map((number) => placeOf(number)) as [Place, Place, Place, Place, Place];
	for (const place of [first, second, third, fourth]) await cache.keep(place, [bytesOf(place)]);
	for (const [index, place] of [first, second, third, fourth].entries()) age(dir, place, 100 - index);
	// Asked for, and so used just now.
	expect(cache.has(first)).toBe(true);
	await cache.keep(fifth, [bytesOf(fifth)]);
	cache.sweepIfDue(new Set([itemPath(dir, second)]));
	const left = [first, second, third, fourth, fifth].map((place) => existsSync(itemPath(dir, place)));
	expect(left).toEqual([true, true, false, true, true]);
});

test('what a call that was cut off left behind goes with the rest', async () => {
	const dir = quickFolder();
	const cache = openItemCache(dir, 20 * KIB);
	await cache.keep(placeOf(1), [bytesOf(placeOf(1))]);
	const left = `${itemPath(dir, placeOf(1))}.0a1b2c3d`;
	writeFileSync(left, Buffer.alloc(30 * KIB));
	const then = new Date(Date.now() - 1e6);
	utimesSync(left, then, then);
	cache.sweepIfDue(new Set());
	expect(existsSync(left)).toBe(false);
	expect(cache.has(placeOf(1))).toBe(true);
});

test('a count that is damaged, or a cache that is removed, is no harm', async () => {
	const dir = quickFolder();
	const cache = openItemCache(dir, 100 * KIB);
	for (const text of ['', 'nonsense', '-5', '1e99']) {
		await cache.keep(placeOf(1), [bytesOf(placeOf(1))]);
		writeFileSync(join(dir, 'cache', 'fetched'), text);
		cache.sweepIfDue(new Set());
		expect(Number(readFileSync(join(dir, 'cache', 'fetched'), 'utf8'))).toBeLessThan(100 * KIB);
		rmSync(join(dir, 'cache'), { recursive: true });
		expect(cache.has(placeOf(1))).toBe(false);
		cache.sweepIfDue(new Set());
	}
	await cache.keep(placeOf(1), [bytesOf(placeOf(1))]);
	expect(cache.has(placeOf(1))).toBe(true);
});
