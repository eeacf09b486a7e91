import type { Database } from './database.ts';

/** Raised with every change of the tables; a catalog of another version is rebuilt, never migrated. */
export const SCHEMA_VERSION = 5;

const TABLES = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;

-- Every snapshot whose bundles must be kept.
CREATE TABLE snapshot(name TEXT PRIMARY KEY, sha256 TEXT) WITHOUT ROWID;

-- Every bundle that a snapshot names; position is null where the present one does not. missing: its file was not there, whole, when
-- a pack looked: what lies in it does not count as stored.
CREATE TABLE bundle(
  bid INTEGER PRIMARY KEY, id BLOB UNIQUE, sealed INTEGER, size INTEGER, position INTEGER UNIQUE, tenant TEXT, words INTEGER,
  missing INTEGER NOT NULL DEFAULT 0);

CREATE TABLE account(aid INTEGER PRIMARY KEY, name TEXT UNIQUE, tenant TEXT, source TEXT, layout TEXT, bid INTEGER, signature TEXT);

CREATE TABLE folder(
  fid INTEGER PRIMARY KEY, aid INTEGER, name TEXT, facts TEXT, bid INTEGER, signature TEXT, UNIQUE(aid, name));

CREATE TABLE control(aid INTEGER, folder TEXT, path TEXT, file TEXT, bid INTEGER, PRIMARY KEY(aid, folder, path)) WITHOUT ROWID;

-- files: parts of the message that people call an attachment.
CREATE TABLE message(
  mid INTEGER PRIMARY KEY, id BLOB UNIQUE, size INTEGER, message_id TEXT, headers TEXT, files INTEGER NOT NULL DEFAULT 0);
CREATE INDEX message_by_message_id ON message(message_id) WHERE message_id IS NOT NULL;

CREATE VIRTUAL TABLE header USING fts5(
  sender, recipient, cc, subject, filename, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2");

-- Where the stored bytes of a message lie: offset and length in the bundle's file; recipe is null for a whole message.
CREATE TABLE copy(
  mid INTEGER, bid INTEGER, offset INTEGER, length INTEGER, codec INTEGER, recipe INTEGER, PRIMARY KEY(mid, bid)) WITHOUT ROWID;
CREATE INDEX copy_by_bundle ON copy(bid);

-- The parts that the line of a copy names, where it names any: beside the copies, so that what only counts them stays quick.
CREATE TABLE copy_parts(mid INTEGER, bid INTEGER, parts TEXT, PRIMARY KEY(mid, bid)) WITHOUT ROWID;

-- Every attachment that some bundle has, or that a message of some bundle needs: either may come first.
CREATE TABLE attachment(atid INTEGER PRIMARY KEY, id BLOB UNIQUE, size INTEGER);

CREATE TABLE attachment_copy(
  atid INTEGER, bid INTEGER, offset INTEGER, length INTEGER, codec INTEGER, PRIMARY KEY(atid, bid)) WITHOUT ROWID;
CREATE INDEX attachment_copy_by_bundle ON attachment_copy(bid);

-- One row for each attachment that the copy of a message in a bundle needs.
CREATE TABLE attachment_use(atid INTEGER, mid INTEGER, bid INTEGER, PRIMARY KEY(atid, mid, bid)) WITHOUT ROWID;
CREATE INDEX attachment_use_by_copy ON attachment_use(mid, bid);

-- anchors: so many listed sealed bundles speak of it. While there is one, its removal must be remembered.
CREATE TABLE placement(
  fid INTEGER, key TEXT, mid INTEGER, bid INTEGER, flags INTEGER, keywords TEXT, date INTEGER, uid INTEGER,
  dir TEXT, info TEXT, uidlist TEXT, since INTEGER, mode INTEGER, owner TEXT,
  sealed INTEGER, anchors INTEGER, due INTEGER, PRIMARY KEY(fid, key)) WITHOUT ROWID;
CREATE INDEX placement_by_message ON placement(mid);
CREATE INDEX placement_by_bundle ON placement(bid) WHERE sealed = 0;
CREATE INDEX placement_by_due ON placement(due) WHERE sealed = 0 AND due IS NOT NULL;

-- Words that something is no more: kind is placement, folder, account or control.
CREATE TABLE gone(
  kind TEXT, account TEXT, folder TEXT, key TEXT, bid INTEGER, anchors INTEGER,
  PRIMARY KEY(kind, account, folder, key)) WITHOUT ROWID;
CREATE INDEX gone_by_bundle ON gone(bid);
CREATE INDEX account_by_bundle ON account(bid);
CREATE INDEX folder_by_bundle ON folder(bid);
CREATE INDEX control_by_bundle ON control(bid);
`;

export function createTables(database: Database): void {
	database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
}

/** The version of the tables; 0 for a new file. */
export function schemaVersion(database: Database): number {
	return Number(database.prepare('PRAGMA user_version').row()?.[0] ?? 0);
}
