import { describe, expect, it } from 'vitest';
import { type Leaf, openSplitter, type SplitResult, splitMessage } from '../../src/attachments/index.ts';
import { CHUNKINGS, inChunks } from './chunkings.ts';

/** All chunkings must agree before the result counts. */
function split(message: string | Buffer): SplitResult {
	const bytes = Buffer.from(message as string, 'latin1');
	const result = splitMessage(bytes);
	for (const [, sizes] of CHUNKINGS) {
		const splitter = openSplitter();
		for (const chunk of inChunks(bytes, sizes)) splitter.push(chunk);
		expect(splitter.end()).toEqual(result);
	}
	return result;
}

/** Type and body of each leaf. */
function bodies(message: string): string[] {
	const { leaves, problem } = split(message);
	expect(problem).toBeNull();
	return leaves.map(({ start, end, type }) => `${type}: ${message.slice(start, end)}`);
}

function only(message: string): Leaf {
	const [leaf, ...others] = split(message).leaves;
	expect(others).toEqual([]);
	if (!leaf) throw new Error('no leaf');
	return leaf;
}

function multipart(boundary: string, ...parts: string[]): string {
	const body = parts.map((part) => `--${boundary}\n${part}\n`).join('');
	return `Content-Type: multipart/mixed; boundary="${boundary}"\n\n${body}--${boundary}--\n`;
}

describe('splitMessage() finds the body of a message without parts', () => {
	it.each([
		['LF', 'Subject: x\n\nbody\n', 'body\n'],
		['CRLF', 'Subject: x\r\n\r\nbody\r\n', 'body\r\n'],
		['mixed line ends', 'Subject: x\r\nTo: y\n\r\nbody\n\r\n', 'body\n\r\n'],
		['no header', '\nbody', ''],
		['empty lines above its header', '\r\n\n\nSubject: x\n\nbody', 'body'],
		['a byte order mark', '\xef\xbb\xbfSubject: x\n\nbody', 'body'],
		['no body', 'Subject: x\n', ''],
		['no end of its last line', 'Subject: x', ''],
		['nothing in it', '', ''],
		['a line of spaces in its header', 'Subject: x\n \nTo: y\n\nbody', 'body'],
		['bare CR, which is content', 'Subject: x\r\rTo: y\n\nbo\rdy\r\r', 'bo\rdy\r\r'],
		['lines that look like delimiters', 'Subject: x\n\n--\n--x\n--x--\n', '--\n--x\n--x--\n'],
	])('with %s', (_, message, body) => {
		const { start, end, ...facts } = only(message);
		expect(message.slice(start, end)).toBe(body);
		expect(facts).toEqual({ type: 'text/plain', encoding: '7bit' });
	});
});

