import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { rebuildMessage } from '../../src/attachments/index.ts';
import { parseAttachmentId } from '../../src/domain/index.ts';
import { CHUNKINGS, inChunks } from './chunkings.ts';

const BYTES = Buffer.from(Uint8Array.from({ length: 300 }, (_, index) => index * 7));
const ID = parseAttachmentId(createHash('sha256').update(BYTES).digest('hex'));

function rebuild(line: object | string, literal = '', attachment: Buffer = BYTES): Buffer {
	const recipe = Buffer.from(`${typeof line === 'string' ? line : JSON.stringify(line)}\n${literal}`, 'latin1');
	const results = CHUNKINGS.flatMap(([, outer]) =>
		CHUNKINGS.map(([, inner]) => {
			const pieces = [...rebuildMessage(inChunks(recipe, outer), () => inChunks(attachment, inner))];
			return Buffer.concat(pieces);
		}),
	);
	const [first] = results;
	if (!first) throw new Error('no chunking');
	for (const other of results) expect(other.equals(first)).toBe(true);
	return first;
}

function refusal(line: object | string, literal = '', attachment: Buffer = BYTES): unknown {
	try {
		rebuild(line, literal, attachment);
	} catch (error) {
		return error;
	}
	return undefined;
}

const BAD_RECIPE = expect.objectContaining({ code: 'archive-damaged', details: { damage: 'bad-recipe' } });

function withBase64(base64: object, size: number): object {
	return { recipe: 1, size, pieces: [{ attachment: ID, size: 300, base64 }] };
}

