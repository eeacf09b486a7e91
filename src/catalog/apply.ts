import { dueOf } from '../classifier/index.ts';
import {
	type AccountName,
	type AttachmentId,
	type BundleRef,
	type ControlWord,
	type FolderName,
	type FolderWord,
	isFile,
	type ManifestLine,
	type MessageId,
	type MessageLine,
	type PlacedWord,
	type Policy,
	tenantOf,
	type Word,
} from '../domain/index.ts';
import { openAttachmentApplier } from './apply-attachments.ts';
import type { Database, Statement, Value } from './database.ts';
import { fileNames, openFileSetter } from './files.ts';
import { CODECS, factsColumn, flagBits, hashColumn, keywordsColumn, partsColumn } from './rows.ts';
import { searchable } from './searchable.ts';

/** Where the stored bytes of one message or attachment lie in a bundle's file. */
export interface Location {
	readonly offset: number;
	readonly length: number;
}

export interface BundleToApply {
	readonly ref: BundleRef;
	readonly lines: readonly ManifestLine[];
	readonly locations: ReadonlyMap<MessageId, Location>;
	readonly attachmentLocations: ReadonlyMap<AttachmentId, Location>;
}

/** Placements, and the bytes of the messages that they stand for. */
export interface Totals {
	messages: number;
	bytes: number;
}

/** How it is decided when volatile mail is due for sealing. */
export interface Judging {
	readonly policy: Policy;
	/** When these words came into a volatile bundle, milliseconds since 1970: mail cannot have waited for a bundle before that. */
	readonly now?: number;
}

/** Takes in bundles, oldest first: each word replaces what older bundles said of the same thing. */
export interface Applier {
	apply(bundle: BundleToApply, judging: Judging | null): void;
	readonly totals: Totals;
}

/** `before`: when a volatile placement of the same state was due already, which neither folding nor a new uid puts off. */
function dueFrom(word: PlacedWord, { policy, now }: Judging, before: number | null): number | null {
	const due = dueOf(word, policy);
	return due === null ? null : Math.max(due, before ?? now ?? due);
}