describe('splitMessage() finds the parts of a multipart', () => {
	it.each([
		['LF', '\n'],
		['CRLF', '\r\n'],
	])('without the line breaks before the delimiters, with %s', (_, end) => {
		const lines = [
			'Content-Type: multipart/mixed; boundary=b',
			'',
			'preamble',
			'--b',
			'',
			'one',
			'',
			'--b',
			'',
			'two',
			'--b--',
			'epilogue',
			'',
		];
		expect(bodies(lines.join(end))).toEqual([`text/plain: one${end}`, 'text/plain: two']);
	});

	it('where a body is empty or has no line at all', () => {
		expect(bodies('Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n\n\n--b\nX: y\n--b\n--b--')).toEqual(
			Array(4).fill('text/plain: '),
		);
	});

	it('where the first delimiter is the first line of the body', () => {
		expect(bodies('Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--')).toEqual(['text/plain: one']);
	});

	it('at any depth, and gives preambles and epilogues to nobody', () => {
		const inner = `${multipart('inner', '\none', '\ntwo')}epilogue`;
		expect(bodies(multipart('outer', inner, '\nthree'))).toEqual(['text/plain: one', 'text/plain: two', 'text/plain: three']);
	});

	it('where the end of the inner one is missing', () => {
		const inner = 'Content-Type: multipart/mixed; boundary=inner\n\n--inner\n\none\n--inner\n\ntwo';
		expect(bodies(multipart('outer', inner, '\nthree'))).toEqual(['text/plain: one', 'text/plain: two', 'text/plain: three']);
	});

	it('where the end of all is missing', () => {
		expect(bodies('Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n')).toEqual([
			'text/plain: one',
			'text/plain: two\n',
		]);
	});

	it('where one boundary is the beginning of the other', () => {
		const inner = multipart('b-inner', '\none');
		expect(bodies(multipart('b', inner, '\n--b-other\n--b-'))).toEqual(['text/plain: one', 'text/plain: --b-other\n--b-']);
		expect(bodies(multipart('bb', multipart('b', '\none'), '\ntwo'))).toEqual(['text/plain: one', 'text/plain: two']);
	});

	it('and lets the outer one rule where two have the same boundary', () => {
		const inner = 'Content-Type: multipart/digest; boundary=b\n\n--b\n\nX: y\n\none\n--b--';
		const message = `Content-Type: multipart/mixed; boundary=b\n\n--b\n${inner}\n--b\n\nnobody's`;
		expect(bodies(message)).toEqual(['text/plain: X: y\n\none']);
	});

	it('and takes a line for the end of the outer one before it takes it for a part of the inner one', () => {
		const inner = 'Content-Type: multipart/mixed; boundary="b--"\n\n--b--\n\none\n--b----';
		expect(bodies(`Content-Type: multipart/mixed; boundary=b\n\n--b\n${inner}\n--b--\nepilogue`)).toEqual([]);
		expect(bodies('Content-Type: multipart/mixed; boundary="b--"\n\n--b--\n\none\n--b----\n')).toEqual(['text/plain: one']);
	});

	it.each(['--', '--x', '--b\r', '-', '\r', '--x\r\r'])('where %j stands right above a delimiter', (line) => {
		for (const end of ['\n', '\r\n']) {
			const message = `Content-Type: multipart/mixed; boundary=b${end}${end}--b${end}${end}one${end}${line}x${end}${line}`;
			const body = `one${end}${line}x${end}${line}`;
			const kept = end === '\n' && line.endsWith('\r') ? body.slice(0, -1) : body;
			if (line !== '--b\r') expect(bodies(`${message}${end}--b--${end}`)).toEqual([`text/plain: ${kept}`]);
			else expect(bodies(`${message}${end}--b--${end}`)[0]).toMatch(/^text\/plain: one/);
		}
	});

	it.each(['--b \t', '--b\t\r', '--b-- ', '--b--\t \r'])('and allows white space behind the delimiter %j', (line) => {
		expect(bodies(`Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n${line}\n\ntwo`)[0]).toBe('text/plain: one');
	});

	it.each([' --b', '-b', '--b-', '--b --', '--bb', '--B', '--b\rx', '>--b', '--b\r\r', '--'])('and takes %j for text', (line) => {
		expect(bodies(`Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n${line}\n!\n--b--`)).toEqual([`text/plain: one\n${line}\n!`]);
	});

	it('and drops white space at the end of the boundary parameter', () => {
		expect(bodies('Content-Type: multipart/mixed; boundary="b \t"\n\n--b\n\none\n--b--')).toEqual(['text/plain: one']);
	});

	it('where a delimiter stands within a header block', () => {
		const message = 'Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n--b\n\ntwo\n--b--';
		expect(bodies(message)).toEqual(['image/png: ', 'text/plain: two']);
	});

	it('whose boundary holds bytes beyond ASCII', () => {
		expect(bodies('Content-Type: multipart/mixed; boundary="b\xe4\xff"\n\n--b\xe4\xff\n\none\n--b\xe4\xff--')).toEqual(['text/plain: one']);
	});

	it('whose boundary comes in continuations', () => {
		expect(bodies('Content-Type: multipart/mixed; boundary*0=a;\n boundary*1=b\n\n--ab\n\none\n--ab--')).toEqual(['text/plain: one']);
	});

	it.each(['', '; boundary=""', '; boundary=" "', '; charset=x', `; boundary=${'b'.repeat(4097)}`])(
		'but takes one that has "%s" for a leaf',
		(parameter) => {
			const { type, start, end } = only(`Content-Type: multipart/mixed${parameter}\n\n--b\n\none`);
			expect([type, end - start]).toEqual(['multipart/mixed', 8]);
		},
	);
});

