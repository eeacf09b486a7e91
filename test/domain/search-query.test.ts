import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSearchQuery, type SearchTerm } from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';

function term(text: string, more: Partial<SearchTerm> = {}): SearchTerm {
	return { field: 'any', text, phrase: false, prefix: false, not: false, ...more };
}

const NOTHING = { terms: [], accounts: [], folders: [] };

describe('parseSearchQuery()', () => {
	it.each([
		['invoice', [term('invoice')]],
		['  two\twords\n', [term('two'), term('words')]],
		['"two words"', [term('two words', { phrase: true })]],
		['"say \\"hello\\" \\\\ now"', [term('say "hello" \\ now', { phrase: true })]],
		['"a"b', [term('a', { phrase: true }), term('b')]],
		['invo*', [term('invo', { prefix: true })]],
		['"annual rep"*', [term('annual rep', { phrase: true, prefix: true })]],
		['"star*"', [term('star*', { phrase: true })]],
		['-draft', [term('draft', { not: true })]],
		['-"two words"', [term('two words', { phrase: true, not: true })]],
		['-from:bob*', [term('bob', { field: 'from', not: true, prefix: true })]],
		[
			'from:bob to:eve cc:ann subject:lunch',
			[term('bob', { field: 'from' }), term('eve', { field: 'to' }), term('ann', { field: 'cc' }), term('lunch', { field: 'subject' })],
		],
		['filename:report.pdf', [term('report.pdf', { field: 'filename' })]],
		['-filename:"annual rep"*', [term('annual rep', { field: 'filename', phrase: true, prefix: true, not: true })]],
		['From:bob', [term('bob', { field: 'from' })]],
		['from:"Bob Smith"', [term('Bob Smith', { field: 'from', phrase: true })]],
		['subject:-x', [term('-x', { field: 'subject' })]],
		['mid-word e-mail', [term('mid-word'), term('e-mail')]],
		['größe 日本', [term('größe'), term('日本')]],
	] as const)('reads %j', (text, terms) => {
		expect(parseSearchQuery(text)).toEqual({ ...NOTHING, terms });
	});

	it.each(['http://example.org/x', 'https://x', '12:30', 'Re:', 'bob@example.org:25', 'a1:b', '::1'])('takes %s as a word', (text) => {
		expect(parseSearchQuery(text).terms).toEqual([term(text)]);
	});

	it('reads what limits dates and sizes', () => {
		expect(parseSearchQuery('before:2026-11-23 after:2026-01-01T12:00:00Z larger:1MiB smaller:10M')).toEqual({
			...NOTHING,
			before: Date.UTC(2026, 10, 23),
			after: Date.UTC(2026, 0, 1, 12),
			larger: 1_048_576,
			smaller: 10_485_760,
		});
		expect(parseSearchQuery('before:"2026-11-23 02:15"').before).toBe(Date.UTC(2026, 10, 23, 2, 15));
	});

	it('reads whether there must be an attachment, or must be none', () => {
		expect(parseSearchQuery('has:attachment')).toEqual({ ...NOTHING, hasAttachment: true });
		expect(parseSearchQuery('-Has:Attachment')).toEqual({ ...NOTHING, hasAttachment: false });
		expect(parseSearchQuery('lunch')).not.toHaveProperty('hasAttachment');
	});

	it('reads accounts, folders and a Message-ID', () => {
		expect(parseSearchQuery('account:alice@example.org account:bob folder:"Sent Items" message-id:<1@x>')).toEqual({
			terms: [],
			accounts: ['alice@example.org', 'bob'],
			folders: ['Sent Items'],
			messageId: '<1@x>',
		});
		expect(parseSearchQuery('message-id:1@x').messageId).toBe('<1@x>');
	});

	it('lists the qualifiers that it knows when it is given another, and shows how to search for the text', () => {
		expect(() => parseSearchQuery('lunch frm:bob')).toThrow(
			expect.objectContaining({
				code: 'usage',
				message:
					'Cannot search by "frm:": there is no such qualifier (known are from:, to:, cc:, subject:, filename:, has:, before:, after:, larger:, smaller:, account:, folder:, message-id:)',
				hint: 'to search for the text itself, put it in quotes: "frm:bob"',
			}),
		);
		expect(parseSearchQuery('"frm:bob"').terms).toEqual([term('frm:bob', { phrase: true })]);
		expect(() => parseSearchQuery('constructor:x')).toThrow('Cannot search by "constructor:"');
	});

	it.each([
		['', 'Cannot search for nothing: the query is empty'],
		['  \n', 'Cannot search for nothing: the query is empty'],
		['"open', 'Cannot read "open: the quotation mark is not closed'],
		['"open\\"', 'the quotation mark is not closed'],
		['from:', 'Cannot read "from:": nothing follows the colon'],
		['from: bob', 'Cannot read "from:": nothing follows the colon'],
		['from:""', 'Cannot read "from:""": nothing follows the colon'],
		['from:*', 'nothing follows the colon'],
		['-', 'Cannot search for "-": it holds no letter or digit'],
		['a & b', 'Cannot search for "&": it holds no letter or digit'],
		['*', 'Cannot search for "*": it holds no letter or digit'],
		['""', 'it holds no letter or digit'],
		['before:tomorrow', 'Cannot read instant "tomorrow"'],
		['larger:big', 'Cannot read size "big"'],
		[
			'-before:2026-11-23',
			'Cannot read "-before:2026-11-23": only words, phrases, from:, to:, cc:, subject: and filename: take a "-" or "*", and has: a "-"',
		],
		['has:attach*', 'Cannot read "has:attach*": only words'],
		['has:image', 'Cannot search for "has:image": has: knows no "image" (has:attachment is all there is)'],
		['-has:image', 'Cannot search for "-has:image": has: knows no "image"'],
		['has:', 'Cannot read "has:": nothing follows the colon'],
		['has:attachment -has:attachment', 'Cannot read "-has:attachment": has: was given before'],
		['filename:...', 'Cannot search for "filename:...": it holds no letter or digit'],
		['folder:Sent*', 'Cannot read "folder:Sent*": only words'],
		['before:2026-01-01 before:2026-01-02', 'Cannot read "before:2026-01-02": before: was given before'],
		['larger:0 larger:0', 'Cannot read "larger:0": larger: was given before'],
		['message-id:a message-id:b', 'message-id: was given before'],
	])('refuses %j', (text, message) => {
		expect(() => parseSearchQuery(text)).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }));
	});

	it('finds every phrase again that was put in quotes', () => {
		fc.assert(
			fc.property(
				fc.array(
					fc.string().map((text) => `${text}x`),
					{ minLength: 1 },
				),
				(phrases) => {
					const query = phrases.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`).join(' ');
					expect(parseSearchQuery(query).terms).toEqual(phrases.map((text) => term(text, { phrase: true })));
				},
			),
			propertyRuns(),
		);
	});

	it('gives a query or a usage error for any text', () => {
		const pieces = fc.constantFrom(
			'"',
			'\\',
			'-',
			'*',
			':',
			' ',
			'from:',
			'has:',
			'attachment',
			'before:',
			'2026-01-01',
			'word',
			'//',
			'1',
			'é',
			'\u{1f389}',
			'<',
			'\0',
		);
		fc.assert(
			fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
				let thrown: unknown;
				try {
					const query = parseSearchQuery(parts.join(''));
					expect(query.terms.every(({ text }) => text !== '')).toBe(true);
				} catch (error) {
					thrown = error;
				}
				if (thrown !== undefined) expect(thrown).toMatchObject({ name: 'MailsealError', code: 'usage' });
			}),
			propertyRuns(2000),
		);
	});
});
