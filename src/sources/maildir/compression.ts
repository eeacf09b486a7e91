import { gunzipSync } from 'node:zlib';
import { systemCode } from '../../domain/index.ts';
import type { ReadMessage } from '../contract.ts';
import { BrokenStream } from './broken-stream.ts';
import { bunzip2 } from './bzip2.ts';
import { decodeDovecotLz4 } from './lz4.ts';
import { unzstd } from './zstd.ts';

/** Bytes that a message may have once its compression is undone: a few kilobytes can claim to be any size. libdeflate has no room for 1 GiB. */
export const UNPACKED_LIMIT = 512 * 1024 * 1024;
/** Bytes of a file that tell how it is compressed. */
export const MAGIC_LENGTH = 15;

type Method = 'gzip' | 'bzip2' | 'lz4' | 'zstd' | 'xz' | 'crypted';

const MAGICS: readonly (readonly [Method, Buffer])[] = [
	['gzip', Buffer.from([0x1f, 0x8b])],
	['bzip2', Buffer.from('BZh')],
	['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
	['lz4', Buffer.from('Dovecot-LZ4\x0d\x2a\x9b\xc5', 'latin1')],
	['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
	['crypted', Buffer.from('CRYPTED\x03\x07', 'latin1')],
];

/** How a message file is compressed or encrypted, by its first bytes; null for a plain one. */
export function methodOf(start: Buffer): Method | null {
	for (const [method, magic] of MAGICS) {
		if (!start.subarray(0, magic.length).equals(magic)) continue;
		return method === 'bzip2' && !/^[1-9]$/.test(start.toString('latin1', 3, 4)) ? null : method;
	}
	return null;
}

export interface Unpacked {
	readonly bytes: Buffer;
	readonly oddity?: NonNullable<ReadMessage['oddity']>;
}

/** Undoes a message file's compression. What cannot be undone is given back as it lies, with the reason. */
export function unpack(bytes: Buffer, method: Method): Unpacked {
	if (method === 'crypted') return { bytes, oddity: 'encrypted' };
	if (method === 'xz') return { bytes, oddity: 'unknown-compression' };
	try {
		return { bytes: decode(bytes, method) };
	} catch (error) {
		if (error instanceof BrokenStream) return { bytes, oddity: 'broken-compression' };
		throw error;
	}
}

function decode(bytes: Buffer, method: 'gzip' | 'bzip2' | 'lz4' | 'zstd'): Buffer {
	switch (method) {
		case 'gzip':
			return gunzip(bytes);
		case 'bzip2':
			return bunzip2(bytes, UNPACKED_LIMIT);
		case 'lz4':
			return decodeDovecotLz4(bytes, UNPACKED_LIMIT);
		case 'zstd':
			return unzstd(bytes, UNPACKED_LIMIT);
	}
}

/** One or more members (RFC 1952, 2.2). Bytes after the last one would be lost in silence, so they make the whole thing broken. */
function gunzip(bytes: Buffer): Buffer {
	try {
		const result: unknown = gunzipSync(bytes, { info: true, maxOutputLength: UNPACKED_LIMIT });
		if (!isInflated(result)) throw new TypeError('gunzipSync gives no engine');
		if (result.engine.bytesWritten !== bytes.length) throw new BrokenStream('bytes follow the last gzip member');
		return result.buffer;
	} catch (error) {
		const code = systemCode(error);
		if (code === 'Z_DATA_ERROR' || code === 'Z_BUF_ERROR' || code === 'Z_NEED_DICT' || code === 'ERR_BUFFER_TOO_LARGE') {
			throw new BrokenStream(`gzip: ${code}`);
		}
		throw error;
	}
}

/** What `info: true` makes of the result (Node's documentation of zlib options). */
function isInflated(value: unknown): value is { buffer: Buffer; engine: { bytesWritten: number } } {
	return typeof value === 'object' && value !== null && 'buffer' in value && 'engine' in value && Buffer.isBuffer(value.buffer);
}
