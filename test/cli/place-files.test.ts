import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openPlaces } from '../../src/cli/place-files.ts';
import { openFiles } from '../../src/platform/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'mailseal-places-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A folder to place files in; `place` takes and gives names in it. */
function open(name: string) {
	const folder = join(scratch, name);
	mkdirSync(folder, { recursive: true });
	return {
		folder,
		reopen() {
			const places = openPlaces(openFiles(), folder);
			return (given: string, text: string) => {
				const { file, written } = places.place(given, Buffer.from(text));
				return `${file.slice(folder.length + 1)}${written ? '' : ' (there already)'}`;
			};
		},
	};
}

describe('place()', () => {
	it('numbers files of one name and other bytes, and finds each again', () => {
		const { folder, reopen } = open('numbered');
		const first = reopen();
		const names = ['one', 'two', 'one', 'three', 'two'].map((text) => first('logo.png', text));
		expect(names).toEqual(['logo.png', 'logo (2).png', 'logo.png (there already)', 'logo (3).png', 'logo (2).png (there already)']);
		const again = reopen();
		expect(['three', 'two', 'one', 'four'].map((text) => again('logo.png', text))).toEqual([
			'logo (3).png (there already)',
			'logo (2).png (there already)',
			'logo.png (there already)',
			'logo (4).png',
		]);
		expect(readdirSync(folder).map((name) => `${name} ${readFileSync(join(folder, name), 'utf8')}`)).toEqual([
			'logo (2).png two',
			'logo (3).png three',
			'logo (4).png four',
			'logo.png one',
		]);
	});

	it('leaves files, folders and links alone that it did not write', () => {
		const { folder, reopen } = open('taken');
		writeFileSync(join(folder, 'a.txt'), 'mine');
		mkdirSync(join(folder, 'a (2).txt'));
		symlinkSync(join(scratch, 'elsewhere'), join(folder, 'a (3).txt'));
		symlinkSync(join(scratch, 'elsewhere'), join(folder, 'b.txt'));
		const place = reopen();
		expect(place('a.txt', 'theirs')).toBe('a (4).txt');
		expect(place('b.txt', 'theirs')).toBe('b (2).txt');
		expect(readFileSync(join(folder, 'a.txt'), 'utf8')).toBe('mine');
		expect(readlinkSync(join(folder, 'b.txt'))).toBe(join(scratch, 'elsewhere'));
		expect(readdirSync(scratch)).not.toContain('elsewhere');
	});

	it('never leaves the folder, whatever the name', () => {
		const { folder, reopen } = open('inside');
		const place = reopen();
		expect(place('../../out.txt', 'x')).toBe('out.txt');
		expect(place('/etc/passwd', 'x')).toBe('passwd');
		expect(place('..', 'x')).toBe('attachment');
		expect(readdirSync(folder).sort()).toEqual(['attachment', 'out.txt', 'passwd']);
	});

	it('takes two names that differ only beyond 200 bytes for one', () => {
		const place = open('long').reopen();
		const long = 'x'.repeat(300);
		expect(place(`${long}1.txt`, 'one')).toBe(`${'x'.repeat(196)}.txt`);
		expect(place(`${long}2.txt`, 'two')).toBe(`${'x'.repeat(188)} (2).txt`);
	});

	it('writes nothing where all is there already', () => {
		const { folder, reopen } = open('again');
		const place = reopen();
		for (let n = 1; n <= 30; n++) expect(place('a.txt', `${n}`)).toBe(n === 1 ? 'a.txt' : `a (${n}).txt`);
		const changes: string[] = [];
		const places = openPlaces(openFiles({ before: (operation) => changes.push(operation) }), folder);
		for (let n = 30; n >= 1; n--) expect(places.place('a.txt', Buffer.from(`${n}`)).written).toBe(false);
		expect(changes).toEqual([]);
	});
});
