import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHeaderFacts } from '../../src/attachments/index.ts';
import type { HeaderFacts } from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { sharedData } from '../support/shared-data.ts';

function factsOf(...pieces: (string | readonly number[])[]): HeaderFacts {
	return readHeaderFacts(Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : Buffer.from(piece)))));
}

function milliseconds(work: () => void): number {
	const start = performance.now();
	work();
	return performance.now() - start;
}

const LINES = [
	'Received: from a by b; Mon, 23 Nov 2026 02:15:01 +0000',
	'From: Bob <bob@example.org>',
	'To: alice@example.org,',
	'\tcarol@example.org',
	'Cc: dave@example.org',
	'Subject: Lunch',
	'Date: Mon, 23 Nov 2026 02:15:00 +0100',
	'Message-ID: <1@example.org>',
	'',
	'Subject: not this one',
];
const FACTS = {
	messageId: '<1@example.org>',
	date: '2026-11-23T01:15:00.000Z',
	from: 'Bob <bob@example.org>',
	to: 'alice@example.org, carol@example.org',
	cc: 'dave@example.org',
	subject: 'Lunch',
};

describe('readHeaderFacts() finds the header block', () => {
	it.each([
		['CRLF', '\r\n'],
		['LF', '\n'],
		['CR', '\r'],
		['CR CR LF', '\r\r\n'],
	])('with %s at the line ends', (_, end) => {
		expect(factsOf(LINES.join(end))).toEqual(FACTS);
	});

	it('with line ends of all kinds mixed', () => {
		const ends = ['\r\n', '\n', '\r'];
		expect(
			factsOf(
				LINES.slice(0, 8).reduce((text, line, index) => text + line + ends[index % 3], ''),
				'\n\nSubject: no',
			),
		).toEqual(FACTS);
	});

	it('behind empty lines, a byte order mark or an mbox separator', () => {
		expect(factsOf('\r\n\n\n', LINES.join('\n'))).toEqual(FACTS);
		expect(factsOf('\ufeff', LINES.join('\n'))).toEqual(FACTS);
		expect(factsOf('From bob@example.org Mon Nov 23 02:15:00 2026\n', LINES.join('\n'))).toEqual(FACTS);
	});

	it('where no empty line ends it', () => {
		expect(factsOf(LINES.slice(0, 8).join('\r\n'))).toEqual(FACTS);
		expect(factsOf('Subject: x')).toEqual({ subject: 'x' });
	});

	it('among lines that are no headers', () => {
		expect(factsOf(' stray fold\nnonsense\n>From somebody\n: nothing\n\0\0\n', LINES.join('\n'))).toEqual(FACTS);
	});

	it('and no further than its first empty line', () => {
		expect(factsOf('X: y\n\nSubject: body')).toEqual({});
		expect(factsOf('X: y\r\n\r\nSubject: body')).toEqual({});
		expect(factsOf('X: y\r\rSubject: body')).toEqual({});
		expect(factsOf('Subject: x\n \n y\n\nTo: body')).toEqual({ subject: 'x y' });
	});

	it('in no more than the first 256 KiB', () => {
		const filler = `X: ${'y'.repeat(1000)}\n`;
		expect(factsOf(filler.repeat(260), 'Subject: near\n')).toEqual({ subject: 'near' });
		expect(factsOf(filler.repeat(262), 'Subject: far\n')).toEqual({});
	});

	it('in a part of a larger buffer', () => {
		const whole = Buffer.from('Subject: one\n\nSubject: two\n\nSubject: three\n');
		expect(readHeaderFacts(whole.subarray(14, 28))).toEqual({ subject: 'two' });
		expect(readHeaderFacts(new Uint8Array(whole).subarray(14, 27))).toEqual({ subject: 'two' });
	});

	it('in nothing at all', () => {
		expect(readHeaderFacts(new Uint8Array(0))).toEqual({});
		expect(factsOf('\n')).toEqual({});
		expect(factsOf('\r')).toEqual({});
	});
});

