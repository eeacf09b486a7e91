import type { Database } from './database.ts';

/** Raised with every change of the tables; a catalog of another version is rebuilt, never migrated. */
export const SCHEMA_VERSION = 2;

const TABLES = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;

-- Every snapshot whose bundles must be kept.
CREATE TABLE snapshot(name TEXT PRIMARY KEY, sha256 TEXT) WITHOUT ROWID;

-- Every bundle that a snapshot names; position is null where the present one does not.
CREATE TABLE bundle(
  bid INTEGER PRIMARY KEY, id BLOB UNIQUE, sealed INTEGER, size INTEGER, position INTEGER UNIQUE, tenant TEXT, words INTEGER);

CREATE TABLE account(aid INTEGER PRIMARY KEY, name TEXT UNIQUE, tenant TEXT, source TEXT, layout TEXT, bid INTEGER, signature TEXT);

CREATE TABLE folder(
  fid INTEGER PRIMARY KEY, aid INTEGER, name TEXT, facts TEXT, bid INTEGER, signature TEXT, UNIQUE(aid, name));

CREATE TABLE control(aid INTEGER, folder TEXT, path TEXT, file TEXT, bid INTEGER, PRIMARY KEY(aid, folder, path)) WITHOUT ROWID;

CREATE TABLE message(mid INTEGER PRIMARY KEY, id BLOB UNIQUE, size INTEGER, message_id TEXT, headers TEXT);
CREATE INDEX message_by_message_id ON message(message_id) WHERE message_id IS NOT NULL;

CREATE VIRTUAL TABLE header USING fts5(
  sender, recipient, cc, subject, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2");

-- Where the stored bytes of a message lie: offset and length in the bundle's file.
CREATE TABLE copy(mid INTEGER, bid INTEGER, offset INTEGER, length INTEGER, codec INTEGER, PRIMARY KEY(mid, bid)) WITHOUT ROWID;
CREATE INDEX copy_by_bundle ON copy(bid);

-- anchored: some listed sealed bundle speaks of it, so that its removal must be remembered.
CREATE TABLE placement(
  fid INTEGER, key TEXT, mid INTEGER, bid INTEGER, flags INTEGER, keywords TEXT, date INTEGER, uid INTEGER,
  dir TEXT, info TEXT, uidlist TEXT, since INTEGER, mode INTEGER, owner TEXT,
  sealed INTEGER, anchored INTEGER, due INTEGER, PRIMARY KEY(fid, key)) WITHOUT ROWID;
CREATE INDEX placement_by_message ON placement(mid);
CREATE INDEX placement_by_bundle ON placement(bid) WHERE sealed = 0;
CREATE INDEX placement_by_due ON placement(due) WHERE sealed = 0 AND due IS NOT NULL;

-- Words that something is no more: kind is placement, folder, account or control.
CREATE TABLE gone(
  kind TEXT, account TEXT, folder TEXT, key TEXT, bid INTEGER, anchored INTEGER,
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
