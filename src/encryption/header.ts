import { randomBytes } from 'node:crypto';
import type { Identity as AgeIdentity, Recipient as AgeRecipient, Encrypter } from 'age-encryption';
import { MailsealError } from '../domain/index.ts';
import { damaged } from './damage.ts';
import { MAX_HEAD } from './head-reader.ts';
import type { Identity } from './identities.ts';
import { ChunkCipher, NONCE, TAG } from './payload.ts';
import { type Recipient, type Recipients, shown } from './recipients.ts';

const HINT = 'give the identity file (AGE-SECRET-KEY-1...) of a recipient that it was encrypted to';

/** Bytes of the key that a header wraps. */
const FILE_KEY = 16;

/** Header and nonce of a new file, and what encrypts its chunks. */
export interface NewHead {
	readonly head: Uint8Array;
	readonly cipher: ChunkCipher;
}

interface WrappedKey {
	readonly header: Uint8Array;
	readonly fileKey: Uint8Array;
}

/** Makes the header and the nonce of a new file; a recipient that is no usable key is a `usage` error. */
export async function makeHead(recipients: Recipients): Promise<NewHead> {
	const { Encrypter } = await import('age-encryption');
	const wrap = (to: readonly Recipient[]) => wrapFileKey(new Encrypter(), to);
	const { header, fileKey } = await wrap(recipients).catch(async (error) => {
		throw (await refusalOf(recipients, wrap)) ?? error;
	});
	const nonce = randomBytes(NONCE);
	const head = Buffer.concat([header, nonce]);
	if (head.length > MAX_HEAD) {
		const text = `Cannot encrypt to ${recipients.length} recipients: the header has ${head.length} bytes (${MAX_HEAD} at most)`;
		throw new MailsealError('usage', text, { hint: 'give fewer recipients' });
	}
	return { head, cipher: new ChunkCipher(fileKey, nonce) };
}

async function wrapFileKey(encrypter: Encrypter, recipients: readonly Recipient[]): Promise<WrappedKey> {
	for (const recipient of recipients) encrypter.addRecipient(recipient);
	const keys: Uint8Array[] = [];
	const ourselves: AgeRecipient = {
		wrapFileKey(key) {
			keys.push(Uint8Array.from(key));
			return [];
		},
	};
	encrypter.addRecipient(ourselves);
	// Of an empty file, nonce and tag follow the header. They are left out: our payload gets a nonce of its own, and so another key.
	const empty = await encrypter.encrypt(new Uint8Array(0));
	const [fileKey] = keys;
	// Without it, the payload would be encrypted with a key that everybody can derive.
	if (fileKey?.length !== FILE_KEY) throw new Error('age gave no file key');
	return { header: empty.subarray(0, empty.length - NONCE - TAG), fileKey };
}

/** A key may have the right checksum and be no point of the curve, or no key of ML-KEM. Null where age refuses none by itself. */
async function refusalOf(recipients: Recipients, wrap: (to: readonly Recipient[]) => Promise<WrappedKey>): Promise<MailsealError | null> {
	for (const recipient of recipients) {
		try {
			await wrap([recipient]);
		} catch (cause) {
			return new MailsealError('usage', `Cannot encrypt to ${shown(recipient)}: age refuses it as a key`, {
				hint: 'make another key with age-keygen, and give its public key',
				cause,
			});
		}
	}
	return null;
}

/**
 * Opens header and nonce of a file with the first identity that fits. None that fits is `permission`; a header that was changed, or is
 * none, is `archive-damaged`. A header in which the part of a recipient was changed looks like one for somebody else.
 */
export async function openHead(head: Uint8Array, identities: readonly Identity[]): Promise<ChunkCipher> {
	const { Decrypter } = await import('age-encryption');
	const decrypter = new Decrypter();
	for (const identity of identities) decrypter.addIdentity(identity.reveal());
	// Asked when all before it did not fit, and only then.
	const unopened: string[] = [];
	const nobody: AgeIdentity = {
		unwrapFileKey(stanzas) {
			unopened.push(...stanzas.map(({ args }) => args[0] ?? ''));
			return null;
		},
	};
	decrypter.addIdentity(nobody);
	const fileKey = await decrypter.decryptHeader(head.subarray(0, -NONCE)).catch((cause) => {
		if (unopened.length > 0) throw notForUs(unopened, identities.length);
		throw damaged('seal-header', 'Cannot decrypt file: its header is broken', cause);
	});
	return new ChunkCipher(fileKey, head.subarray(-NONCE));
}

/** `kinds`: of each recipient, the name that age has for it. */
function notForUs(kinds: readonly string[], identities: number): MailsealError {
	const count = kinds.length === 1 ? '1 recipient' : `${kinds.length} recipients`;
	const [is, hint] = kinds.includes('scrypt')
		? ['it is encrypted with a passphrase', 'decrypt it with age']
		: identities === 0
			? ['no identity is given', HINT]
			: [`it is encrypted to ${count}, and no identity given is that of one`, `${HINT}; if it is the one given, the file is damaged`];
	return new MailsealError('permission', `Cannot decrypt file: ${is}`, { hint, details: { recipients: kinds.length, identities } });
}