describe('readHeaderFacts() reads a header', () => {
	it('in any case, with white space before the colon, without any after it', () => {
		expect(factsOf('SUBJECT \t:x\nfrom:y\nmessage-id :<1@x>\n')).toEqual({ subject: 'x', from: 'y', messageId: '<1@x>' });
	});

	it('but none whose name only begins or ends alike, or differs in a control character', () => {
		expect(factsOf('Subjects: a\nX-Subject: b\nSubj: c\nReply-To: d\nFrom d\nResent-To: e\nMessage\rid: <f@x>\n')).toEqual({});
	});

	it('the first time it occurs, even where that is empty', () => {
		expect(factsOf('Subject: one\nSubject: two\n more\n')).toEqual({ subject: 'one' });
		expect(factsOf('Subject:\nSubject: two\nTo: x\n')).toEqual({ to: 'x' });
	});

	it('as one line, each fold and the white space around it one space', () => {
		expect(factsOf('Subject:\r\n one\r\n\t two \r\n   three  kept\r\n')).toEqual({ subject: 'one two three  kept' });
	});

	it('with spaces for control characters', () => {
		expect(factsOf('Subject: a\0b\x1b[31mc\td\x7fe\n')).toEqual({ subject: 'a b [31mc d e' });
		expect(factsOf('Subject: =?utf-8?Q?a=0D=0ABcc:_x=1B=C2=9Bz?=\n')).toEqual({ subject: 'a  Bcc: x  z' });
		expect(factsOf('Subject: =?utf-8?Q?=00=0A?=\n')).toEqual({});
	});

	it('in UTF-8 where its raw bytes are that, else in windows-1252, each header by itself', () => {
		const name = [0x4d, 0xfc, 0x6c, 0x6c, 0x65, 0x72, 0x20, 0x80];
		expect(factsOf('Subject: Größe 🎉\nFrom: ', name, '\n')).toEqual({ subject: 'Größe 🎉', from: 'Müller €' });
		expect(factsOf('Subject: ', [0xed, 0xa0, 0x80], '\n').subject).toBe('í\u00a0€');
	});

	it('with its encoded words decoded, except in Message-ID', () => {
		expect(factsOf('From: =?utf-8?Q?J=C3=B6rg?= <j@x>\nMessage-ID: <=?utf-8?Q?a?=@x>\n')).toEqual({
			from: 'Jörg <j@x>',
			messageId: '<=?utf-8?Q?a?=@x>',
		});
		expect(factsOf('Subject: =?utf-8?Q?fol?=\r\n\t=?utf-8?Q?ded?=\r\n').subject).toBe('folded');
	});
});

describe('readHeaderFacts() reads a Message-ID', () => {
	it.each([
		['<1@x>', '<1@x>'],
		['\r\n <1@x>', '<1@x>'],
		['garbage <1@x> (comment) <2@x>', '<1@x>'],
		['<broken <1@x>', '<1@x>'],
		['1@x', '1@x'],
		['<1@x', '<1@x'],
	])('%j as %s', (value, expected) => {
		expect(factsOf(`Message-ID: ${value}\r\n`).messageId).toBe(expected);
	});
});

describe('readHeaderFacts() cuts a fact', () => {
	it('at 1,000 characters', () => {
		expect(factsOf(`Subject: ${'a'.repeat(1000)}\n`).subject).toBe('a'.repeat(1000));
		expect(factsOf(`Subject: ${'a'.repeat(1001)}\n`).subject).toBe('a'.repeat(1000));
		expect(factsOf(`Message-ID: <${'a'.repeat(1001)}>\n`).messageId).toBe(`<${'a'.repeat(999)}`);
		expect(factsOf(`To: ${'a@example.org,\r\n '.repeat(200)}\n`).to).toHaveLength(1000);
		expect(factsOf(`To: ${'=?utf-8?B?YWFhYWFhYWFhYQ==?= '.repeat(200)}\n`).to).toBe('a'.repeat(1000));
	});

	it('not inside a surrogate pair', () => {
		expect(factsOf(`Subject: ${'a'.repeat(998)}🎉🎉\n`).subject).toBe(`${'a'.repeat(998)}🎉`);
		expect(factsOf(`Subject: ${'a'.repeat(999)}🎉🎉\n`).subject).toBe('a'.repeat(999));
	});
});

