import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, MailsealError, systemCode } from '../../src/domain/index.ts';

describe('MailsealError', () => {
	it('is an Error that carries code, text, hint, details and cause', () => {
		const cause = new Error('below');
		const error = new MailsealError('io', 'Cannot read "a": it is gone', { hint: 'look again', details: { offset: 7 }, cause });
		expect(error).toBeInstanceOf(Error);
		expect(error).toMatchObject({ name: 'MailsealError', code: 'io', message: 'Cannot read "a": it is gone', hint: 'look again' });
		expect(error.details).toEqual({ offset: 7 });
		expect(error.cause).toBe(cause);
	});

	it('has no hint, no details and no cause where none is given', () => {
		const error = new MailsealError('usage', 'Cannot do that');
		expect(error.hint).toBeUndefined();
		expect(error.details).toEqual({});
		expect('cause' in error).toBe(false);
	});

	it.each([
		['busy', true],
		['source-gone', true],
		['no-space', true],
		['usage', false],
		['archive-damaged', false],
		['io', false],
	] as const satisfies readonly (readonly [ErrorCode, boolean])[])(
		'with code %s says retryable: %s, unless it is told otherwise',
		(code, retryable) => {
			expect(new MailsealError(code, 'text').retryable).toBe(retryable);
			expect(new MailsealError(code, 'text', { retryable: !retryable }).retryable).toBe(!retryable);
		},
	);
});

describe('systemCode()', () => {
	it('is the code of a failed system call', () => {
		let thrown: unknown;
		try {
			readFileSync(`${import.meta.dirname}/no-such-file`);
		} catch (error) {
			thrown = error;
		}
		expect(systemCode(thrown)).toBe('ENOENT');
	});

	it.each([null, undefined, 'ENOENT', { code: 'ENOENT' }, new Error('no code'), Object.assign(new Error('a number'), { code: 2 })])(
		'is undefined for %s',
		(value) => {
			expect(systemCode(value)).toBeUndefined();
		},
	);
});
