import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { MailsealError } from '../../src/domain/index.ts';
import { answerOf, asStoreError } from '../../src/remote/s3/errors.ts';

const DEED = { action: 'write "bundles/ab/one.zip"', place: 's3://mail/archive', bucket: 'mail' };

/** An error as the SDK makes it of an answer. */
function answered(status: number, name: string, more: Readonly<Record<string, unknown>> = {}): Error {
	const error = Object.assign(new Error('UnknownError'), {
		$fault: status < 500 ? 'client' : 'server',
		$metadata: { httpStatusCode: status },
		...more,
	});
	error.name = name;
	return error;
}

/** An error of the system, as Node throws it. */
function failed(code: string, name = 'Error'): Error {
	const error = Object.assign(new Error(`connect ${code}`), { code });
	error.name = name;
	return error;
}

function named(name: string, message = 'what the SDK says'): Error {
	const error = new Error(message);
	error.name = name;
	return error;
}

function storeError(error: unknown): MailsealError {
	const found = asStoreError(error, DEED);
	if (!(found instanceof MailsealError)) throw new Error('that is no MailsealError', { cause: found });
	return found;
}

describe('asStoreError()', () => {
	test.each([
		['permission', false, 'does not know the access key', answered(403, 'InvalidAccessKeyId')],
		['permission', false, 'does not know the access key', answered(400, 'AuthorizationHeaderMalformed')],
		['permission', false, 'refuses the signature', answered(403, 'SignatureDoesNotMatch')],
		['permission', false, 'does not allow it (403 AccessDenied)', answered(403, 'AccessDenied')],
		['permission', false, 'does not allow it (403)', answered(403, 'Unknown')],
		['permission', false, 'does not allow it (401)', answered(401, 'Unknown')],
		['permission', false, 'have expired (400 ExpiredToken)', answered(400, 'ExpiredToken')],
		['permission', false, 'have expired', answered(403, 'RequestExpired')],
		['permission', false, 'have expired', named('TokenProviderError')],
		['permission', false, 'no credentials', named('CredentialsProviderError')],
		['not-found', false, 'there is no bucket "mail" (404 NoSuchBucket)', answered(404, 'NoSuchBucket')],
		['not-found', false, 'no such blob', answered(404, 'NoSuchKey')],
		['unreachable', true, 'not that of an S3 store (404)', answered(404, 'NotFound')],
		['unreachable', true, 'clock', answered(403, 'RequestTimeTooSkewed')],
		['unreachable', true, '(503 SlowDown)', answered(503, 'SlowDown')],
		['unreachable', true, '(429)', answered(429, 'Unknown')],
		['unreachable', true, '(500 InternalError)', answered(500, 'InternalError')],
		['unreachable', true, '(502)', answered(502, 'Unknown')],
		['unreachable', true, '(504)', answered(504, 'Unknown')],
		['unreachable', true, '(400 RequestTimeout)', answered(400, 'RequestTimeout')],
		['unreachable', true, '(599 Strange)', answered(599, 'Strange')],
		['unreachable', true, 'was cut', answered(400, 'IncompleteBody')],
		['unreachable', true, 'changed on the way', answered(400, 'XAmzContentSHA256Mismatch')],
		['unreachable', true, 'changed on the way', answered(400, 'BadDigest')],
		['no-space', true, 'no space left', answered(403, 'QuotaExceeded')],
		['no-space', true, 'no space left', answered(507, 'Unknown')],
		['no-space', true, 'no space left', answered(507, 'InsufficientStorage')],
		['io', false, 'no upload of this size', answered(413, 'Unknown')],
		['io', false, 'archive tier', answered(403, 'InvalidObjectState')],
		['io', false, 'refuses it (501 NotImplemented)', answered(501, 'NotImplemented')],
		['io', false, 'refuses it: no (400 InvalidArgument)', answered(400, 'InvalidArgument', { message: 'no' })],
		[
			'config',
			false,
			'in another region, eu-west-1',
			answered(301, 'PermanentRedirect', { $response: { headers: { 'x-amz-bucket-region': 'eu-west-1' } } }),
		],
		['config', false, 'in another region, eu-west-1', answered(400, 'AuthorizationHeaderMalformed', { Region: 'eu-west-1' })],
		['config', false, 'in another region (301)', answered(301, 'Unknown')],
		['config', false, 'no name of a bucket', answered(400, 'InvalidBucketName')],
		['config', false, 'no region is set', named('Error', 'Region is missing')],
		['unreachable', true, 'was cut (ECONNRESET)', failed('ECONNRESET', 'TimeoutError')],
		['unreachable', true, 'was cut (EPIPE)', failed('EPIPE')],
		['unreachable', true, 'does not answer (ETIMEDOUT)', failed('ETIMEDOUT', 'TimeoutError')],
		['unreachable', true, 'does not answer', named('TimeoutError')],
		['unreachable', true, 'nothing answers', failed('ECONNREFUSED')],
		['unreachable', true, 'cannot be looked up', failed('EAI_AGAIN')],
		['unreachable', true, 'has no address', failed('ENOTFOUND')],
		['unreachable', true, 'not that of an S3 store (HPE_INVALID_CONSTANT)', failed('HPE_INVALID_CONSTANT')],
		['unreachable', false, 'certificate', failed('DEPTH_ZERO_SELF_SIGNED_CERT')],
		['unreachable', false, 'does not speak TLS', failed('EPROTO')],
		['interrupted', false, 'told to stop', named('AbortError')],
	])('says %s (retryable: %s) and %j', (code, retryable, text, error) => {
		const found = storeError(error);
		expect(found).toMatchObject({ code, retryable, cause: error, hint: expect.stringMatching(/^\S.*[^.]$/) });
		expect(found.message).toContain('Cannot write "bundles/ab/one.zip" at "s3://mail/archive": ');
		expect(found.message).toContain(text);
	});

	test('knows an answer that is no S3 error by its status, and by nothing where that says "all is well"', () => {
		const page = (status: number): Error => Object.assign(new Error('XML parse error'), { $metadata: { httpStatusCode: status } });
		expect(storeError(page(502))).toMatchObject({ code: 'unreachable', message: expect.stringContaining('patience (502)') });
		expect(storeError(page(200))).toMatchObject({ code: 'unreachable', message: expect.stringContaining('not that of an S3 store (200)') });
		expect(storeError(page(418))).toMatchObject({ code: 'unreachable', message: expect.stringContaining('not that of an S3 store (418)') });
	});

	test('gives back what it does not know, and what is known already', () => {
		const known = new MailsealError('io', 'Cannot read "one.zip": EIO');
		for (const value of [new TypeError('a bug'), failed('EACCES'), known, 'text', null]) expect(asStoreError(value, DEED)).toBe(value);
	});

	test('lets nothing of the request into the error: the token of a session lies open in it', () => {
		const request = 'PUT\n/mail\nx-amz-security-token:SESSION-TOKEN';
		const error = answered(403, 'SignatureDoesNotMatch', {
			CanonicalRequest: request,
			StringToSign: request,
			CanonicalRequestBytes: '53 45 53',
		});
		expect(inspect(storeError(error), { depth: 9 })).not.toMatch(/SESSION-TOKEN|53 45 53/);
	});
});

test('answerOf() finds the answer in an error of the SDK and in ours, and none where there was none', () => {
	const error = answered(412, 'PreconditionFailed', { $metadata: { httpStatusCode: 412, clockSkewCorrected: true } });
	const answer = { status: 412, name: 'PreconditionFailed', message: '', region: null, skewed: true, understood: true };
	expect(answerOf(error)).toEqual(answer);
	expect(answerOf(storeError(error))).toEqual(answer);
	expect(answerOf(failed('ECONNRESET'))).toBe(null);
	expect(answerOf(Object.assign(failed('ECONNRESET'), { $metadata: { attempts: 1 } }))).toBe(null);
	expect(answerOf('text')).toBe(null);
});