describe('readHeaderFacts() of hostile bytes', () => {
	const MB = 1_000_000;
	const cases: readonly (readonly [string, () => string])[] = [
		['a header of 50 MB', () => `Subject: ${'a'.repeat(50 * MB)}`],
		['a name followed by 50 MB of spaces', () => `Subject${' '.repeat(50 * MB)}`],
		['a value of 50 MB of spaces', () => `Subject:${' '.repeat(50 * MB)}x`],
		['50 MB of NUL', () => '\0'.repeat(50 * MB)],
		['100,000 fold lines', () => `To: a${'\r\n b'.repeat(100_000)}`],
		['long runs of spaces between folds', () => `To: a${`\r\n${' '.repeat(1000)}`.repeat(1000)}`],
		['a million "=?"', () => `Subject: ${'=?'.repeat(MB)}`],
		['a million encoded words without an end', () => `Subject: ${'=?a?q? '.repeat(MB)}`],
		['a million empty encoded words', () => `Subject: ${'=?utf-8?q??='.repeat(MB)}`],
		['a million encoded words in two charsets without a character', () => `Subject: ${'=?iso-2022-jp?B?GyhC?= =?koi8-r?q??= '.repeat(MB)}`],
		['as many unknown charsets', () => `Subject: ${Array.from({ length: 100_000 }, (_, index) => `=?c${index}?q?x?=`).join(' ')}`],
		['a million "<"', () => `Message-ID: ${'<'.repeat(MB)}`],
		['a million "("', () => `Date: ${'('.repeat(MB)}`],
		['a million CR', () => `Subject: x${'\r'.repeat(MB)}`],
		['a million CR before anything', () => '\r'.repeat(MB)],
		['a million times the same header', () => 'Subject:\n'.repeat(MB)],
		['a million dates', () => `Date: ${'Mon, 1 Jan 2026 00:00:00 '.repeat(MB)}`],
	];

	it.each(cases)('takes no time over %s', (_, make) => {
		const message = Buffer.from(make(), 'latin1');
		// Quadratic work on 256 KiB would take minutes; linear work takes a few milliseconds.
		expect(milliseconds(() => readHeaderFacts(message))).toBeLessThan(1000);
	});

	it('gives short, printable, well-formed text whatever it is given', () => {
		const pieces = fc.oneof(
			fc.constantFrom(
				'Subject:',
				'From: ',
				'Date: ',
				'Message-ID:',
				'\r\n',
				'\n',
				'\r',
				' ',
				'\t',
				'=?utf-8?Q?',
				'=?utf-16le?B?',
				'?=',
				'=D8',
				'<',
				'>',
			),
			fc.constantFrom('=?utf-16le?B?ANg=?=', '=?utf-8?Q?=ED=A0=80?=', '=?iso-2022-jp?Q?=1B$B?=', '(', '\\', '23 Nov 2026 02:15', '\0'),
			fc.string({ unit: 'binary', maxLength: 20 }),
		);
		const messages = fc.oneof(
			fc.uint8Array({ maxLength: 300 }),
			fc.array(pieces, { maxLength: 40 }).map((parts) => new Uint8Array(Buffer.from(parts.join('')))),
			fc.array(pieces, { maxLength: 40 }).map((parts) => new Uint8Array(Buffer.from(`Subject: ${parts.join('')}`, 'latin1'))),
		);
		fc.assert(
			fc.property(messages, (message) => {
				for (const fact of Object.values(readHeaderFacts(message))) {
					expect(fact).not.toBe('');
					expect(fact.length).toBeLessThanOrEqual(1000);
					expect(Buffer.from(fact).toString()).toBe(fact);
					expect(fact).not.toMatch(/\p{Cc}/u);
					expect(fact.trim()).toBe(fact);
				}
			}),
			propertyRuns(2000),
		);
	});

	it('leaves the bytes as they are', () => {
		const message = Buffer.from('Subject: =?utf-8?Q?a_b=C3=B6?= =?utf-8?B?YWI=?=\n');
		const before = Buffer.from(message);
		readHeaderFacts(message);
		expect(message.equals(before)).toBe(true);
	});
});

const mail = sharedData('mail/eml');

describe.skipIf(mail === null)('readHeaderFacts() of public test mail (needs ../shared/data)', () => {
	const folder = mail ?? '';
	const messages = mail === null ? [] : readdirSync(folder).map((name) => readFileSync(join(folder, name)));

	it('gives well-formed facts for every message, and nearly every message has some', () => {
		const all = messages.map(readHeaderFacts);
		expect(all.length).toBeGreaterThan(2000);
		for (const facts of all) {
			for (const fact of Object.values(facts)) expect(fact).toMatch(/^[^\p{Cc}]{1,1000}$/u);
			if (facts.date !== undefined) expect(new Date(facts.date).toISOString()).toBe(facts.date);
		}
		function share(field: keyof HeaderFacts): number {
			return all.filter((facts) => facts[field] !== undefined).length / all.length;
		}
		expect(share('from')).toBeGreaterThan(0.93);
		expect(share('subject')).toBeGreaterThan(0.85);
		expect(share('date')).toBeGreaterThan(0.7);
	});
});
