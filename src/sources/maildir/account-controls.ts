import type { BigIntStats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ControlSet, listTree } from './control-set.ts';
import { type DiskPath, diskDirectory, under } from './disk-name.ts';
import { listEntries } from './entries.ts';
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
	const uidValidity = uidValidityFiles(top);
	for (const name of uidValidity ?? []) set.add(name, under(top, name));
	if (uidValidity === null) set.leaveOutDirectory({ path: '', place: top }, 'the directory cannot be read, permission denied');
	return set;
}

/** Equal only if none of these files changed; never equal where one changed too recently for the clock to tell. */
export function controlSignature(root: string, now: number): string {
	const stats: (BigIntStats | undefined)[] = [];
	const names: string[] = [];
	function see(path: string, place: DiskPath): void {
		const stat = lookIfAllowed(place);
		names.push(`${path}=${mark(stat)}`);
		stats.push(stat);
	}
	for (const place of scriptPlaces(root)) {
		see(SCRIPT, under(place, SCRIPT));
		see('sieve', under(place, 'sieve'));
		for (const file of listTree('sieve', under(place, 'sieve'), isScript).files) see(file.path, file.place);
	}
	const top = diskDirectory(root);
	for (const name of [...FILES, ...(uidValidityFiles(top) ?? [])]) see(name, under(top, name));
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

/** Null where permission is denied. */
function uidValidityFiles(top: DiskPath): readonly string[] | null {
	return (
		listEntries(top)
			?.map((entry) => entry.name.toString('latin1'))
			.filter((name) => UID_VALIDITY.test(name)) ?? null
	);
}
