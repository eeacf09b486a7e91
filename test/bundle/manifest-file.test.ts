import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeManifest, encodeManifest } from '../../src/bundle/index.ts';
import type { ManifestLine } from '../../src/domain/index.ts';
import { anyLine, RUNS, SEED } from './sample-content.ts';

const HASH = 'ab'.repeat(32);
const PLACED = {
	type: 'placed',
	account: 'ann@example.org',
	folder: 'INBOX',
	key: '1.2.host',
	message: HASH,
	flags: ['draft', 'seen'],
	keywords: [],
	date: '2026-11-23T02:15:00.000Z',
};
const CONTROL = { type: 'control', account: 'ann', path: 'sieve/main.sieve', content: 'YQ==', date: '2026-11-23T02:15:00.000Z' };
const PART = { id: HASH, name: 'plan.pdf', type: 'application/pdf', size: 9000, disposition: 'attachment' };
const ATTACHMENT = { type: 'attachment', id: HASH, size: 1, codec: 'none' };
const MESSAGE = { type: 'message', id: HASH, size: 1, codec: 'none', attachments: [], headers: {} };
const RECIPE = { ...MESSAGE, recipe: 300, attachments: [PART] };

function decodeText(text: string): ManifestLine[] {
	return decodeManifest(gzipSync(text));
}

function reversed(value: object): object {
	return Object.fromEntries(Object.entries(value).reverse());
}

function refusal(line: number, field: string) {
	return expect.objectContaining({ code: 'archive-damaged', details: { damage: 'bad-manifest', line, field } });
}

describe('encodeManifest() and decodeManifest()', () => {
	it('give back any lines', () => {
		fc.assert(
			fc.property(fc.array(anyLine, { maxLength: 6 }), (lines) => {
				expect(decodeManifest(encodeManifest(lines))).toStrictEqual(lines);
			}),
			{ seed: SEED, numRuns: RUNS },
		);
	});

	it('give back any bytes that were written, whatever order the fields had in memory', () => {
		fc.assert(
			fc.property(fc.array(anyLine, { maxLength: 6 }), (lines) => {
				const bytes = encodeManifest(lines);
				const reversed = lines.map((line) => Object.fromEntries(Object.entries(line).reverse()) as unknown as ManifestLine);
				expect(Buffer.from(encodeManifest(decodeManifest(bytes))).equals(bytes)).toBe(true);
				expect(Buffer.from(encodeManifest(reversed)).equals(bytes)).toBe(true);
			}),
			{ seed: SEED, numRuns: RUNS },
		);
	});

	it('write one object a line, fields in the order of the format', () => {
		const lines = decodeText(`${JSON.stringify(Object.fromEntries(Object.entries({ ...PLACED, uid: 7 }).reverse()))}\n`);
		expect(gunzipSync(encodeManifest(lines)).toString()).toBe(
			`{"type":"placed","account":"ann@example.org","folder":"INBOX","key":"1.2.host","message":"${HASH}","flags":["draft","seen"],"keywords":[],"date":"2026-11-23T02:15:00.000Z","uid":7}\n`,
		);
	});

	it('write parts and attachments in the order of the format, and leave out what is not there', () => {
		const part = { ...PART, id: undefined, disposition: undefined };
		const lines = [{ ...RECIPE, attachments: [PART, part] }, MESSAGE, ATTACHMENT].map((line) => {
			const parts = 'attachments' in line ? { attachments: line.attachments.map(reversed) } : {};
			return reversed({ ...line, ...parts }) as unknown as ManifestLine;
		});
		expect(gunzipSync(encodeManifest(lines)).toString()).toBe(
			`{"type":"message","id":"${HASH}","size":1,"codec":"none","recipe":300,"attachments":[{"id":"${HASH}","name":"plan.pdf","type":"application/pdf","size":9000,"disposition":"attachment"},{"name":"plan.pdf","type":"application/pdf","size":9000}],"headers":{}}\n` +
				`{"type":"message","id":"${HASH}","size":1,"codec":"none","attachments":[],"headers":{}}\n` +
				`{"type":"attachment","id":"${HASH}","size":1,"codec":"none"}\n`,
		);
	});

	it('take a message of a thousand parts', () => {
		const attachments = new Array(1000).fill(PART);
		expect(decodeText(`${JSON.stringify({ ...RECIPE, attachments })}\n`)).toEqual([{ ...RECIPE, attachments }]);
	});

	it('know a manifest without lines', () => {
		expect(decodeManifest(encodeManifest([]))).toEqual([]);
	});

	it('hold more than one megabyte of lines', () => {
		const lines = decodeText(`${JSON.stringify(PLACED)}\n`.repeat(20_000));
		expect(decodeManifest(encodeManifest(lines))).toEqual(lines);
	});
});