describe('splitMessage() opens messages in messages', () => {
	const inner = 'Content-Type: image/gif\n\nGIF';

	it('and is a part itself, with its name, from its first header to its end', () => {
		const part = `Content-Type: message/rfc822; name="Original.eml"\nContent-Disposition: attachment\n\n${inner}`;
		const message = multipart('b', part, '\nlast');
		const { leaves, messages } = split(message);
		const facts = { type: 'message/rfc822', name: 'Original.eml', disposition: 'attachment', encoding: '7bit' };
		expect(messages).toEqual([{ start: message.indexOf(inner), end: message.indexOf(inner) + inner.length, ...facts }]);
		expect(leaves.map(({ type }) => type)).toEqual([...split(inner).leaves.map(({ type }) => type), 'text/plain']);
	});

	it('and ends where the multiparts around it go on, each with its own end', () => {
		const forwarded = (text: string) => `Content-Type: message/rfc822; name=${text}\n\n`;
		const message = multipart('b', `${forwarded('outer')}${forwarded('within')}Subject: x\n\nbody`, `${forwarded('last')}\ny`);
		const texts = split(message).messages.map(({ name, start, end }) => [name, message.slice(start, end)]);
		expect(texts).toEqual([
			['outer', `${forwarded('within')}Subject: x\n\nbody`],
			['within', 'Subject: x\n\nbody'],
			['last', '\ny'],
		]);
	});

	it.each(['message/rfc822', 'Message/RFC822; name=x', 'message/global'])('of type %s', (type) => {
		expect(bodies(multipart('b', `Content-Type: ${type}\n\n${inner}`, '\ntwo'))).toEqual(['image/gif: GIF', 'text/plain: two']);
	});

	it.each(['7bit', '8BIT', 'binary'])('in encoding %s', (encoding) => {
		const part = `Content-Type: message/rfc822\nContent-Transfer-Encoding: ${encoding}\n\n${inner}`;
		expect(bodies(multipart('b', part))).toEqual(['image/gif: GIF']);
	});

	it.each(['base64', 'quoted-printable', 'x-unknown'])('but not in encoding %s', (encoding) => {
		const part = `Content-Type: message/rfc822\nContent-Transfer-Encoding: ${encoding}\n\n${inner}`;
		expect(bodies(multipart('b', part))).toEqual([`message/rfc822: ${inner}`]);
	});

	it('in a digest, where a part that names no type is one', () => {
		const message = `Content-Type: multipart/digest; boundary=d\n\n--d\n\n${inner}\n--d\nContent-Type: text/html\n\ntwo\n--d--`;
		expect(bodies(message)).toEqual(['image/gif: GIF', 'text/html: two']);
	});

	it('and goes back to the type of the outer multipart behind them', () => {
		const digest = `Content-Type: multipart/digest; boundary=d\n\n--d\n\n${inner}\n--d--`;
		expect(bodies(multipart('b', digest, 'X: y\n\ntwo'))).toEqual(['image/gif: GIF', 'text/plain: two']);
	});
});

