import { randomBytes } from 'node:crypto';
import {
	closeSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	renameSync,
	statSync,
	unlinkSync,
	utimesSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { MailsealError, systemCode } from '../domain/index.ts';
import { asMailsealError, listNames } from '../platform/index.ts';
import { itemPath, type Place } from './items.ts';
import { CACHE_FOLDER } from './layout.ts';

/** Bytes kept of what was fetched from targets. */
const LIMIT = 1024 ** 3;
/** After so much of the limit was fetched, by whomever, the cache is looked through. */
const SWEEP_SHARE = 1 / 8;

/** Items fetched from a target, one file each. Every file may be deleted at any time; none is believed: messages are proved by their ids. */
export interface ItemCache {
	/** True for an item that is there; it counts as used just now. */
	has(place: Place): boolean;
	/** Writes an item from pieces that come one after another. */
	keep(place: Place, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
	forget(place: Place): void;
	/** Removes what was not used for longest, down to the limit, but nothing that `held` names. */
	sweepIfDue(held: ReadonlySet<string>): void;
}

/** That nothing can be written here is no damage of what was read: a missing folder, above all, is not a missing message. */
function notKept(error: unknown, path: string): unknown {
	const known = asMailsealError(error, 'keep what was fetched in', path);
	if (!(known instanceof MailsealError) || known.code !== 'not-found') return known;
	return new MailsealError('read-only', known.message, {
		cause: error,
		hint: 'make the archive writable for this user: what is read from a target is kept there for a while',
	});
}

export function openItemCache(dir: string, limit: number = LIMIT): ItemCache {
	const top = join(dir, CACHE_FOLDER, 'items');
	/** Bytes fetched since the last sweep: each call fetches little, and many calls much. */
	const counter = join(dir, CACHE_FOLDER, 'fetched');
	let fetched = 0;

	return {
		has(place) {
			const path = itemPath(dir, place);
			try {
				if (statSync(path).size !== place.length) return false;
			} catch (error) {
				if (systemCode(error) === 'ENOENT') return false;
				throw asMailsealError(error, 'look at', path);
			}
			touch(path);
			return true;
		},

		async keep(place, pieces) {
			const path = itemPath(dir, place);
			const temporary = `${path}.${randomBytes(4).toString('hex')}`;
			try {
				mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
				const descriptor = openSync(temporary, 'wx', 0o600);
				try {
					for await (const piece of pieces) {
						for (let done = 0; done < piece.length; ) done += writeSync(descriptor, piece, done);
					}
				} finally {
					closeSync(descriptor);
				}
				renameSync(temporary, path);
			} catch (error) {
				remove(temporary);
				throw notKept(error, path);
			}
			fetched += place.length;
		},

		forget: (place) => remove(itemPath(dir, place)),

		sweepIfDue(held) {
			if (fetched === 0) return;
			const total = readCounter(counter) + fetched;
			fetched = 0;
			if (total >= limit * SWEEP_SHARE) sweep(top, { limit, held });
			writeCounter(counter, total >= limit * SWEEP_SHARE ? 0 : total);
		},
	};
}

function sweep(top: string, { limit, held }: { readonly limit: number; readonly held: ReadonlySet<string> }): void {
	const files = listNames(top).flatMap((prefix) =>
		readdirSync(join(top, prefix)).flatMap((name) => factsOf(join(top, prefix, name)) ?? []),
	);
	let total = files.reduce((sum, { size }) => sum + size, 0);
	files.sort((a, b) => a.used - b.used);
	for (const { path, size } of files) {
		if (total <= limit) return;
		if (held.has(path)) continue;
		remove(path);
		total -= size;
	}
}

/** Who may only read the cache uses it as it is. */
function touch(path: string): void {
	const now = new Date();
	try {
		utimesSync(path, now, now);
	} catch (error) {
		if (systemCode(error) === undefined) throw error;
	}
}

function readCounter(path: string): number {
	try {
		const count = Number(readFileSync(path, 'utf8'));
		return Number.isSafeInteger(count) && count >= 0 ? count : 0;
	} catch (error) {
		if (systemCode(error) === undefined) throw error;
		return 0;
	}
}

/** Two that write at once count too little, and the sweep comes later. */
function writeCounter(path: string, count: number): void {
	try {
		writeFileSync(path, String(count), { mode: 0o600 });
	} catch (error) {
		if (systemCode(error) === undefined) throw error;
	}
}

function factsOf(path: string): { readonly path: string; readonly size: number; readonly used: number } | null {
	try {
		const { size, mtimeMs } = statSync(path);
		return { path, size, used: mtimeMs };
	} catch (error) {
		// Another mailseal swept at the same time.
		if (systemCode(error) === 'ENOENT') return null;
		throw asMailsealError(error, 'look at', path);
	}
}

function remove(path: string): void {
	try {
		unlinkSync(path);
	} catch (error) {
		if (systemCode(error) !== 'ENOENT') throw asMailsealError(error, 'remove', path);
	}
}
