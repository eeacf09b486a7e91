import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { takeApart, takeApartStream } from '../../src/attachments/index.ts';
import { isProved } from '../../src/attachments/take-apart.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { mail } from './generated-mail.ts';
import { checkLaws } from './laws.ts';

const FILE = Buffer.from(Uint8Array.from({ length: 5000 }, (_, index) => Math.imul(index, 2_654_435_761) >>> 13));
const ID = createHash('sha256').update(FILE).digest('hex');

function encoded(options: { width?: number; end?: string } = {}): string {
	const { width = 76, end = '\r\n' } = options;
	return FILE.toString('base64').replace(new RegExp(`(.{${width}})(?=.)`, 'g'), `$1${end}`);
}

function withFile(body: string, header = 'Content-Type: application/pdf; name="a.pdf"'): Buffer {
	const lines = [
		'Content-Type: multipart/mixed; boundary=b',
		'',
		'--b',
		'',
		'text',
		'--b',
		header,
		'Content-Transfer-Encoding: base64',
		'',
		body,
		'--b--',
		'',
	];
	return Buffer.from(lines.join('\r\n'), 'latin1');
}

function apartOf(message: Buffer, minimum = 1000): ReturnType<typeof takeApart> {
	return checkLaws(message, { minimum, sizes: [999, 1, 50] });
}

function firstLine(recipe: Uint8Array | null): unknown {
	return JSON.parse(
		Buffer.from(recipe ?? [])
			.toString('latin1')
			.split('\n', 1)[0] ?? '',
	);
}

describe('takeApart()', () => {
	it.each([
		[76, '\r\n'],
		[72, '\r\n'],
		[76, '\n'],
		[72, '\n'],
		[75, '\n'],
		[6668, '\n'],
	])('gives the same attachment for a file in lines of %d with %j', (width, end) => {
		const { attachments, parts } = apartOf(withFile(encoded({ width, end })));
		expect([...attachments.keys()]).toEqual([ID]);
		expect(parts).toEqual([{ id: ID, name: 'a.pdf', type: 'application/pdf', size: 5000 }]);
	});

	it('writes the recipe that docs/format.md describes', () => {
		const message = withFile(`${encoded()}\r\n`);
		const { recipe } = apartOf(message);
		const start = message.indexOf('\r\n\r\n', message.indexOf('base64')) + 4;
		expect(firstLine(recipe)).toEqual({
			recipe: 1,
			size: message.length,
			pieces: [
				{ literal: start },
				{ attachment: ID, size: 5000, base64: { lines: [[87, 76, '\r\n']] } },
				{ literal: message.length - start - encoded().length },
			],
		});
	});

	it('counts the bytes of the file, not those of its base64', () => {
		expect(apartOf(withFile(encoded()), 5000).attachments.size).toBe(1);
		expect(apartOf(withFile(encoded()), 5001).attachments.size).toBe(0);
		expect(apartOf(withFile(encoded()), 5001).parts).toEqual([{ name: 'a.pdf', type: 'application/pdf', size: 5000 }]);
	});

	it('stores what is no base64 as it stands', () => {
		const body = `${encoded()}\r\n--\r\nfooter`.replace('=', '');
		const { parts } = apartOf(withFile(body));
		expect(parts).toEqual([
			{ id: createHash('sha256').update(body).digest('hex'), name: 'a.pdf', type: 'application/pdf', size: body.length },
		]);
	});

	it.each(['-', '_'])('stores base64 with %s in it as it stands, although a decoder would take it', (character) => {
		const body = `${encoded().slice(0, 1000)}${character}${encoded().slice(1001)}`;
		expect(apartOf(withFile(body)).parts).toMatchObject([{ size: body.length }]);
		const small = 'YWJj-GVm';
		expect(apartOf(withFile(small)).parts).toMatchObject([{ size: small.length }]);
	});

	it('stores large text, 8bit and quoted-printable as they stand', () => {
		for (const encoding of ['7bit', '8bit', 'binary', 'quoted-printable', 'x-uuencode']) {
			const body = `=41${'\xe4 text\r\n'.repeat(500)}`;
			const message = Buffer.from(`Content-Transfer-Encoding: ${encoding}\r\n\r\n${body}`, 'latin1');
			const id = createHash('sha256').update(Buffer.from(body, 'latin1')).digest('hex');
			expect(apartOf(message).parts).toEqual([{ id, type: 'text/plain', size: body.length }]);
		}
	});

	it('gives an attachment once that is there twice', () => {
		const message = Buffer.concat([withFile(encoded()).subarray(0, -7), withFile(encoded({ width: 60 })).subarray(43)]);
		const { attachments, parts } = apartOf(message);
		expect(parts.map(({ id }) => id)).toEqual([ID, ID]);
		expect(attachments.size).toBe(1);
	});

	it('keeps a message whole that has nothing large enough, and names its files', () => {
		const message = withFile('YWJj', 'Content-Type: text/css\r\nContent-Disposition: attachment');
		expect(takeApart(message, { minimum: 100 })).toEqual({
			recipe: null,
			parts: [{ type: 'text/css', size: 3, disposition: 'attachment' }],
			attachments: new Map(),
			problem: null,
		});
	});

	it('takes an empty leaf for no attachment, whatever the minimum', () => {
		const { recipe, parts } = apartOf(Buffer.from('Content-Type: a/b; name=x\n\n'), 0);
		expect([recipe, parts]).toEqual([null, [{ name: 'x', type: 'a/b', size: 0 }]]);
	});

	it('keeps a message whole that it cannot split, and says why', () => {
		const message = Buffer.from(`${'Content-Type: message/rfc822\n\n'.repeat(260)}\n${'x'.repeat(5000)}`);
		expect(apartOf(message)).toEqual({ recipe: null, parts: [], attachments: new Map(), problem: 'mime-too-deep' });
	});

	it('stores no more than 1,000 parts apart', () => {
		const parts = Array.from({ length: 1200 }, (_, index) => `--b\n\npart ${index}\n`).join('');
		const { parts: facts, recipe } = apartOf(Buffer.from(`Content-Type: multipart/mixed; boundary=b\n\n${parts}--b--`), 1);
		expect(facts).toHaveLength(1000);
		expect(recipe).not.toBeNull();
	});

	it('holds its laws for generated mail', () => {
		fc.assert(
			fc.property(
				mail(),
				fc.constantFrom(1, 30, 200),
				fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 4 }),
				(message, minimum, sizes) => {
					expect(checkLaws(message, { minimum, sizes }).problem).not.toBe('recipe-mismatch');
				},
			),
			propertyRuns(),
		);
	});

	it('holds its laws for any bytes', () => {
		const bytes = fc
			.array(fc.oneof(fc.constantFrom('\n', '\r', '--b', ': ', 'Content-Type: multipart/mixed; boundary=b\n', '\n\n', '='), fc.string()))
			.map((pieces) => Buffer.from(pieces.join('')));
		fc.assert(
			fc.property(fc.oneof(bytes, fc.uint8Array({ maxLength: 300 }).map(Buffer.from)), fc.integer({ min: 1, max: 50 }), (message, size) => {
				checkLaws(Buffer.from(message), { minimum: 1, sizes: [size] });
			}),
			propertyRuns(),
		);
	});
});

