import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { beginSealing, openSealedStream, parseIdentities, parseRecipients } from '../src/encryption/index.ts';
import { MEGA } from './run/bytes.ts';
import { median } from './run/measure.ts';
import { hasOption, numberOption, readOptions } from './run/options.ts';
import { type Row, report } from './run/report.ts';

// How near do encrypting and decrypting a file come to what the cipher of Node alone reaches? One thread, all in memory; what comes is dropped.
const options = readOptions(['small', 'runs', 'megabytes', 'dir', 'keep']);
const small = hasOption(options, 'small');
const runs = numberOption(options, 'runs', small ? 15 : 25);
const CHUNK = 64 * 1024;
const PIECE = 1024 * 1024;
const size = Math.ceil((numberOption(options, 'megabytes', small ? 64 : 256) * MEGA) / PIECE) * PIECE;
const TAG = { authTagLength: 16 } as const;

const plain = randomBytes(size);
const key = randomBytes(32);
const nonce = Buffer.alloc(12);
const secret = await generateIdentity();
const identities = parseIdentities(secret, 'key');
const sealing = await beginSealing(parseRecipients([await identityToRecipient(secret)]));

/** Every chunk encrypted and its tag taken, with nothing done besides. */
function* cipherAlone(): Iterable<{ readonly bytes: Buffer; readonly tag: Buffer }> {
	for (let at = 0; at < size; at += CHUNK) {
		nonce.writeUInt32BE(at / CHUNK, 8);
		const cipher = createCipheriv('chacha20-poly1305', key, nonce, TAG);
		const bytes = cipher.update(plain.subarray(at, at + CHUNK));
		cipher.final();
		yield { bytes, tag: cipher.getAuthTag() };
	}
}

/** Every chunk decrypted and its tag checked, with nothing done besides. */
function* decipherAlone(chunks: Iterable<{ readonly bytes: Buffer; readonly tag: Buffer }>): Iterable<Buffer> {
	let index = 0;
	for (const { bytes, tag } of chunks) {
		nonce.writeUInt32BE(index++, 8);
		const decipher = createDecipheriv('chacha20-poly1305', key, nonce, TAG);
		decipher.setAuthTag(tag);
		const chunk = decipher.update(bytes);
		decipher.final();
		yield chunk;
	}
}

async function* piecesOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
	for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

const made = [...cipherAlone()];
const parts: Uint8Array[] = [];
for await (const part of sealing.seal(piecesOf(plain))) parts.push(part);
const sealed = Buffer.concat(parts);

/** Runs one to its end; seconds. */
const WAYS = {
	cipher: () => timed(cipherAlone()),
	'seal()': () => timedAsync(sealing.seal(piecesOf(plain))),
	decipher: () => timed(decipherAlone(made)),
	'openSealedStream()': () => timedAsync(openSealedStream(piecesOf(sealed), identities)),
};

function timed(stream: Iterable<unknown>): number {
	const started = performance.now();
	for (const _part of stream);
	return (performance.now() - started) / 1000;
}

async function timedAsync(stream: AsyncIterable<unknown>): Promise<number> {
	const started = performance.now();
	for await (const _part of stream);
	return (performance.now() - started) / 1000;
}

const seconds = new Map<string, number[]>();
// What ran once is compiled: the first round does not count. The ways take turns, so that a busy moment meets them all.
for (let run = 0; run <= runs; run++) {
	for (const [way, time] of Object.entries(WAYS)) {
		const spent = await time();
		if (run > 0) seconds.set(way, [...(seconds.get(way) ?? []), spent]);
	}
}

function rowOf(way: keyof typeof WAYS, alone: keyof typeof WAYS): Row {
	const [spent, floor] = [seconds.get(way) ?? [], seconds.get(alone) ?? []];
	return {
		what: way,
		MB: size / MEGA,
		'MB/s': size / MEGA / median(spent),
		'best MB/s': size / MEGA / Math.min(...spent),
		'of the cipher': median(floor) / median(spent),
		'best of its best': Math.min(...floor) / Math.min(...spent),
	};
}

report('encryption', `age with the cipher of Node, ${runs} rounds (target: 0.8 of the cipher alone)`, [
	rowOf('cipher', 'cipher'),
	rowOf('seal()', 'cipher'),
	rowOf('decipher', 'decipher'),
	rowOf('openSealedStream()', 'decipher'),
]);
