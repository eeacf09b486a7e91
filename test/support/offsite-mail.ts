import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { liveOneDay } from '../../bench/life.ts';
import { makeTree } from '../../bench/tree.ts';

const DAY = 86_400_000;
const SEED = 71;
export const FIRST_NIGHT = Date.UTC(2026, 8, 1, 2);

/** Some hundred small mails in accounts of two domains, below `within`. */
export function makeStore(within: string, options: { readonly messages?: number; readonly seed?: number } = {}): string {
	const root = join(within, 'store');
	const { messages = 300, seed = SEED } = options;
	makeTree({ root, seed, accounts: 4, messages, bytes: 'small', domain: ['a.example', 'b.example'], now: FIRST_NIGHT, logos: true });
	return root;
}

/** Lets a day pass: mail arrives, is read, flagged, moved and deleted. Gives the night after it. */
export function liveUntilNight(root: string, day: number): number {
	const now = FIRST_NIGHT + day * DAY;
	liveOneDay({ root, seed: SEED, day, now, churn: 0.1, bytes: 'small' });
	return now;
}

/** A copy of a folder with all modes and times. */
export function copyFolder(from: string, to: string): void {
	execFileSync('cp', ['-a', from, to]);
}

/** What packs a store into several sealed bundles, some of attachments, and a volatile one. `inner`: where an account's folder has its Maildir. */
export function packArguments(root: string, now: number, { inner = '/Maildir' } = {}): string[] {
	const sizes = ['--linger', '0s', '--bundle-target', '128KiB', '--attachment-min', '2KiB'];
	return ['pack', '--now', new Date(now).toISOString(), ...sizes, `maildir:${root}/{account}${inner}`];
}

/** SHA-256 by path of the files below folders of an archive. */
export function hashesOf(archive: string, folders: readonly string[] = ['bundles', 'snapshots']): Map<string, string> {
	const hashes = new Map<string, string>();
	for (const folder of folders) {
		for (const entry of readdirSync(join(archive, folder), { recursive: true, withFileTypes: true })) {
			const path = join(entry.parentPath, entry.name);
			if (entry.isFile()) hashes.set(relative(archive, path), sha256(readFileSync(path)));
		}
	}
	return hashes;
}

export function sha256(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex');
}

/** Ids of the bundles in an archive, with the names of their files. */
export function bundleFiles(archive: string): Map<string, string> {
	const paths = [...hashesOf(archive, ['bundles']).keys()];
	return new Map(paths.map((path) => [path.slice(-68, -4), path]));
}

/** Keys as the program age makes them, and a file with the secret one. */
export function makeAgeKey(within: string): { readonly recipient: string; readonly file: string } {
	mkdirSync(within, { recursive: true });
	const file = join(within, 'key.txt');
	const text = execFileSync('age-keygen', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
	writeFileSync(file, text, { mode: 0o600 });
	const recipient = /public key: (age1[0-9a-z]+)/.exec(text)?.[1];
	if (recipient === undefined) throw new Error('age-keygen told no public key');
	return { recipient, file };
}
