import { openBundle, verifyEntries } from '../bundle/index.ts';
import { type BundleId, MailsealError } from '../domain/index.ts';
import { sha256Of } from './hash.ts';
import { openRange, type RangeFile } from './range.ts';

/** One thing that is wrong with a bundle. */
export interface Damage {
	/** Kebab-case, e.g. `hash-mismatch`, `bundle-missing`, `wrong-crc`. */
	readonly code: string;
	readonly text: string;
}

const PIECE = 4 * 1024 * 1024;

function* pieces(range: RangeFile): Iterable<Uint8Array> {
	for (let offset = 0; offset < range.size; offset += PIECE) yield range.read(offset, Math.min(PIECE, range.size - offset));
}

/** How closely a bundle is looked at: its hash; its directory and manifest too; every message decoded and compared with its id. */
export type CheckDepth = 'hash' | 'manifest' | 'messages';

/** Reads a whole bundle and compares its SHA-256 with its name; a bundle that differs is looked at as closely as can be. */
export async function checkBundleFile(options: {
	readonly path: string;
	readonly id: BundleId;
	readonly depth: CheckDepth;
}): Promise<{ readonly bytes: number; readonly messages: number; readonly damages: Damage[] }> {
	const { path, id, depth } = options;
	const damages: Damage[] = [];
	let range: RangeFile;
	try {
		range = openRange(path);
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
		const code = error.code === 'not-found' ? 'bundle-missing' : 'bundle-unreadable';
		return { bytes: 0, messages: 0, damages: [{ code, text: error.message }] };
	}
	try {
		let messages = 0;
		const found = sha256Of(pieces(range));
		if (found !== id) damages.push({ code: 'hash-mismatch', text: `the bytes of bundle ${id} have the SHA-256 ${found}` });
		if (found !== id || depth !== 'hash') {
			try {
				const bundle = await openBundle(range, { localHeaders: true });
				messages = bundle.messages.size;
				const { signal } = new AbortController();
				if (found === id && depth === 'manifest') return { bytes: range.size, messages, damages };
				for await (const { name, damage, text } of verifyEntries(range, bundle, { decode: true, signal })) {
					damages.push({ code: damage, text: `${name}: ${text}` });
				}
			} catch (error) {
				if (!(error instanceof MailsealError) || (error.code !== 'archive-damaged' && error.code !== 'format-newer')) throw error;
				damages.push({ code: String(error.details.damage ?? error.code), text: error.message });
			}
		}
		return { bytes: range.size, messages, damages };
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
		damages.push({ code: String(error.details.damage ?? 'truncated'), text: error.message });
		return { bytes: range.size, messages: 0, damages };
	} finally {
		range.close();
	}
}