describe('the proof', () => {
	it('fails where one byte of recipe, attachment or message is another', () => {
		const message = withFile(encoded());
		const { recipe, attachments } = takeApart(message, { minimum: 1000 });
		if (recipe === null) throw new Error('kept whole');
		expect(isProved(recipe, { message, attachments })).toBe(true);
		for (const at of [0, 20, recipe.indexOf(0x0a) + 1, recipe.length - 1]) {
			const other = Uint8Array.from(recipe);
			other[at] = (other[at] ?? 0) ^ 1;
			expect(isProved(other, { message, attachments })).toBe(false);
		}
		for (const at of [0, 200, message.length - 1]) {
			const other = Buffer.from(message);
			other[at] = (other[at] ?? 0) ^ 1;
			expect(isProved(recipe, { message: other, attachments })).toBe(false);
		}
		expect(isProved(recipe, { message: Buffer.concat([message, Buffer.from('x')]), attachments })).toBe(false);
		expect(isProved(recipe, { message: message.subarray(0, -1), attachments })).toBe(false);
		expect(isProved(recipe, { message, attachments: new Map() })).toBe(false);
		const changed = new Map([...attachments].map(([id, bytes]) => [id, Uint8Array.from(bytes).fill(7, 9, 10)]));
		expect(isProved(recipe, { message, attachments: changed })).toBe(false);
	});
});

describe('takeApartStream()', () => {
	it('asks for each chunk whether to go on', () => {
		const message = withFile(encoded());
		for (const stopAt of [1, 2, 5, 9]) {
			let left = stopAt;
			const stop = new Error('stop');
			const open = (): Iterable<Uint8Array> => [message.subarray(0, 3000), message.subarray(3000)];
			const check = (): void => {
				if (--left === 0) throw stop;
			};
			expect(() => takeApartStream(open, { minimum: 1000, check })).toThrow(stop);
		}
	});

	it('keeps a message whole that is another when it is read again', () => {
		const message = withFile(encoded());
		for (const change of [0, 1500, message.length - 1]) {
			let opened = 0;
			const open = (): Iterable<Uint8Array> => {
				const bytes = Buffer.from(message);
				if (++opened > 2) bytes[change] = 0x41;
				return [bytes];
			};
			// The readings of recipe, attachments and message agree with each other, but not with the ids that came before.
			const { recipe, problem } = takeApartStream(open, { minimum: 1000, check: () => undefined });
			if (change === 1500) expect(problem).toBe(null);
			expect(recipe === null).toBe(problem === 'recipe-mismatch');
		}
	});

	it('keeps a message whole that is longer when it is read again', () => {
		const message = withFile(encoded());
		let opened = 0;
		const open = (): Iterable<Uint8Array> => (++opened > 2 ? [message, Buffer.from('x')] : [message]);
		expect(takeApartStream(open, { minimum: 1000, check: () => undefined })).toMatchObject({ recipe: null, problem: 'recipe-mismatch' });
	});

	it('takes apart 40 MB that are generated as they are read', () => {
		const line = Buffer.from(`${'QUJD'.repeat(19)}\r\n`);
		const lines = Math.floor(40_000_000 / line.length);
		function* open(): Iterable<Uint8Array> {
			yield Buffer.from('Content-Transfer-Encoding: base64\r\n\r\n');
			const chunk = Buffer.alloc(1000 * line.length, line);
			for (let left = lines; left > 0; left -= 1000) yield left < 1000 ? chunk.subarray(0, left * line.length) : chunk;
		}
		const before = process.memoryUsage();
		const { recipe, parts } = takeApartStream(open, { minimum: 1000, check: () => undefined });
		expect(parts).toMatchObject([{ size: lines * 57 }]);
		expect(recipe?.length).toBeLessThan(400);
		const after = process.memoryUsage();
		expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(64_000_000);
	});
});