describe('decodeManifest()', () => {
	it.each(['', '.A', 'A/B', '.caf//e9', '//e9/x', 'a///ff', './/80'])('takes the directory %j', (dir) => {
		const line = `${JSON.stringify({ type: 'folder', account: 'a', folder: 'b', dir })}\n`;
		expect(decodeText(line)).toMatchObject([{ dir }]);
	});

	it.each([
		['', 'null'],
		['', '[]'],
		['', '"text"'],
		['type', '{}'],
		['type', { type: 'wish' }],
		['type', { type: 'toString' }],
		['type', { ...PLACED, type: 7 }],
		['account', { ...PLACED, account: '..' }],
		['account', { ...PLACED, account: 'a/b' }],
		['account', { type: 'account-removed' }],
		['folder', { ...PLACED, folder: 'a//b' }],
		['folder', { ...PLACED, folder: '../a' }],
		['key', { ...PLACED, key: '' }],
		['key', { ...PLACED, key: '..' }],
		['key', { ...PLACED, key: 'a\0b' }],
		['key', { ...PLACED, key: '../evil' }],
		['key', { ...PLACED, key: '/2e/2e/2fevil' }],
		['key', { ...PLACED, key: '//80' }],
		['info', { ...PLACED, info: ':2,/../../evil' }],
		['message', { ...PLACED, message: HASH.toUpperCase() }],
		['message', { ...PLACED, message: HASH.slice(1) }],
		['flags', { ...PLACED, flags: ['seen', 'draft'] }],
		['flags', { ...PLACED, flags: ['seen', 'seen'] }],
		['flags', { ...PLACED, flags: ['recent'] }],
		['flags[0]', { ...PLACED, flags: [1] }],
		['keywords', { ...PLACED, keywords: 'work' }],
		['date', { ...PLACED, date: '2026-11-23' }],
		['date', { ...PLACED, date: '2026-02-30T00:00:00.000Z' }],
		['since', { ...PLACED, since: '' }],
		['uid', { ...PLACED, uid: -1 }],
		['uid', { ...PLACED, uid: 1.5 }],
		['uid', { ...PLACED, uid: 2 ** 53 }],
		['uid', { ...PLACED, uid: null }],
		['dir', { ...PLACED, dir: 'tmp' }],
		['mode', { ...PLACED, mode: 0o10000 }],
		['owner', { ...PLACED, owner: [1] }],
		['owner', { ...PLACED, owner: [1, 2, 3] }],
		['owner', { ...PLACED, owner: [1, 2 ** 32] }],
		['colour', { ...PLACED, colour: 'red' }],
		['__proto__', JSON.stringify(PLACED).replace('}', ',"__proto__":{}}')],
		['dir', { type: 'folder', account: 'a', folder: 'b', dir: '/etc' }],
		['dir', { type: 'folder', account: 'a', folder: 'b', dir: '..' }],
		['dir', { type: 'folder', account: 'a', folder: 'b', dir: 'a//b' }],
		['dir', { type: 'folder', account: 'a', folder: 'b', dir: '//e9/..' }],
		['dir', { type: 'folder', account: 'a', folder: 'b', dir: '..//2f' }],
		['dir', { type: 'folder', account: 'a', folder: 'b', dir: '//E9' }],
		['layout', { type: 'account', account: 'a', source: 'maildir:/m', layout: 'dbox' }],
		['path', { ...CONTROL, path: '../evil' }],
		['path', { ...CONTROL, path: '/etc/passwd' }],
		['path', { ...CONTROL, path: '' }],
		['content', { ...CONTROL, content: 'YQ' }],
		['content', { ...CONTROL, content: 'Y===' }],
		['content', { ...CONTROL, content: 'Y-==' }],
		['content', { ...CONTROL, link: 'elsewhere' }],
		['content', { ...CONTROL, content: undefined }],
		['link', { ...CONTROL, content: undefined, link: '' }],
		['id', { ...MESSAGE, id: 'no id' }],
		['size', { ...MESSAGE, size: '1' }],
		['codec', { ...MESSAGE, codec: 'zstd' }],
		['recipe', { ...MESSAGE, recipe: 300 }],
		['recipe', { ...MESSAGE, recipe: 300, attachments: [{ ...PART, id: undefined }] }],
		['recipe', { ...MESSAGE, attachments: [PART] }],
		['recipe', { ...RECIPE, recipe: null }],
		['recipe', { ...RECIPE, recipe: -1 }],
		['attachments', { ...MESSAGE, attachments: undefined }],
		['attachments', { ...MESSAGE, attachments: {} }],
		['attachments', { ...MESSAGE, attachments: new Array(1001).fill({ type: 'image/gif', size: 43 }) }],
		['attachments[0]', { ...MESSAGE, attachments: ['x'] }],
		['attachments[0]', { ...MESSAGE, attachments: [HASH] }],
		['attachments[1]', { ...RECIPE, attachments: [PART, null] }],
		['attachments[1].id', { ...RECIPE, attachments: [PART, { ...PART, id: HASH.slice(1) }] }],
		['attachments[0].name', { ...RECIPE, attachments: [{ ...PART, name: 1 }] }],
		['attachments[0].type', { ...RECIPE, attachments: [{ ...PART, type: undefined }] }],
		['attachments[0].size', { ...RECIPE, attachments: [{ ...PART, size: '9000' }] }],
		['attachments[0].disposition', { ...RECIPE, attachments: [{ ...PART, disposition: 'form-data' }] }],
		['attachments[0].colour', { ...RECIPE, attachments: [{ ...PART, colour: 'red' }] }],
		['id', { ...ATTACHMENT, id: HASH.toUpperCase() }],
		['size', { ...ATTACHMENT, size: undefined }],
		['codec', { ...ATTACHMENT, codec: 'zstd' }],
		['name', { ...ATTACHMENT, name: 'plan.pdf' }],
		['headers', { ...MESSAGE, headers: null }],
		['headers.date', { ...MESSAGE, headers: { date: 'yesterday' } }],
		['headers.subject', { ...MESSAGE, headers: { subject: 1 } }],
		['headers.bcc', { ...MESSAGE, headers: { bcc: 'x' } }],
	])('refuses field "%s" of %j, with its line', (field, value) => {
		const line = typeof value === 'string' ? value : JSON.stringify(value);
		expect(() => decodeText(`${JSON.stringify(MESSAGE)}\n${line}\n`)).toThrow(refusal(2, field));
	});

	it.each(['', ' ', '{', '{"type":"account-removed","account":"a"} {}'])('refuses a line that is not JSON: "%s"', (line) => {
		expect(() => decodeText(`${line}\n`)).toThrow(
			expect.objectContaining({ code: 'archive-damaged', details: { damage: 'bad-manifest', line: 1 } }),
		);
	});

	it('refuses a last line without its newline, since it may be cut', () => {
		expect(() => decodeText(JSON.stringify(PLACED))).toThrow('line 1: it has no newline');
	});

	it('refuses bytes that are not UTF-8 instead of replacing them', () => {
		expect(() => decodeManifest(gzipSync(Buffer.from(JSON.stringify({ ...PLACED, key: 'é' }), 'latin1')))).toThrow('not UTF-8');
	});

	it('stops at its limit', () => {
		const bytes = encodeManifest(decodeText(`${JSON.stringify(PLACED)}\n`.repeat(100)));
		const size = gunzipSync(bytes).length;
		expect(decodeManifest(bytes, { limit: size })).toHaveLength(100);
		expect(() => decodeManifest(bytes, { limit: size - 1 })).toThrow(
			expect.objectContaining({ details: expect.objectContaining({ damage: 'too-large' }) }),
		);
	});

	it('takes a long file without running out of stack', () => {
		const content = Buffer.alloc(3_000_000).toString('base64');
		const [line] = decodeText(
			`${JSON.stringify({ ...CONTROL, content })}\n${JSON.stringify({ ...PLACED, info: '/80'.repeat(300_000) })}\n`,
		);
		expect(line).toEqual({ ...CONTROL, content });
	});
});
