import type { BigIntStats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ControlSet, listTree } from './control-set.ts';
import { type DiskPath, diskDirectory, under } from './disk-name.ts';
import { type Entry, listEntries } from './entries.ts';
import { isRacy, mark } from './signature.ts';
import { lookIfAllowed } from './small-file.ts';

/** Names of a Maildir inside a home directory; the account is then named by the home. */
export const MAILDIR_NAMES: readonly string[] = ['Maildir', '.maildir', 'mail'];

const FILES = ['courierimapsubscribed', 'dovecot-uidvalidity', 'maildirfilter', 'subscriptions'];
const UID_VALIDITY = /^dovecot-uidvalidity\.[0-9a-f]{8}$/;
const SCRIPT = '.dovecot.sieve';

/** Files of the account as a whole that a restored store needs. */
export function readAccountControls(root: string): ControlSet {
	const set = new ControlSet();
	// Dovecot looks for scripts in the home directory first.
	for (const place of scriptPlaces(root)) {
		set.add(SCRIPT, under(place, SCRIPT));
		set.addTree('sieve', under(place, 'sieve'), isScript);
	}
	const top = diskDirectory(root);
	for (const name of FILES) set.add(name, under(top, name));
	const entries = listEntries(top);
	for (const name of uidValidityFiles(entries ?? [])) set.add(name, under(top, name));
	if (entries === null) set.leaveOutDirectory({ path: '', place: top }, 'the directory cannot be read, permission denied');
	return set;
}

export interface ControlLook {
	/** Milliseconds since 1970. */
	readonly now: number;
	/** What lies in the root, listed just now; null where permission is denied. What is absent there is not looked for. */
	readonly entries: readonly Entry[] | null;
}

/** Equal only if none of these files changed; never equal where one changed too recently for the clock to tell. */
export function controlSignature(root: string, { now, entries }: ControlLook): string {
	const stats: (BigIntStats | undefined)[] = [];
	const names: string[] = [];
	const top = diskDirectory(root);
	const there = entries === null ? null : new Set(entries.map(({ name }) => name.toString('latin1')));
	function see(path: string, place: DiskPath): void {
		const stat = lookIfAllowed(place);
		names.push(`${path}=${mark(stat)}`);
		stats.push(stat);
	}
	function seeIn(directory: DiskPath, name: string): BigIntStats | undefined {
		const isAbsent = directory === top && there?.has(name) === false;
		const stat = isAbsent ? undefined : lookIfAllowed(under(directory, name));
		names.push(`${name}=${mark(stat)}`);
		stats.push(stat);
		return stat;
	}
	for (const place of scriptPlaces(root)) {
		seeIn(place, SCRIPT);
		if (seeIn(place, 'sieve') === undefined) continue;
		for (const file of listTree('sieve', under(place, 'sieve'), isScript).files) see(file.path, file.place);
	}
	for (const name of [...FILES, ...uidValidityFiles(entries ?? [])]) seeIn(top, name);
	const recent = isRacy(stats, now) ? `,racy@${now}` : '';
	return names.join(',') + recent;
}

function isScript(name: string): boolean {
	return name.endsWith('.sieve');
}

/** The home directory, where the Maildir has the usual name inside one, and the Maildir itself. */
function scriptPlaces(root: string): readonly DiskPath[] {
	const top = diskDirectory(root);
	return MAILDIR_NAMES.includes(basename(root)) ? [diskDirectory(dirname(root)), top] : [top];
}

function uidValidityFiles(entries: readonly Entry[]): readonly string[] {
	return entries.map((entry) => entry.name.toString('latin1')).filter((name) => UID_VALIDITY.test(name));
}