describe('rebuildMessage()', () => {
	it('puts literal bytes and attachments together', () => {
		const line = {
			recipe: 1,
			size: 605,
			pieces: [{ literal: 2 }, { attachment: ID, size: 300 }, { literal: 3 }, { attachment: ID, size: 300 }],
		};
		expect(rebuild(line, 'ab\n\0\xff').equals(Buffer.concat([Buffer.from('ab'), BYTES, Buffer.from('\n\0\xff', 'latin1'), BYTES]))).toBe(
			true,
		);
	});

	it('rebuilds a message that has nothing but literal bytes, or nothing at all', () => {
		expect(rebuild({ recipe: 1, size: 3, pieces: [{ literal: 3 }] }, 'abc').toString()).toBe('abc');
		expect(rebuild({ recipe: 1, size: 0, pieces: [] })).toHaveLength(0);
	});

	it.each([
		[[]],
		[[[5, 76, '\r\n']]],
		[[[5, 76, '\n']]],
		[[[20, 17, '\r\n']]],
		[[[399, 1, ' \t\r\n']]],
		[[[1, 399, '\n']]],
		[
			[
				[2, 16, '\n'],
				[1, 16, '\r\n'],
				[3, 16, '\n'],
				[100, 2, '\n\n'],
				[1, 15, '\n'],
			],
		],
	] as [number, number, string][][][])('cuts base64 text into the lines %j', (lines) => {
		const text = BYTES.toString('base64');
		let expected = '';
		let at = 0;
		for (const [count, width, end] of lines)
			for (let index = 0; index < count; index++, at += width) expected += text.slice(at, at + width) + end;
		expected += text.slice(at);
		expect(rebuild(withBase64({ lines }, expected.length)).toString('latin1')).toBe(expected);
	});

	it.each(['A', 'AA', 'AA=', 'AAAA====', 'AB=='])('puts %s in place of the last group', (last) => {
		const text = BYTES.toString('base64').slice(0, -4) + last;
		expect(rebuild(withBase64({ lines: [], last }, text.length)).toString()).toBe(text);
		const cut = `${text.slice(0, 390)}\n${text.slice(390)}`;
		expect(rebuild(withBase64({ lines: [[1, 390, '\n']], last }, cut.length)).toString()).toBe(cut);
	});

	it.each([1, 2, 3, 4])('writes an attachment of %d bytes', (size) => {
		const bytes = BYTES.subarray(0, size);
		const text = bytes.toString('base64');
		const line = { recipe: 1, size: text.length, pieces: [{ attachment: ID, size, base64: { lines: [] } }] };
		expect(rebuild(line, '', bytes).toString()).toBe(text);
		const last = { recipe: 1, size: text.length - 3, pieces: [{ attachment: ID, size, base64: { lines: [], last: '=' } }] };
		expect(rebuild(last, '', bytes).toString()).toBe(`${text.slice(0, -4)}=`);
	});

	it('gives pieces that stay as they are when the next one is asked for', () => {
		const bytes = Buffer.alloc(200_000, 'abcdefg');
		const text = bytes.toString('base64').replace(/(.{76})/g, '$1\r\n');
		const line = {
			recipe: 1,
			size: text.length + 1,
			pieces: [{ attachment: ID, size: bytes.length, base64: { lines: [[3508, 76, '\r\n']] } }, { literal: 1 }],
		};
		const recipe = Buffer.from(`${JSON.stringify(line)}\nx`);
		const pieces = [...rebuildMessage([recipe], () => [bytes])];
		recipe.fill(0);
		expect(Buffer.concat(pieces).toString()).toBe(`${text}x`);
	});

	it('lets go of its sources, also where the caller stops early', () => {
		const closed: string[] = [];
		function* source(name: string, bytes: Buffer): Iterable<Uint8Array> {
			try {
				for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
			} finally {
				closed.push(name);
			}
		}
		const line = Buffer.from(`${JSON.stringify({ recipe: 1, size: 300, pieces: [{ attachment: ID, size: 300 }] })}\n`);
		for (const _ of rebuildMessage(source('recipe', line), () => source('attachment', BYTES))) break;
		expect(closed).toEqual(['attachment', 'recipe']);
	});

	it('throws what its sources throw', () => {
		const line = Buffer.from(`${JSON.stringify({ recipe: 1, size: 300, pieces: [{ attachment: ID, size: 300 }] })}\n`);
		const gone = new Error('gone');
		expect(() => [
			...rebuildMessage([line], () => {
				throw gone;
			}),
		]).toThrow(gone);
	});

	it.each([
		['no line', 'x'.repeat(100)],
		['no JSON', 'x\n'],
		['no UTF-8', '{"recipe":1,"size":0,"pieces":[],"\xff":1}\n'],
		['white space', '{"recipe":1, "size":0,"pieces":[]}\n'],
		['another order of fields', '{"size":0,"recipe":1,"pieces":[]}\n'],
		['an unknown field', '{"recipe":1,"size":0,"pieces":[],"more":1}\n'],
		['a field twice', '{"recipe":1,"size":0,"size":0,"pieces":[]}\n'],
		['another form of a number', '{"recipe":1.0,"size":0,"pieces":[]}\n'],
		['another version', '{"recipe":2,"size":0,"pieces":[]}\n'],
		['a list', '[]\n'],
		['null', 'null\n'],
		['pieces that are no list', '{"recipe":1,"size":0,"pieces":{}}\n'],
		['a prototype', '{"recipe":1,"size":0,"pieces":[],"__proto__":{}}\n'],
		['a line without end', `{"recipe":1,${' '.repeat(9 << 20)}`],
	])('refuses a first line with %s', (_, recipe) => {
		expect(() => [...rebuildMessage([Buffer.from(recipe, 'latin1')], () => [])]).toThrow(BAD_RECIPE);
	});

	it.each([
		[{ literal: 0 }],
		[{ literal: -1 }],
		[{ literal: 1.5 }],
		[{ literal: '3' }],
		[{ literal: 3, attachment: ID }],
		[{ attachment: ID, size: 0 }],
		[{ attachment: ID }],
		[{ attachment: ID.toUpperCase(), size: 3 }],
		[{ attachment: 3, size: 3 }],
		[{ attachment: ID, size: 3, name: 'x' }],
		[{ attachment: ID, size: 3, base64: null }],
		[{}],
		[null],
		[[]],
	])('refuses the piece %j', (piece) => {
		expect(refusal({ recipe: 1, size: 3, pieces: [piece] }, 'abc', BYTES.subarray(0, 3))).toEqual(BAD_RECIPE);
	});

	it.each([
		[{}, 400],
		[{ lines: {} }, 400],
		[{ lines: [[1, 400, '\n']] }, 401],
		[{ lines: [[2, 200, '\n']] }, 402],
		[{ lines: [[9e15, 9e15, '\n']] }, 400],
		[{ lines: [[0, 76, '\n']] }, 400],
		[{ lines: [[1, 0, '\n']] }, 401],
		[{ lines: [[1, 76, '']] }, 400],
		[{ lines: [[1, 76, '\r']] }, 401],
		[{ lines: [[1, 76, '    \n']] }, 405],
		[{ lines: [[1, 76, '\n\n\n\n\n']] }, 405],
		[{ lines: [[1, 76, 'x\n']] }, 402],
		[{ lines: [[1, 76, '\n\v']] }, 402],
		[{ lines: [[1, 76]] }, 401],
		[{ lines: [[1, 76, '\n', 1]] }, 401],
		[
			{
				lines: [
					[1, 76, '\n'],
					[1, 76, '\n'],
				],
			},
			402,
		],
		[{ lines: Array.from({ length: 65 }, (_, index) => [1, 1 + (index % 2), '\n']) }, 465],
		[{ lines: [], last: '' }, 396],
		[{ lines: [], last: 'AAAAAAAAA' }, 405],
		[{ lines: [], last: 'AA-=' }, 400],
		[{ lines: [], last: 'AAA\n' }, 400],
		[{ lines: [], last: 4 }, 400],
		[{ lines: [], more: 1 }, 400],
		[{ last: 'AAAA', lines: [] }, 400],
	])('refuses the base64 %j', (base64, size) => {
		expect(refusal(withBase64(base64, size))).toEqual(BAD_RECIPE);
	});

	it('refuses pieces that are longer or shorter than the message, or than what there is', () => {
		expect(refusal({ recipe: 1, size: 4, pieces: [{ literal: 3 }] }, 'abc')).toEqual(BAD_RECIPE);
		expect(refusal({ recipe: 1, size: 4, pieces: [{ literal: 4 }] }, 'abc')).toEqual(BAD_RECIPE);
		expect(refusal({ recipe: 1, size: 2, pieces: [{ literal: 2 }] }, 'abc')).toEqual(BAD_RECIPE);
		expect(refusal({ recipe: 1, size: 301, pieces: [{ attachment: ID, size: 301 }] })).toEqual(BAD_RECIPE);
		expect(refusal({ recipe: 1, size: 299, pieces: [{ attachment: ID, size: 299 }] })).toEqual(BAD_RECIPE);
		expect(refusal(withBase64({ lines: [] }, 400), '', BYTES.subarray(1))).toEqual(BAD_RECIPE);
		expect(refusal(withBase64({ lines: [] }, 400), '', Buffer.concat([BYTES, BYTES]))).toEqual(BAD_RECIPE);
		expect(refusal(withBase64({ lines: [] }, 400), '', Buffer.alloc(0))).toEqual(BAD_RECIPE);
	});
});
