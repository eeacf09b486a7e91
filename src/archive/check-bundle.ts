import { type OpenBundle, openBundle, verifyEntries } from '../bundle/index.ts';
import { type AttachmentLine, type BundleId, MailsealError, type MessageLine } from '../domain/index.ts';
import { sha256Of } from './hash.ts';
import { openRange, type RangeFile, rangePieces } from './range.ts';

/** One thing that is wrong with a bundle. */
export interface Damage {
	/** Kebab-case, e.g. `hash-mismatch`, `bundle-missing`, `wrong-crc`. */
	readonly code: string;
	readonly text: string;
}

/** What a bundle has for rebuilding messages: its recipes and its attachments, and where they lie. */
export interface RecipeMaterial {
	readonly recipes: readonly { readonly line: MessageLine; readonly offset: number; readonly length: number }[];
	readonly attachments: readonly { readonly line: AttachmentLine; readonly offset: number; readonly length: number }[];
}

const NOTHING: RecipeMaterial = { recipes: [], attachments: [] };

function materialOf({ lines, messages, attachments }: OpenBundle): RecipeMaterial {
	const recipes = lines.flatMap((line) => {
		const place = line.type === 'message' && line.recipe !== undefined ? messages.get(line.id) : undefined;
		return line.type === 'message' && place !== undefined ? [{ line, offset: place.offset, length: place.length }] : [];
	});
	const apart = lines.flatMap((line) => {
		const place = line.type === 'attachment' ? attachments.get(line.id) : undefined;
		return line.type === 'attachment' && place !== undefined ? [{ line, offset: place.offset, length: place.length }] : [];
	});
	return { recipes, attachments: apart };
}

/** How closely a bundle is looked at: its hash; its directory and manifest too; every message decoded and compared with its id. */
export type CheckDepth = 'hash' | 'manifest' | 'messages';

export interface CheckedBundle {
	readonly bytes: number;
	readonly messages: number;
	readonly damages: readonly Damage[];
	/** At depth `messages`; empty at others. */
	readonly material: RecipeMaterial;
}

/** Reads a whole bundle and compares its SHA-256 with its name; a bundle that differs is looked at as closely as can be. */
export async function checkBundleFile(options: {
	readonly path: string;
	readonly id: BundleId;
	readonly depth: CheckDepth;
}): Promise<CheckedBundle> {
	const { path, id, depth } = options;
	const damages: Damage[] = [];
	let range: RangeFile;
	try {
		range = openRange(path);
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
		const code = error.code === 'not-found' ? 'bundle-missing' : 'bundle-unreadable';
		return { bytes: 0, messages: 0, damages: [{ code, text: error.message }], material: NOTHING };
	}
	try {
		let messages = 0;
		let material = NOTHING;
		const found = sha256Of(rangePieces(range));
		if (found !== id) damages.push({ code: 'hash-mismatch', text: `the bytes of bundle ${id} have the SHA-256 ${found}` });
		if (found !== id || depth !== 'hash') {
			try {
				const bundle = await openBundle(range, { localHeaders: true });
				messages = bundle.messages.size;
				const { signal } = new AbortController();
				if (found === id && depth === 'manifest') return { bytes: range.size, messages, damages, material };
				material = materialOf(bundle);
				for await (const { name, damage, text } of verifyEntries(range, bundle, { decode: true, signal })) {
					damages.push({ code: damage, text: `${name}: ${text}` });
				}
			} catch (error) {
				if (!(error instanceof MailsealError) || (error.code !== 'archive-damaged' && error.code !== 'format-newer')) throw error;
				damages.push({ code: String(error.details.damage ?? error.code), text: error.message });
			}
		}
		return { bytes: range.size, messages, damages, material };
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
		damages.push({ code: String(error.details.damage ?? 'truncated'), text: error.message });
		return { bytes: range.size, messages: 0, damages, material: NOTHING };
	} finally {
		range.close();
	}
}
