import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One message as Dovecot itself saw it in a store of ../shared/data/stores. */
export interface TruthMessage {
	readonly account: string;
	readonly mailbox: string;
	readonly uid: number;
	readonly guid: string;
	/** In a Maildir: the base name of the file. */
	readonly storageid: string;
	readonly flags: readonly string[];
	readonly keywords: readonly string[];
	/** Seconds since 1970. */
	readonly date_received: number;
	readonly sha256_stored: string;
	readonly sha256_imap: string;
}

export interface TruthMailbox {
	readonly account: string;
	readonly mailbox: string;
	/** As IMAP spells it (RFC 3501, 5.1.3). */
	readonly mailbox_utf7: string;
	readonly mailbox_guid: string;
	readonly selectable: boolean;
	readonly subscribed: boolean;
	readonly uidvalidity: number;
	readonly uidnext: number;
}

export interface Truth {
	readonly messages: readonly TruthMessage[];
	/** Those that can hold messages. */
	readonly mailboxes: readonly TruthMailbox[];
}

export function readTruth(stores: string, name: string): Truth {
	return {
		messages: readLines<TruthMessage>(join(stores, `${name}.truth.jsonl`)),
		mailboxes: readLines<TruthMailbox>(join(stores, `${name}.mailboxes.jsonl`)).filter((mailbox) => mailbox.selectable),
	};
}

export function extractStore(stores: string, options: { readonly name: string; readonly to: string }): void {
	execFileSync('tar', ['--numeric-owner', '-xpf', join(stores, `${options.name}.tar`), '-C', options.to]);
}

function readLines<Line>(path: string): Line[] {
	return readFileSync(path, 'utf8')
		.split('\n')
		.filter((line) => line !== '')
		.map((line) => JSON.parse(line));
}
