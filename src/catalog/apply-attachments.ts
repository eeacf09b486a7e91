import type { AttachmentId, AttachmentLine, PartFacts } from '../domain/index.ts';
import type { Location } from './apply.ts';
import type { Database } from './database.ts';
import { CODECS, hashColumn } from './rows.ts';

/** Takes in what bundles say of attachments: where they lie, and which copies of messages need them. */
export interface AttachmentApplier {
	/** Called before each bundle. */
	begin(): void;
	addCopy(line: AttachmentLine, where: { readonly bid: number; readonly location: Location | undefined }): void;
	addUses(copy: { readonly mid: number; readonly bid: number; readonly parts: readonly PartFacts[] }): void;
}

export function openAttachmentApplier(database: Database): AttachmentApplier {
	const find = database.prepare('SELECT atid, size FROM attachment WHERE id = ?');
	const add = database.prepare('INSERT INTO attachment(id, size) VALUES (?, ?)');
	const setSize = database.prepare('UPDATE attachment SET size = ? WHERE atid = ? AND size <> ?');
	const addCopy = database.prepare('INSERT OR REPLACE INTO attachment_copy(atid, bid, offset, length, codec) VALUES (?, ?, ?, ?, ?)');
	const addUse = database.prepare('INSERT OR IGNORE INTO attachment_use(atid, mid, bid) VALUES (?, ?, ?)');
	let known = new Map<AttachmentId, number>();

	function attachmentRow(id: AttachmentId, size: number): number {
		let atid = known.get(id);
		if (atid === undefined) {
			const hash = hashColumn(id);
			const row = find.row(hash);
			atid = row === undefined ? add.run(hash, size).id : Number(row[0]);
			known.set(id, atid);
		}
		return atid;
	}

	return {
		begin() {
			known = new Map();
		},

		addCopy(line, { bid, location }) {
			if (location === undefined) return;
			const atid = attachmentRow(line.id, line.size);
			// The bundle's own line is proved against its bytes, which what a message says of an attachment elsewhere is not.
			setSize.run(line.size, atid, line.size);
			addCopy.run(atid, bid, location.offset, location.length, CODECS.indexOf(line.codec));
		},

		addUses({ mid, bid, parts }) {
			for (const { id, size } of parts) if (id !== undefined) addUse.run(attachmentRow(id, size), mid, bid);
		},
	};
}
