import { createCipheriv, createHash } from 'node:crypto';
import { even, logNormal, openPrng } from './prng.ts';

/** A file as it hangs on messages: the same for the same number, whichever message it hangs on. */
export interface AttachmentFile {
	readonly name: string;
	readonly type: string;
	/** Bytes before base64. */
	readonly size: number;
	/** Base64 in lines of 76 columns, LF at the end of each. */
	readonly encoded: Buffer;
	readonly lines: number;
}

export interface FileSizes {
	readonly median: number;
	readonly sigma: number;
	readonly max: number;
}

/** What a file of a sort begins with, and whether compression finds anything in it. */
interface Sort {
	readonly share: number;
	readonly ending: string;
	readonly type: string;
	readonly magic: string;
	readonly loose: boolean;
}

const SORTS: readonly Sort[] = [
	{ share: 0.36, ending: 'pdf', type: 'application/pdf', magic: '%PDF-1.7\n', loose: false },
	{ share: 0.24, ending: 'jpg', type: 'image/jpeg', magic: '\xff\xd8\xff\xe0\0\x10JFIF\0', loose: false },
	{
		share: 0.12,
		ending: 'docx',
		type: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
		magic: 'PK\x03\x04\x14\0',
		loose: false,
	},
	{ share: 0.08, ending: 'png', type: 'image/png', magic: '\x89PNG\r\n\x1a\n', loose: false },
	{ share: 0.06, ending: 'zip', type: 'application/zip', magic: 'PK\x03\x04\x14\0', loose: false },
	{ share: 0.07, ending: 'csv', type: 'text/csv', magic: 'date;account;amount\n', loose: true },
	{ share: 0.07, ending: 'doc', type: 'application/msword', magic: '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', loose: true },
];
const TITLES = ['report', 'invoice', 'scan', 'minutes', 'offer', 'IMG', 'contract', 'schedule', 'Übersicht', 'plan'];
const CACHE_BYTES = 128 * 1024 * 1024;
const LINE = 76;
const GOLDEN = 0.618033988749895;
const LETTERS = Buffer.from('000011112233445566778899;;..\n\n- ', 'latin1');

/** Files of one seed, made when they are asked for and kept while they fit into 128 MiB. */
export function openAttachmentFiles(options: { readonly seed: number; readonly sizes: FileSizes }): (id: number) => AttachmentFile {
	const { seed, sizes } = options;
	const key = createHash('sha256').update(`attachments ${seed}`).digest().subarray(0, 16);
	const offset = openPrng('attachment-sizes', seed).float();
	const zeros = Buffer.alloc(sizes.max);
	const cache = new Map<number, AttachmentFile>();
	let cached = 0;

	function make(id: number): AttachmentFile {
		const prng = openPrng('attachment', seed, id);
		const sort = pickSort(prng.float());
		const size = Math.max(200, Math.min(sizes.max, Math.round(logNormal(even(id, GOLDEN, offset), sizes))));
		const counter = Buffer.alloc(16);
		counter.writeDoubleBE(id, 0);
		// A key stream is the fastest source of bytes that neither compress nor repeat.
		const bytes = createCipheriv('aes-128-ctr', key, counter).update(zeros.subarray(0, size));
		if (sort.loose) for (let at = 0; at < size; at++) bytes[at] = LETTERS[(bytes[at] ?? 0) & 31] ?? 0;
		bytes.write(sort.magic, 0, 'latin1');
		const encoded = encodeLines(bytes);
		return { name: `${prng.pick(TITLES)}-${prng.int(10_000)}.${sort.ending}`, type: sort.type, size, ...encoded };
	}

	return (id) => {
		const known = cache.get(id);
		if (known) return known;
		const file = make(id);
		cached += file.encoded.length;
		cache.set(id, file);
		for (const [oldest, { encoded }] of cache) {
			if (cached <= CACHE_BYTES) break;
			cache.delete(oldest);
			cached -= encoded.length;
		}
		return file;
	};
}

/** Base64 in lines of 76 columns, LF at the end of each. */
export function encodeLines(bytes: Buffer): { encoded: Buffer; lines: number } {
	const text = Buffer.from(bytes.toString('base64'), 'latin1');
	const lines = Math.ceil(text.length / LINE);
	const encoded = Buffer.allocUnsafeSlow(text.length + lines);
	let to = 0;
	for (let from = 0; from < text.length; from += LINE) {
		to += text.copy(encoded, to, from, Math.min(from + LINE, text.length));
		encoded[to++] = 0x0a;
	}
	return { encoded, lines };
}

function pickSort(at: number): Sort {
	let below = 0;
	for (const sort of SORTS) {
		below += sort.share;
		if (at < below) return sort;
	}
	return SORTS[0] as Sort;
}