export function openApplier(database: Database, totals: Totals): Applier {
	const statements = prepareAll(database);
	const attachments = openAttachmentApplier(database);
	const setFiles = openFileSetter(database);
	const accounts = new Map<string, number>();
	const folders = new Map<string, number>();
	// In a rebuild there is nothing to look for before the first removal.
	let someGone = statements.anyGone.row() !== undefined;

	/** Forgets that something is gone; the anchors of what was, or undefined. */
	function takeGone(kind: string, account: AccountName, folder: FolderName | '', key: string): Value | undefined {
		return someGone ? statements.takeGone.row(kind, account, folder, key)?.[0] : undefined;
	}

	function addGone(
		kind: string,
		account: AccountName,
		folder: FolderName | '',
		options: { readonly key: string; readonly bid: number; readonly anchors: number },
	): void {
		statements.addGone.run(kind, account, folder, options.key, options.bid, options.anchors);
		someGone = true;
	}

	function accountId(account: AccountName): number {
		const known = accounts.get(account);
		if (known !== undefined) return known;
		const row = statements.findAccount.row(account);
		const aid = row === undefined ? statements.addAccount.run(account, tenantOf(account)).id : Number(row[0]);
		accounts.set(account, aid);
		return aid;
	}

	function folderId(account: AccountName, folder: FolderName): number {
		const name = `${account}\0${folder}`;
		const known = folders.get(name);
		if (known !== undefined) return known;
		const aid = accountId(account);
		const row = statements.findFolder.row(aid, folder);
		const fid = row === undefined ? statements.addFolder.run(aid, folder).id : Number(row[0]);
		folders.set(name, fid);
		return fid;
	}

	/** The number of a folder that may not be there: a removal must not bring it back. */
	function existingFolder(account: AccountName, folder: FolderName): number | null {
		const known = folders.get(`${account}\0${folder}`);
		if (known !== undefined) return known;
		const row = statements.findFolderByName.row(account, folder);
		return row === undefined ? null : Number(row[0]);
	}

	function applyMessage(line: MessageLine, location: Location | undefined, bid: number, known: Map<MessageId, [number, number]>): void {
		const id = hashColumn(line.id);
		const row = statements.findMessage.row(id);
		const parts = partsColumn(line.attachments);
		let mid = Number(row?.[0] ?? 0);
		if (row === undefined || row[1] === null) {
			const { messageId, ...shown } = line.headers;
			const files = line.attachments.filter(isFile).length;
			if (row === undefined) mid = statements.addMessage.run(id, line.size, messageId ?? null, factsColumn(shown), files).id;
			else {
				statements.fillMessage.run(line.size, messageId ?? null, factsColumn(shown), files, mid);
				totals.bytes += line.size * Number(statements.countPlacements.row(mid)?.[0] ?? 0);
			}
			const { from, to, cc, subject } = line.headers;
			statements.addHeader.run(mid, searchable(from), searchable(to), searchable(cc), searchable(subject), fileNames(line.attachments));
		} else if (parts !== null && statements.findGreaterParts.row(mid, parts) === undefined) setFiles(mid, line.attachments);
		known.set(line.id, [mid, line.size]);
		if (location === undefined) return;
		statements.addCopy.run(mid, bid, location.offset, location.length, CODECS.indexOf(line.codec), line.recipe ?? null);
		if (parts === null) return;
		statements.addParts.run(mid, bid, parts);
		attachments.addUses({ mid, bid, parts: line.attachments });
	}

	function applyPlaced(
		word: PlacedWord,
		{ bid, sealed, isNew }: { readonly bid: number; readonly sealed: boolean; readonly isNew: boolean },
		judging: Judging | null,
		known: Map<MessageId, [number, number]>,
	): void {
		const fid = folderId(word.account, word.folder);
		let message = known.get(word.message);
		if (message === undefined) {
			const row = statements.findMessage.row(hashColumn(word.message));
			if (row === undefined) {
				// A word may come before its message: once another tenant's placement sealed it, the older copy was dropped.
				message = [statements.addMessage.run(hashColumn(word.message), null, null, '{}', 0).id, 0];
			} else message = [Number(row[0]), Number(row[1] ?? 0)];
			known.set(word.message, message);
		}
		const old = statements.findPlacement.row(fid, word.key);
		if (old !== undefined) {
			totals.messages--;
			totals.bytes -= Number(old[1]);
		}
		const since = word.since === undefined ? null : Date.parse(word.since);
		const standing = old !== undefined && old[2] !== null && old[3] === message[0] && old[4] === since;
		const gone = takeGone('placement', word.account, word.folder, word.key);
		const anchors = Number(old?.[0] ?? gone ?? 0) + (sealed && isNew ? 1 : 0);
		totals.messages++;
		totals.bytes += message[1];
		const columns = [
			bid,
			flagBits(word.flags),
			keywordsColumn(word.keywords),
			Date.parse(word.date),
			word.uid ?? null,
			word.dir ?? null,
			word.info ?? null,
			word.uidlist ?? null,
			since,
			word.mode ?? null,
			word.owner === undefined ? null : JSON.stringify(word.owner),
			sealed ? 1 : 0,
			anchors,
			sealed || judging === null ? null : dueFrom(word, judging, standing ? Number(old?.[2]) : null),
		];
		// Where the message stays, the index by messages is left alone: each row of it lies on another page.
		if (old !== undefined && old[3] === message[0]) statements.placeAnew.run(...columns, fid, word.key);
		else statements.place.run(fid, word.key, message[0], ...columns);
	}

	function applyRemoved(word: Extract<Word, { type: 'removed' }>, bid: number): void {
		const fid = existingFolder(word.account, word.folder);
		const old = fid === null ? undefined : statements.findPlacement.row(fid, word.key);
		const gone = takeGone('placement', word.account, word.folder, word.key);
		if (fid !== null && old !== undefined) {
			totals.messages--;
			totals.bytes -= Number(old[1]);
			statements.removePlacement.run(fid, word.key);
		}
		addGone('placement', word.account, word.folder, { key: word.key, bid, anchors: Number(old?.[0] ?? gone ?? 0) });
	}

	function applyControl(word: ControlWord, bid: number): void {
		const { type, account, folder, path, ...file } = word;
		takeGone('control', account, folder ?? '', path);
		statements.setControl.run(accountId(account), folder ?? '', path, factsColumn(file), bid);
	}

	function applyFolder(word: FolderWord, bid: number): void {
		const { type, account, folder, ...facts } = word;
		takeGone('folder', account, folder, '');
		statements.setFolder.run(factsColumn(facts), bid, folderId(account, folder));
	}

	/** Words of different things come in any order: a folder that mail still stands in stays, as one that no word describes. */
	function applyFolderRemoved(account: AccountName, folder: FolderName): void {
		const fid = existingFolder(account, folder);
		if (fid === null) return;
		statements.forgetFolder.run(fid);
		if (statements.removeFolder.run(fid).changes > 0) folders.delete(`${account}\0${folder}`);
	}

	function applyAccountRemoved(account: AccountName): void {
		statements.forgetAccount.run(account);
		if (statements.removeAccount.run(account).changes > 0) accounts.delete(account);
	}

	function applyWord(word: Exclude<Word, PlacedWord>, bid: number): void {
		switch (word.type) {
			case 'removed':
				applyRemoved(word, bid);
				break;
			case 'folder':
				applyFolder(word, bid);
				break;
			case 'control':
				applyControl(word, bid);
				break;
			case 'account':
				takeGone('account', word.account, '', '');
				statements.setAccount.run(word.source, word.layout, bid, accountId(word.account));
				break;
			case 'folder-removed':
				applyFolderRemoved(word.account, word.folder);
				addGone('folder', word.account, word.folder, { key: '', bid, anchors: 0 });
				break;
			case 'control-removed':
				statements.removeControl.run(word.account, word.folder ?? '', word.path);
				addGone('control', word.account, word.folder ?? '', { key: word.path, bid, anchors: 0 });
				break;
			case 'account-removed':
				applyAccountRemoved(word.account);
				addGone('account', word.account, '', { key: '', bid, anchors: 0 });
		}
	}

	return {
		totals,
		apply({ ref, lines, locations, attachmentLocations }, judging) {
			const sealed = ref.kind === 'sealed';
			const tenant = sealed ? lines.find((line) => line.type === 'placed') : undefined;
			const position = Number(statements.lastPosition.row()?.[0] ?? 0) + 1;
			// The same bundle again goes to the end of the list; what it speaks of was counted when it came.
			const isNew = statements.findListed.row(hashColumn(ref.id)) === undefined;
			const bid = Number(
				statements.setBundle.row(
					hashColumn(ref.id),
					sealed ? 1 : 0,
					ref.size,
					position,
					tenant === undefined ? null : tenantOf((tenant as PlacedWord).account),
					lines.filter((line) => line.type !== 'message' && line.type !== 'attachment').length,
				)?.[0],
			);
			const known = new Map<MessageId, [number, number]>();
			attachments.begin();
			for (const line of lines) {
				if (line.type === 'message') applyMessage(line, locations.get(line.id), bid, known);
				else if (line.type === 'attachment') attachments.addCopy(line, { bid, location: attachmentLocations.get(line.id) });
				else if (line.type === 'placed') applyPlaced(line, { bid, sealed, isNew }, judging, known);
				else applyWord(line, bid);
			}
		},
	};
}

