import { describe, expect, it } from 'vitest';
import { parseMessageRef } from '../../src/domain/index.ts';

const ID = '0123456789abcdef'.repeat(4);

describe('parseMessageRef()', () => {
	it.each(['01234567', ID.slice(0, 13), ID])('takes %s as the beginning of a message id', (text) => {
		expect(parseMessageRef(text)).toEqual({ kind: 'id', prefix: text });
	});

	it('reads an id in upper case too', () => {
		expect(parseMessageRef('ABCDEF01')).toEqual({ kind: 'id', prefix: 'abcdef01' });
	});

	it.each(['<a@b>', '<20261123.1/x@example.org>', '<no at sign>'])('takes %s as a Message-ID', (text) => {
		expect(parseMessageRef(text)).toEqual({ kind: 'message-id', value: text });
	});

	it.each(['alice/INBOX/1700000000.M1P2.host', 'alice@example.org/Projects/Alpha/17.x:2,FS', 'a/b/odd/ffkey', 'alice/INBOX/ key '])(
		'takes %j as a placement, slashes and all',
		(text) => {
			expect(parseMessageRef(text)).toEqual({ kind: 'placement', text });
		},
	);

	it.each([
		'',
		'0123456',
		`${ID}0`,
		'a@b',
		'<>',
		'<a@b',
		'<a<b>>',
		'alice/INBOX',
		'/INBOX/key',
		'alice//key',
		'alice/INBOX/',
		'../INBOX/key',
		'.//',
	])('refuses %j and names the three forms', (text) => {
		expect(() => parseMessageRef(text)).toThrow(
			expect.objectContaining({ code: 'usage', hint: expect.stringMatching(/hex digits.*<Message-ID>.*account\/folder\/key/) }),
		);
	});
});
