import { crc32 } from 'node:zlib';

// Builds zips field by field with nothing of mailseal's own code, so that a fault in its writer cannot hide one in its reader.

/** What can be wrong with an entry; what is left out is right. */
export interface EntrySpec {
	readonly name: string | Buffer;
	readonly data: Uint8Array;
	/** Of the plain data, in both headers. */
	readonly crc?: number;
	readonly flags?: number;
	readonly method?: number;
	readonly plainSize?: number;
	readonly mode?: number;
	readonly attributes?: number;
	readonly centralExtra?: Uint8Array;
	readonly comment?: string;
	readonly centralSignature?: number;
	/** Bytes that the directory adds to the sizes. */
	readonly centralLonger?: number;
	/** Index of the entry whose header this one claims; it then has no bytes of its own. */
	readonly sharesHeaderOf?: number;
	readonly before?: Uint8Array;
	readonly after?: Uint8Array;
	readonly local?: {
		readonly signature?: number;
		readonly name?: string;
		readonly flags?: number;
		readonly method?: number;
		readonly crc?: number;
		readonly size?: number;
		readonly extra?: Uint8Array;
	};
}

export interface EndSpec {
	readonly beforeDirectory?: Uint8Array;
	readonly beforeFile?: Uint8Array;
	readonly afterFile?: Uint8Array;
	readonly entryCount?: number;
	readonly diskEntryCount?: number;
	readonly disk?: number;
	readonly directorySize?: number;
	readonly directoryOffset?: number;
}

/** A zip of these entries, with whatever is to be wrong with them. */
export function buildZip(entries: readonly EntrySpec[], end: EndSpec = {}): Buffer {
	const files: Uint8Array[] = [];
	const records: Uint8Array[] = [];
	const offsets: number[] = [];
	let offset = 0;
	function put(bytes: Uint8Array): void {
		files.push(bytes);
		offset += bytes.length;
	}
	for (const entry of entries) {
		const name = Buffer.from(entry.name);
		const extra = entry.centralExtra ?? new Uint8Array(0);
		const comment = Buffer.from(entry.comment ?? '');
		const crc = entry.crc ?? crc32(entry.data);
		const plainSize = entry.plainSize ?? entry.data.length;
		put(entry.before ?? new Uint8Array(0));
		const at = entry.sharesHeaderOf === undefined ? offset : (offsets[entry.sharesHeaderOf] ?? 0);
		offsets.push(at);
		if (entry.sharesHeaderOf === undefined) {
			const { local = {} } = entry;
			const localName = Buffer.from(local.name ?? name);
			const header = Buffer.alloc(30);
			header.writeUInt32LE(local.signature ?? 0x04034b50, 0);
			header.writeUInt16LE(20, 4);
			header.writeUInt16LE(local.flags ?? entry.flags ?? 0x0800, 6);
			header.writeUInt16LE(local.method ?? entry.method ?? 0, 8);
			header.writeUInt16LE(0x21, 12);
			header.writeUInt32LE(local.crc ?? crc, 14);
			header.writeUInt32LE(local.size ?? entry.data.length, 18);
			header.writeUInt32LE(local.size ?? plainSize, 22);
			header.writeUInt16LE(localName.length, 26);
			header.writeUInt16LE(local.extra?.length ?? 0, 28);
			put(Buffer.concat([header, localName, local.extra ?? new Uint8Array(0), entry.data, entry.after ?? new Uint8Array(0)]));
		}
		const record = Buffer.alloc(46);
		record.writeUInt32LE(entry.centralSignature ?? 0x02014b50, 0);
		record.writeUInt16LE((3 << 8) | 63, 4);
		record.writeUInt16LE(20, 6);
		record.writeUInt16LE(entry.flags ?? 0x0800, 8);
		record.writeUInt16LE(entry.method ?? 0, 10);
		record.writeUInt16LE(0x21, 14);
		record.writeUInt32LE(crc, 16);
		record.writeUInt32LE(entry.data.length + (entry.centralLonger ?? 0), 20);
		record.writeUInt32LE(plainSize + (entry.centralLonger ?? 0), 24);
		record.writeUInt16LE(name.length, 28);
		record.writeUInt16LE(extra.length, 30);
		record.writeUInt16LE(comment.length, 32);
		record.writeUInt32LE((entry.attributes ?? 0) + (entry.mode ?? 0o100644) * 0x10000, 38);
		record.writeUInt32LE(at, 42);
		records.push(record, name, extra, comment);
	}
	put(end.beforeDirectory ?? new Uint8Array(0));
	const directory = Buffer.concat(records);
	const tail = Buffer.alloc(22);
	tail.writeUInt32LE(0x06054b50, 0);
	tail.writeUInt16LE(end.disk ?? 0, 4);
	tail.writeUInt16LE(end.diskEntryCount ?? end.entryCount ?? entries.length, 8);
	tail.writeUInt16LE(end.entryCount ?? entries.length, 10);
	tail.writeUInt32LE(end.directorySize ?? directory.length, 12);
	tail.writeUInt32LE(end.directoryOffset ?? offset, 16);
	return Buffer.concat([end.beforeFile ?? new Uint8Array(0), ...files, directory, tail, end.afterFile ?? new Uint8Array(0)]);
}