function prepareAll(database: Database) {
	const sql = (text: string): Statement => database.prepare(text);
	return {
		lastPosition: sql('SELECT max(position) FROM bundle'),
		findListed: sql('SELECT 1 FROM bundle WHERE id = ? AND position IS NOT NULL'),
		setBundle: sql(
			`INSERT INTO bundle(id, sealed, size, position, tenant, words) VALUES (?, ?, ?, ?, ?, ?)
			 ON CONFLICT(id) DO UPDATE SET position = excluded.position, tenant = excluded.tenant, words = excluded.words, missing = 0
			 RETURNING bid`,
		),
		findAccount: sql('SELECT aid FROM account WHERE name = ?'),
		addAccount: sql('INSERT INTO account(name, tenant) VALUES (?, ?)'),
		setAccount: sql('UPDATE account SET source = ?, layout = ?, bid = ? WHERE aid = ?'),
		forgetAccount: sql('UPDATE account SET source = NULL, layout = NULL, bid = NULL, signature = NULL WHERE name = ?'),
		removeAccount: sql(
			`DELETE FROM account WHERE name = ? AND NOT EXISTS (SELECT 1 FROM folder WHERE folder.aid = account.aid)
			 AND NOT EXISTS (SELECT 1 FROM control WHERE control.aid = account.aid)`,
		),
		findFolder: sql('SELECT fid FROM folder WHERE aid = ? AND name = ?'),
		findFolderByName: sql('SELECT f.fid FROM folder f JOIN account a USING (aid) WHERE a.name = ? AND f.name = ?'),
		addFolder: sql('INSERT INTO folder(aid, name) VALUES (?, ?)'),
		setFolder: sql('UPDATE folder SET facts = ?, bid = ? WHERE fid = ?'),
		forgetFolder: sql('UPDATE folder SET facts = NULL, bid = NULL, signature = NULL WHERE fid = ?'),
		removeFolder: sql('DELETE FROM folder WHERE fid = ? AND NOT EXISTS (SELECT 1 FROM placement WHERE placement.fid = folder.fid)'),
		setControl: sql(
			`INSERT INTO control(aid, folder, path, file, bid) VALUES (?, ?, ?, ?, ?)
			 ON CONFLICT DO UPDATE SET file = excluded.file, bid = excluded.bid`,
		),
		removeControl: sql('DELETE FROM control WHERE aid = (SELECT aid FROM account WHERE name = ?) AND folder = ? AND path = ?'),
		findMessage: sql('SELECT mid, size FROM message WHERE id = ?'),
		addMessage: sql('INSERT INTO message(id, size, message_id, headers, files) VALUES (?, ?, ?, ?, ?)'),
		fillMessage: sql('UPDATE message SET size = ?, message_id = ?, headers = ?, files = ? WHERE mid = ?'),
		countPlacements: sql('SELECT count(*) FROM placement WHERE mid = ?'),
		addHeader: sql('INSERT INTO header(rowid, sender, recipient, cc, subject, filename) VALUES (?, ?, ?, ?, ?, ?)'),
		addCopy: sql('INSERT OR REPLACE INTO copy(mid, bid, offset, length, codec, recipe) VALUES (?, ?, ?, ?, ?, ?)'),
		addParts: sql('INSERT OR REPLACE INTO copy_parts(mid, bid, parts) VALUES (?, ?, ?)'),
		findGreaterParts: sql('SELECT 1 FROM copy_parts WHERE mid = ? AND parts >= ?'),
		findPlacement: sql(
			'SELECT p.anchors, m.size, p.due, p.mid, p.since FROM placement p JOIN message m USING (mid) WHERE fid = ? AND key = ?',
		),
		place: sql(
			`INSERT OR REPLACE INTO placement(fid, key, mid, bid, flags, keywords, date, uid, dir, info, uidlist, since, mode, owner,
			 sealed, anchors, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		),
		placeAnew: sql(
			`UPDATE placement SET bid = ?, flags = ?, keywords = ?, date = ?, uid = ?, dir = ?, info = ?, uidlist = ?, since = ?, mode = ?, owner = ?,
			 sealed = ?, anchors = ?, due = ? WHERE fid = ? AND key = ?`,
		),
		removePlacement: sql('DELETE FROM placement WHERE fid = ? AND key = ?'),
		anyGone: sql('SELECT 1 FROM gone LIMIT 1'),
		takeGone: sql('DELETE FROM gone WHERE kind = ? AND account = ? AND folder = ? AND key = ? RETURNING anchors'),
		addGone: sql('INSERT OR REPLACE INTO gone(kind, account, folder, key, bid, anchors) VALUES (?, ?, ?, ?, ?, ?)'),
	};
}
