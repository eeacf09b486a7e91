import {
	type AccountName,
	type Codec,
	FLAGS,
	type Flag,
	type FolderName,
	formatInstant,
	type MessageId,
	type Owner,
	type PartFacts,
	type PlacedWord,
} from '../domain/index.ts';
import type { Value } from './database.ts';

/** Flags as bits, in the order of FLAGS. */
export function flagBits(flags: readonly Flag[]): number {
	return flags.reduce((bits, flag) => bits | (1 << FLAGS.indexOf(flag)), 0);
}

export function flagsOf(bits: number): readonly Flag[] {
	return FLAGS_OF[bits] ?? flagsIn(bits);
}

function flagsIn(bits: number): readonly Flag[] {
	return FLAGS.filter((_, index) => (bits & (1 << index)) !== 0);
}

/** Each combination once, however many messages have it. */
const FLAGS_OF: readonly (readonly Flag[])[] = Array.from({ length: 1 << FLAGS.length }, (_, bits) => flagsIn(bits));

/** An object as one column: JSON with its keys in order, so that the same facts give the same text. */
export function factsColumn(facts: object): string {
	return JSON.stringify(Object.fromEntries(Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Keywords as one column: JSON, or empty for none. */
export function keywordsColumn(keywords: readonly string[]): string {
	return keywords.length === 0 ? '' : JSON.stringify(keywords);
}

export function keywordsOf(column: Value | undefined): string[] {
	return column === '' || column === null || column === undefined ? [] : (JSON.parse(String(column)) as string[]);
}

/** Parts as one column: JSON with the fields in the manifest's order, so that the same parts give the same text; null for none. */
export function partsColumn(parts: readonly PartFacts[]): string | null {
	if (parts.length === 0) return null;
	return JSON.stringify(parts.map(({ id, name, type, size, disposition }) => ({ id, name, type, size, disposition })));
}

export function partsOf(column: Value | undefined): PartFacts[] {
	return column === null || column === undefined ? [] : (JSON.parse(String(column)) as PartFacts[]);
}

export function hashColumn(id: string): Uint8Array {
	return Buffer.from(id, 'hex');
}

export function hashOf(column: Value | undefined): string {
	return Buffer.from(column as Uint8Array).toString('hex');
}

/** How a codec stands in a column. */
export const CODECS: readonly Codec[] = ['none', 'gzip'];

/** Columns of `placement`, without the folder, as placedWord takes them. */
export const PLACED_COLUMNS = 'p.key, m.id, p.flags, p.keywords, p.date, p.uid, p.dir, p.info, p.uidlist, p.since, p.mode, p.owner';

/** The placed word that a row of PLACED_COLUMNS stands for. */
export function placedWord(account: AccountName, folder: FolderName, columns: readonly Value[], start = 0): PlacedWord {
	const at = (index: number): Value => columns[start + index] ?? null;
	const uid = at(5);
	const dir = at(6);
	const info = at(7);
	const uidlist = at(8);
	const since = at(9);
	const mode = at(10);
	const owner = at(11);
	return {
		type: 'placed',
		account,
		folder,
		key: String(at(0)),
		message: hashOf(at(1)) as MessageId,
		flags: flagsOf(Number(at(2))),
		keywords: keywordsOf(at(3)),
		date: formatInstant(Number(at(4))),
		...(uid === null ? {} : { uid: Number(uid) }),
		...(dir === null ? {} : { dir: dir as 'cur' | 'new' }),
		...(info === null ? {} : { info: String(info) }),
		...(uidlist === null ? {} : { uidlist: String(uidlist) }),
		...(since === null ? {} : { since: formatInstant(Number(since)) }),
		...(mode === null ? {} : { mode: Number(mode) }),
		...(owner === null ? {} : { owner: JSON.parse(String(owner)) as Owner }),
	};
}
