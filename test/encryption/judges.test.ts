import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { openSealed, openSealedStream, parseIdentities } from '../../src/encryption/index.ts';
import { lacks } from '../support/needs.ts';
import { ageDecrypt, ageEncrypt } from './age-program.ts';
import { collect, type Key, makeKey, piecesOf, plainOf, SIZES, sealedBytes, sourceOf } from './sample-files.ts';

const [one, two, three] = [await makeKey(), await makeKey(), await makeKey()];

async function libraryEncrypt(plain: Uint8Array, ...keys: readonly Key[]): Promise<Uint8Array> {
	const encrypter = new Encrypter();
	for (const { recipient } of keys) encrypter.addRecipient(recipient);
	return await encrypter.encrypt(plain);
}

async function libraryDecrypt(sealed: Uint8Array, { secret }: Key): Promise<Uint8Array> {
	const decrypter = new Decrypter();
	decrypter.addIdentity(secret);
	return await decrypter.decrypt(sealed);
}

/** Reads a file both ways: as a stream, and by its ranges. */
async function expectOpens(sealed: Uint8Array, plain: Buffer, { identities }: Key): Promise<void> {
	expect(plain.equals(await collect(openSealedStream(piecesOf(sealed, 70_000), identities)))).toBe(true);
	const opened = await openSealed({ source: sourceOf(sealed), identities });
	expect(opened.size).toBe(plain.length);
	expect(plain.equals(await opened.read(0, opened.size))).toBe(true);
}

describe.each([
	['the program age', lacks('age'), ageEncrypt, ageDecrypt],
	['the library age-encryption', false, libraryEncrypt, libraryDecrypt],
] as const)('%s', (_name, missing, encrypt, decrypt) => {
	it.skipIf(missing).each(SIZES)('opens what we encrypted, and we what it did: %i bytes', async (size) => {
		const plain = plainOf(size);
		expect(plain.equals(await decrypt(await sealedBytes(plain, one), one))).toBe(true);
		await expectOpens(await encrypt(plain, one), plain, one);
	});

	it.skipIf(missing)('does so for each of several recipients', async () => {
		const plain = plainOf(100_000);
		const [ours, theirs] = [await sealedBytes(plain, one, two, three), await encrypt(plain, one, two, three)];
		for (const key of [one, two, three]) {
			expect(plain.equals(await decrypt(ours, key))).toBe(true);
			await expectOpens(theirs, plain, key);
		}
	});
});

it('post-quantum keys work like others', async () => {
	const secret = await generateHybridIdentity();
	const key: Key = { secret, recipient: await identityToRecipient(secret), identities: parseIdentities(secret, 'key.txt') };
	const plain = plainOf(70_000);
	const sealed = await sealedBytes(plain, key);
	expect(plain.equals(await libraryDecrypt(sealed, key))).toBe(true);
	await expectOpens(sealed, plain, key);
	await expectOpens(await libraryEncrypt(plain, key), plain, key);
});