describe('splitMessage() reads headers', () => {
	it.each([
		['Content-Type: IMAGE/Png', 'image/png'],
		['content-type:text/html;charset=x', 'text/html'],
		['CONTENT-TYPE \t: text/html', 'text/html'],
		['Content-Type:\n text/html;\n x=y', 'text/html'],
		['Content-Type: (a (nested) \\) comment) text/html (b)', 'text/html'],
		['Content-Type: text/html\nContent-Type: image/png', 'text/html'],
		['Content-Type: text', 'text/plain'],
		['Content-Type: text/', 'text/plain'],
		['Content-Type: te<xt/html', 'text/plain'],
		['Content-Type:', 'text/plain'],
		['Content-Typed: image/png', 'text/plain'],
		['X-Content-Type: image/png', 'text/plain'],
		[' Content-Type: image/png', 'text/plain'],
		['junk\n: \n\0\nContent-Type: image/png', 'image/png'],
		[`Content-Type: ${'a'.repeat(200)}/b`, 'text/plain'],
	])('%j is type %s', (header, type) => {
		expect(only(`${header}\n\nbody`).type).toBe(type);
	});

	it.each([
		['BASE64', 'base64'],
		[' base64 (comment)', 'base64'],
		['"base64"', 'base64'],
		['base64;', 'base64'],
		['\n base64', 'base64'],
		['x-my-own', 'x-my-own'],
		['', '7bit'],
		['8bit\nContent-Transfer-Encoding: base64', '8bit'],
	])('Content-Transfer-Encoding:%j is %s', (value, encoding) => {
		expect(only(`Content-Transfer-Encoding:${value}\n\nbody`).encoding).toBe(encoding);
	});

	it.each([
		['attachment', 'attachment'],
		['INLINE; filename=x', 'inline'],
		['x-unknown', 'attachment'],
		['', undefined],
		['; filename=x', undefined],
	])('Content-Disposition: %s is %s', (value, disposition) => {
		expect(only(`Content-Disposition: ${value}\n\nbody`).disposition).toBe(disposition);
	});
});

it.each(['\r\n\n', '\n\n\n', '\r\n\r\n\r\n'])('splitMessage() passes over empty lines at the top, however they come in: %j', (blank) => {
	expect(bodies(`${blank}${multipart('b', '\none', '\ntwo')}`)).toEqual(['text/plain: one', 'text/plain: two']);
});

describe('splitMessage() keeps its limits', () => {
	function nested(depth: number): string {
		let message = '\nbody';
		for (let level = depth; level > 0; level--) message = multipart(`b${level}`, message);
		return message;
	}

	it('of 256 multiparts and messages within each other', () => {
		expect(split(nested(256)).leaves).toHaveLength(1);
		expect(split(nested(257))).toEqual({ leaves: [], messages: [], problem: 'mime-too-deep' });
		const opened = 'Content-Type: message/rfc822\n\n';
		expect(split(`${opened.repeat(256)}\nbody`).leaves).toHaveLength(1);
		expect(split(`${opened.repeat(257)}\nbody`)).toEqual({ leaves: [], messages: [], problem: 'mime-too-deep' });
	});

	it('of depth anew in each part', () => {
		const deep = nested(255);
		expect(split(multipart('top', deep, deep, deep)).leaves).toHaveLength(3);
	});

	it('of 10,000 parts', () => {
		expect(split(multipart('b', ...Array(10_000).fill('\nx'))).leaves).toHaveLength(10_000);
		expect(split(multipart('b', ...Array(10_001).fill('\nx')))).toEqual({ leaves: [], messages: [], problem: 'mime-too-many-parts' });
	});

	it('of 1 MiB for a header block', () => {
		const line = 'X: y\n';
		const fill = line.repeat(Math.floor((1 << 20) / line.length));
		const rest = 'z'.repeat((1 << 20) - fill.length - 1);
		expect(splitMessage(Buffer.from(`${fill}${rest}\n\nbody`)).problem).toBeNull();
		expect(splitMessage(Buffer.from(`${fill}${rest}z\n\nbody`)).problem).toBe('mime-header-too-large');
		expect(splitMessage(Buffer.from('x'.repeat((1 << 20) + 1))).problem).toBe('mime-header-too-large');
	});

	it('in chunks as in one piece', () => {
		for (const length of [(1 << 20) - 1, 1 << 20, (1 << 20) + 1]) {
			for (const tail of ['', '\n', '\n\n', '\n\nbody', '\r\n\r\nbody']) {
				const message = Buffer.from('x'.repeat(length) + tail);
				const splitter = openSplitter();
				for (const chunk of inChunks(message, [65_537, 1, 3])) splitter.push(chunk);
				expect(splitter.end()).toEqual(splitMessage(message));
			}
		}
	});

	it('of 8 KiB for a delimiter line', () => {
		for (const spaces of [8000, 8188, 8189, 8190, 8191, 9000]) {
			const message = `Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b${' '.repeat(spaces)}\n\ntwo`;
			expect(split(message).leaves).toHaveLength(spaces + 3 <= 8192 ? 2 : 1);
		}
	});
});
