import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BundleId, MailsealError, parseBundleId, parseSnapshotName, type SnapshotName, systemCode } from '../../domain/index.ts';
import { asMailsealError, type Files, listNames } from '../../platform/index.ts';
import { sha256 } from '../hash.ts';
import type { TargetAddress } from './keys.ts';

/** What this host knows of a copy that it shipped or saw proved. */
export interface KnownCopy {
	/** SHA-256 of the age file that this host shipped itself; left out for a plain copy, whose id is its hash. */
	readonly sealedHash?: string;
	/** Bytes of that age file. */
	readonly size?: number;
	/** MD5 that the store told, so that a listing confirms the copy. */
	readonly md5?: string;
}

/** What an archive remembers of a target. All of it can be found out again. */
export interface TargetRecord {
	readonly address: TargetAddress;
	/** When a sync last came to its end, ISO 8601 UTC, and the newest snapshot that lay there then. */
	readonly synced: { readonly time: string; readonly snapshot: SnapshotName } | null;
	readonly copies: ReadonlyMap<BundleId, KnownCopy>;
	/** Sealed bundles that lie at this target and no more in the archive, with their sizes. */
	readonly dropped: ReadonlyMap<BundleId, number>;
}

const FOLDER = 'targets';
const FORMAT = 1;

/** Where the records of an archive lie. */
export function recordsFolder(dir: string): string {
	return join(dir, FOLDER);
}

/** One file a target: no secret is in it, but the address may be nobody's business. */
function recordPath(dir: string, { url, endpoint }: TargetAddress): string {
	return join(recordsFolder(dir), `${targetKey({ url, ...(endpoint === undefined ? {} : { endpoint }) })}.json`);
}

/** A short name for an address, for files: 16 hex digits. */
export function targetKey({ url, endpoint }: TargetAddress): string {
	return sha256(Buffer.from(`${url}\n${endpoint ?? ''}`)).slice(0, 16);
}

export function emptyRecord(address: TargetAddress): TargetRecord {
	return { address, synced: null, copies: new Map(), dropped: new Map() };
}

/** What the archive remembers of one target; null where it was never shipped there. */
export function readRecord(dir: string, address: TargetAddress): TargetRecord | null {
	return readRecordFile(recordPath(dir, address));
}

/** Bundles that other targets than this one have, and the archive has no more. */
export function bundlesElsewhere(dir: string, address: TargetAddress): Set<BundleId> {
	const here = targetKey(address);
	return new Set(readRecords(dir).flatMap((record) => (targetKey(record.address) === here ? [] : [...record.dropped.keys()])));
}

export function readRecords(dir: string): TargetRecord[] {
	const folder = recordsFolder(dir);
	return listNames(folder)
		.filter((name) => /^[0-9a-f]{16}\.json$/.test(name))
		.flatMap((name) => readRecordFile(join(folder, name)) ?? []);
}

/** Durable before it returns. */
export function writeRecord(files: Files, dir: string, record: TargetRecord): void {
	const { address, synced, copies, dropped } = record;
	const value = { format: FORMAT, address, synced, copies: Object.fromEntries(copies), dropped: Object.fromEntries(dropped) };
	files.writeFile(recordPath(dir, address), Buffer.from(`${JSON.stringify(value)}\n`), { mode: 0o600, replace: true });
}

function readRecordFile(path: string): TargetRecord | null {
	let text: string;
	try {
		text = readFileSync(path, 'utf8');
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return null;
		throw asMailsealError(error, 'read', path);
	}
	const record = parseRecord(text);
	if (record !== null) return record;
	throw new MailsealError('archive-damaged', `Cannot read "${path}": it is not what a sync remembers of a target`, {
		hint: 'move the file away; "mailseal sync TARGET" finds out again what lies there, and with --drop-local also that bundles were dropped here',
	});
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Null for anything that writeRecord() does not write. */
function parseRecord(text: string): TargetRecord | null {
	try {
		const value: unknown = JSON.parse(text);
		if (!isObject(value) || value.format !== FORMAT || !isObject(value.address) || typeof value.address.url !== 'string') return null;
		const { url, endpoint } = value.address;
		if ((endpoint !== undefined && typeof endpoint !== 'string') || !isObject(value.copies) || !isObject(value.dropped)) return null;
		const copies = Object.entries(value.copies);
		const dropped = Object.entries(value.dropped);
		if (!copies.every(isKnownCopy) || !dropped.every(isSize)) return null;
		return {
			address: { url, ...(endpoint === undefined ? {} : { endpoint }) },
			synced: parseSynced(value.synced),
			copies: new Map(copies.map(([id, copy]) => [parseBundleId(id), copy])),
			dropped: new Map(dropped.map(([id, size]) => [parseBundleId(id), size])),
		};
	} catch (error) {
		if (error instanceof SyntaxError || error instanceof MailsealError) return null;
		throw error;
	}
}

function isKnownCopy(entry: [id: string, copy: unknown]): entry is [string, KnownCopy] {
	const [, copy] = entry;
	if (!isObject(copy) || (copy.size !== undefined && typeof copy.size !== 'number')) return false;
	return [copy.sealedHash, copy.md5].every((hash) => hash === undefined || typeof hash === 'string');
}

function isSize(entry: [id: string, size: unknown]): entry is [string, number] {
	const [, size] = entry;
	return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
}

function parseSynced(value: unknown): TargetRecord['synced'] {
	if (!isObject(value) || typeof value.time !== 'string' || typeof value.snapshot !== 'string') return null;
	return { time: value.time, snapshot: parseSnapshotName(value.snapshot) };
}
