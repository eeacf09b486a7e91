import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { openBundle, type RangeSource } from '../../src/bundle/index.ts';
import { countFiles } from './bytes.ts';

/** What lies in an archive, read from its files alone. */
export interface ArchiveFacts {
	readonly sealed: { readonly files: number; readonly bytes: number };
	readonly volatile: { readonly files: number; readonly bytes: number };
	readonly catalog: { readonly files: number; readonly bytes: number };
	/** Entries: a message that lies in two bundles counts twice. */
	readonly messages: number;
	/** Of the messages. */
	readonly recipes: number;
	readonly attachments: number;
	/** Of the attachments: those that some recipe writes as base64. */
	readonly decoded: number;
}

const ENTRY = /^(messages|attachments)\/[0-9a-f]{2}\/([0-9a-f]{64})(\.eml|\.recipe)?(?:\.gz)?$/;
const LINE_FEED = 0x0a;

/** Files and bytes of the catalog: what SQLite keeps beside it included. */
export function catalogBytes(archive: string): { readonly files: number; readonly bytes: number } {
	const sizes = readdirSync(archive)
		.filter((name) => name.startsWith('catalog.sqlite'))
		.map((name) => statSync(join(archive, name)).size);
	return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** Opens every bundle and reads every recipe. */
export async function readArchiveFacts(archive: string): Promise<ArchiveFacts> {
	const attachments = new Set<string>();
	const decoded = new Set<string>();
	let messages = 0;
	let recipes = 0;
	let stored = 0;
	await eachEntry(archive, ({ kind, id, recipe, bytes }) => {
		if (kind === 'attachment') {
			stored++;
			attachments.add(id);
			return;
		}
		messages++;
		if (!recipe) return;
		recipes++;
		for (const one of decodedBy(bytes())) decoded.add(one);
	});
	return {
		sealed: bundleBytes(archive, 'sealed'),
		volatile: bundleBytes(archive, 'volatile'),
		catalog: catalogBytes(archive),
		messages,
		recipes,
		attachments: stored,
		decoded: [...decoded].filter((id) => attachments.has(id)).length,
	};
}

/** Bytes of the manifests of all bundles, as stored. */
export async function manifestBytes(archive: string): Promise<number> {
	let bytes = 0;
	for (const path of bundlesOf(archive)) {
		const file = openFile(path);
		try {
			const { entries } = await openBundle(file.source);
			for (const { name, length } of entries) if (name.startsWith('manifest.')) bytes += length;
		} finally {
			file.close();
		}
	}
	return bytes;
}

/** An entry of a bundle. */
export interface StoredEntry {
	readonly kind: 'message' | 'attachment';
	readonly id: string;
	readonly recipe: boolean;
	readonly sealed: boolean;
	readonly length: number;
	/** As stored; only while it is looked at. */
	bytes(): Buffer;
}

/** Looks at the messages and attachments of every bundle. */
export async function eachEntry(archive: string, look: (entry: StoredEntry) => void): Promise<void> {
	for (const path of bundlesOf(archive)) {
		const sealed = path.startsWith(join(archive, 'bundles', 'sealed'));
		const file = openFile(path);
		try {
			const { entries } = await openBundle(file.source);
			for (const { name, offset, length } of entries) {
				const [, folder, id = '', form] = ENTRY.exec(name) ?? [];
				if (folder === undefined) continue;
				const kind = folder === 'messages' ? 'message' : 'attachment';
				look({ kind, id, recipe: form === '.recipe', sealed, length, bytes: () => file.read(offset, length) });
			}
		} finally {
			file.close();
		}
	}
}

/** Ids of the attachments that a recipe, as it is stored, writes as base64. */
export function decodedBy(stored: Buffer): string[] {
	return piecesOf(stored).flatMap(({ attachment, base64 }) => (attachment !== undefined && base64 !== undefined ? [attachment] : []));
}

/** Ids of all its attachments. */
export function attachedBy(stored: Buffer): string[] {
	return piecesOf(stored).flatMap(({ attachment }) => attachment ?? []);
}

function piecesOf(stored: Buffer): readonly { readonly attachment?: string; readonly base64?: object }[] {
	const recipe = stored[0] === 0x1f ? gunzipSync(stored) : stored;
	type Recipe = { readonly pieces: readonly { readonly attachment?: string; readonly base64?: object }[] };
	return (JSON.parse(recipe.toString('utf8', 0, recipe.indexOf(LINE_FEED))) as Recipe).pieces;
}

/** What lies in an archive, held against the messages that somebody still needs. */
export interface Needed {
	/** Stored bytes of these messages and their attachments, each of them once: without duplicates, manifests and the records of the zips. */
	readonly bytes: number;
	/** Of the stored bytes of sealed bundles, the share that none of them needs; what lies there twice is needed once. */
	readonly deadShare: number;
}

/** Reads each bundle twice. `needed`: ids of messages. */
export async function weighNeeded(archive: string, needed: ReadonlySet<string>): Promise<Needed> {
	const attachments = new Set<string>();
	await eachEntry(archive, ({ kind, id, recipe, bytes }) => {
		if (kind === 'message' && recipe && needed.has(id)) for (const one of attachedBy(bytes())) attachments.add(one);
	});
	const smallest = new Map<string, number>();
	const seen = new Set<string>();
	let all = 0;
	let live = 0;
	await eachEntry(archive, ({ kind, id, sealed, length }) => {
		const key = `${kind} ${id}`;
		const isNeeded = (kind === 'message' ? needed : attachments).has(id);
		if (isNeeded) smallest.set(key, Math.min(length, smallest.get(key) ?? length));
		if (!sealed) return;
		all += length;
		if (isNeeded && !seen.has(key)) live += length;
		seen.add(key);
	});
	return { bytes: [...smallest.values()].reduce((sum, length) => sum + length, 0), deadShare: all === 0 ? 0 : 1 - live / all };
}

function bundlesOf(archive: string): string[] {
	return readdirSync(join(archive, 'bundles'), { recursive: true, encoding: 'utf8' })
		.filter((path) => path.endsWith('.zip'))
		.sort()
		.map((path) => join(archive, 'bundles', path));
}

function bundleBytes(archive: string, kind: 'sealed' | 'volatile'): { readonly files: number; readonly bytes: number } {
	const folder = join(archive, 'bundles', kind);
	return existsSync(folder) ? countFiles(folder) : { files: 0, bytes: 0 };
}

function openFile(path: string): { readonly source: RangeSource; read(offset: number, length: number): Buffer; close(): void } {
	const descriptor = openSync(path, 'r');
	function read(offset: number, length: number): Buffer {
		const bytes = Buffer.alloc(length);
		return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
	}
	return { source: { size: fstatSync(descriptor).size, read }, read, close: () => closeSync(descriptor) };
}
