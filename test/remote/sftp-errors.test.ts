import { describe, expect, it } from 'vitest';
import { MailsealError } from '../../src/domain/index.ts';
import { asStoreError, Refusal, type Space, unreachable } from '../../src/remote/sftp/errors.ts';

const PLACE = 'sftp://nas.example.org/mail';
const DEED = { action: 'write', name: 'bundles/ab/one.zip', place: PLACE };
const ROOM: Space = { free: 1e9, freeFiles: 1e6, readOnly: false };

function codeOf(error: unknown): string {
	if (!(error instanceof MailsealError)) throw error;
	return error.code;
}

describe('asStoreError()', () => {
	it.each([
		['no-space', 4, 'No space left on device'],
		['no-space', 4, 'write: Disk quota exceeded'],
		['no-space', 14, 'Failure'],
		['no-space', 15, 'Failure'],
		['not-found', 2, 'No such file'],
		['not-found', 10, 'No such path'],
		['permission', 3, 'Permission denied'],
		['permission', 12, 'Write protected'],
		['unreachable', 4, 'Failure'],
		['unreachable', 8, 'Operation unsupported'],
		['unreachable', 99, ''],
	])('says %s of status %i with the words %j', (code, status, words) => {
		const error = asStoreError(new Refusal(status, words), DEED);
		expect(codeOf(error)).toBe(code);
		expect(error).toMatchObject({ message: expect.stringMatching(`^Cannot write "bundles/ab/one.zip" at "${PLACE}": .*[^.]$`) });
	});

	it.each([
		['no-space', 'its disk has less than the blob needs', { ...ROOM, free: 999 }],
		['no-space', 'its disk takes no more files', { ...ROOM, freeFiles: 0 }],
		['permission', 'its disk is read-only', { ...ROOM, readOnly: true, free: 0 }],
		['unreachable', 'its disk has room', ROOM],
		['unreachable', 'it tells nothing of its disk', null],
	])('says %s of a bare failure where %s', (code, _what, space) => {
		expect(codeOf(asStoreError(new Refusal(4, 'Failure'), DEED, { space, needed: 1_000 }))).toBe(code);
	});

	it('believes a server that names its reason, whatever its disk is like', () => {
		const full = { space: { ...ROOM, free: 0 }, needed: 1_000 };
		expect(codeOf(asStoreError(new Refusal(3, 'Permission denied'), DEED, full))).toBe('permission');
	});

	it('gives back what is no refusal', () => {
		const bug = new TypeError('bug');
		expect(asStoreError(bug, DEED)).toBe(bug);
	});
});

describe('unreachable()', () => {
	it.each([
		['ECONNREFUSED', 'nothing answers at that port'],
		['ENOTFOUND', 'the host name has no address'],
		['EAI_AGAIN', 'the host name cannot be looked up'],
		['EHOSTUNREACH', 'no way leads there'],
	])('explains %s, which may pass', (code, text) => {
		const error = unreachable(PLACE, Object.assign(new Error(''), { code }));
		expect(error).toMatchObject({ code: 'unreachable', retryable: true, message: `Cannot reach "${PLACE}": ${text}` });
	});

	it('is not tried again where the two speak no common language', () => {
		expect(unreachable(PLACE, new Error('Handshake failed: no matching host key format'))).toMatchObject({ retryable: false });
	});
});
