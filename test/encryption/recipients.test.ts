import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { describe, expect, it, test } from 'vitest';
import { MailsealError } from '../../src/domain/index.ts';
import { beginSealing, parseIdentities, parseRecipients, recipientsInFile } from '../../src/encryption/index.ts';
import { failureOf, makeKey } from './sample-files.ts';

const [one, two] = [await makeKey(), await makeKey()];
const quantum = await identityToRecipient(await generateHybridIdentity());
/** Right in every way a text can be, and no point of the curve that age takes. */
const ZERO_POINT = 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z';

function refusal(call: () => unknown): MailsealError {
	try {
		call();
	} catch (error) {
		if (error instanceof MailsealError) return error;
		throw error;
	}
	throw new Error('nothing was refused');
}

/** Everything of an error that a user may see. */
function wordsOf(error: MailsealError): string {
	return JSON.stringify([error.message, error.hint, error.details, String(error.cause), error.stack]);
}

describe('parseRecipients()', () => {
	it('keeps the order and takes a key that is given twice once', () => {
		expect(parseRecipients([two.recipient, one.recipient, ` ${two.recipient}\n`])).toEqual([two.recipient, one.recipient]);
	});

	it('takes post-quantum keys, though not beside others, and names both', () => {
		expect(parseRecipients([quantum])).toEqual([quantum]);
		for (const texts of [
			[quantum, one.recipient],
			[one.recipient, quantum],
		]) {
			const error = refusal(() => parseRecipients(texts));
			expect(error.code).toBe('usage');
			expect(error.message).toContain(`Cannot use recipient "${one.recipient}" beside "${quantum.slice(0, 24)}..."`);
		}
	});

	it('refuses to encrypt to nobody', () => {
		expect(refusal(() => parseRecipients([]))).toMatchObject({ code: 'usage', message: 'Cannot encrypt: no recipient is given' });
	});

	const mistyped = `${one.recipient.slice(0, 20)}${one.recipient[20] === 'q' ? 'p' : 'q'}${one.recipient.slice(21)}`;
	it.each([
		['a mistyped key', mistyped, 'its checksum is wrong, so something in it is mistyped'],
		['a key that is cut', one.recipient.slice(0, -1), 'its checksum is wrong, so something in it is mistyped'],
		['an alien character', one.recipient.replace(/.$/, 'b'), 'it holds a character that no key has'],
		['mixed case', `age1${one.recipient.slice(4).toUpperCase()}`, 'it mixes upper and lower case'],
		['a key of 31 bytes', 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqar9jk6', 'it holds 31 bytes (32 are right)'],
		['bits that fill no byte', 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqpfwgqrs', 'it does not end as it should'],
		['a bare prefix', 'age1', 'it is too short'],
		[
			'a key for a plugin',
			'age1tag1qgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqydpmt7j',
			'it is of a kind that mailseal does not know (age1... or age1pq1...)',
		],
	])('refuses %s and names it', (_name, text, problem) => {
		const error = refusal(() => parseRecipients([two.recipient, text]));
		expect(error).toMatchObject({ code: 'usage', message: `Cannot use recipient "${text}": ${problem}` });
		expect(error.hint).toContain('age-keygen');
	});

	it('refuses an ssh key and what is no key at all, by their place', () => {
		expect(refusal(() => parseRecipients(['ssh-ed25519 AAAAC3Nz'])).message).toContain('recipient 1: it is an ssh key');
		expect(refusal(() => parseRecipients([one.recipient, 'my secret phrase'])).message).toBe(
			'Cannot use recipient 2: it does not begin with age1',
		);
	});

	it('never shows a secret key that is given by mistake, in whatever form', () => {
		const body = one.secret.slice('AGE-SECRET-KEY-1'.length);
		for (const text of [one.secret, one.secret.toLowerCase(), `age1 ${one.secret}`, `AGE-PLUGIN-YUBIKEY-1${body}`, `1${body}`, body]) {
			const error = refusal(() => parseRecipients([text]));
			expect(error.code).toBe('usage');
			expect(wordsOf(error).toUpperCase()).not.toContain(body.slice(0, 8));
		}
		expect(refusal(() => parseRecipients([`age1 ${one.secret}`])).message).toContain('Cannot use recipient 1: it is a secret key');
		const hint = refusal(() => parseRecipients([one.secret])).hint;
		expect(hint).toContain('public key');
	});
});

test('recipientsInFile() takes a key a line, without comments and empty lines, also with CRLF', () => {
	const text = `# the vault\r\n${one.recipient}\r\n\n  # the safe\n\t${two.recipient} \n`;
	expect(recipientsInFile(text)).toEqual([one.recipient, two.recipient]);
	expect(recipientsInFile('# none\n')).toEqual([]);
});

describe('beginSealing()', () => {
	it('names the recipient that age refuses as a key', async () => {
		const error = await beginSealing(parseRecipients([one.recipient, ZERO_POINT])).catch((reason) => reason);
		expect(error).toMatchObject({ code: 'usage', message: `Cannot encrypt to "${ZERO_POINT}": age refuses it as a key` });
	});

	it('refuses more recipients than a header may have that it reads again', async () => {
		const many: string[] = [];
		for (let made = 0; made < 45; made++) many.push(await identityToRecipient(await generateHybridIdentity()));
		expect(await failureOf(() => beginSealing(parseRecipients(many)))).toBe('usage');
		expect((await beginSealing(parseRecipients(many.slice(0, 30)))).headerLength).toBeGreaterThan(30 * 1088);
	});
});

test('a secret key given as recipient is one that parseIdentities() takes', () => {
	expect(parseIdentities(one.secret, 'key.txt')).toHaveLength(1);
});
