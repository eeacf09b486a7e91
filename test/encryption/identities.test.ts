import { spawnSync } from 'node:child_process';
import { inspect } from 'node:util';
import { generateHybridIdentity } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { MailsealError } from '../../src/domain/index.ts';
import { parseIdentities } from '../../src/encryption/index.ts';
import { lacks } from '../support/needs.ts';
import { makeKey } from './sample-files.ts';

const [one, two] = [await makeKey(), await makeKey()];
const BODY = one.secret.slice('AGE-SECRET-KEY-1'.length);

function refusal(text: string): MailsealError {
	try {
		parseIdentities(text, 'vault/key.txt');
	} catch (error) {
		if (error instanceof MailsealError) return error;
		throw error;
	}
	throw new Error('nothing was refused');
}

describe('parseIdentities()', () => {
	it('takes a key a line, each once, with comments and empty lines between', () => {
		const text = `\uFEFF# created: today\r\n# public key: ${one.recipient}\r\n${one.secret}\r\n\n\t${two.secret} \n${one.secret}\n`;
		expect(parseIdentities(text, 'key.txt').map((identity) => identity.reveal())).toEqual([one.secret, two.secret]);
	});

	it('takes post-quantum keys, beside others too', async () => {
		const quantum = await generateHybridIdentity();
		expect(parseIdentities(`${quantum}\n${one.secret}`, 'key.txt')).toHaveLength(2);
	});

	it.skipIf(lacks('age-keygen'))('takes what age-keygen writes', () => {
		const { stdout } = spawnSync('age-keygen');
		expect(parseIdentities(stdout.toString(), 'key.txt')).toHaveLength(1);
	});

	it('gives keys that show in no text', () => {
		const identities = parseIdentities(one.secret, 'key.txt');
		const shown = [
			inspect(identities, { showHidden: true, depth: 9 }),
			JSON.stringify(identities),
			`${identities}`,
			...Object.keys(identities),
		];
		expect(shown.join(' ')).not.toContain(BODY.slice(0, 8));
		expect(structuredClone(identities)).toEqual([{}]);
	});

	it.each([
		[
			'a mistyped key',
			one.secret.replace(/.$/, (last) => (last === 'Q' ? 'P' : 'Q')),
			', line 2: its checksum is wrong, so something in it is mistyped',
		],
		['a key in lower case', one.secret.toLowerCase(), ', line 2: it is a key of a kind that mailseal does not know, or in lower case'],
		[
			'a key of another length',
			'AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ6J6TAE',
			', line 2: it holds 31 bytes (32 are right)',
		],
		['a public key', one.recipient, ', line 2: it is a public key (the secret one is needed)'],
		['a key for a plugin', `AGE-PLUGIN-YUBIKEY-1${BODY}`, ', line 2: it is a key for a plugin of age (AGE-SECRET-KEY-1... is needed)'],
		['anything else', `key=${one.secret}`, ', line 2: it is not a secret key of age (AGE-SECRET-KEY-1... is needed)'],
	])('refuses %s, and shows file and line, never the key', (_name, line, text) => {
		const error = refusal(`# key\n${line}\n`);
		expect(error).toMatchObject({ code: 'usage', message: `Cannot read identity file "vault/key.txt"${text}` });
		expect(error.hint).toBeTruthy();
		expect(JSON.stringify([error.message, error.hint, error.details, error.stack, String(error.cause)]).toUpperCase()).not.toContain(
			BODY.slice(0, 8),
		);
	});

	it.each([
		['an encrypted file', 'age-encryption.org/v1\n-> scrypt x 18\n', 'it is encrypted itself', 'age -d'],
		['an armored one', '-----BEGIN AGE ENCRYPTED FILE-----\nYWdl', 'it is encrypted itself', 'age -d'],
		['an ssh key', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl', 'it is an ssh key', 'age-keygen'],
	])('refuses %s and says what to do', (_name, text, problem, hint) => {
		const error = refusal(text);
		expect(error.code).toBe('usage');
		expect(error.message).toContain(problem);
		expect(error.hint).toContain(hint);
	});

	it('refuses a file without a key', () => {
		const message = 'Cannot read identity file "vault/key.txt": it holds no secret key';
		expect(refusal('# nothing\n\n')).toMatchObject({ code: 'usage', message });
	});
});
