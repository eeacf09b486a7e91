import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BundleSettings } from '../../src/archive/index.ts';
import { packOnce, restoreOnce } from './archive.ts';
import { DAY, DAY_ZERO, makeMailStore } from './mail-store.ts';
import { compareTreeStates, type FolderState, readTreeState } from './tree-state.ts';

/** Everything quiet is sealed at once, so that each night has bundles of its own. */
export const NIGHTLY: Partial<BundleSettings> = { linger: 0 };

/** An archive of some nights of one store, and what the store was in each of them. */
export interface NightsOfMail {
	readonly archive: string;
	readonly spec: string;
	/** Names of the snapshots, oldest first. */
	readonly snapshots: readonly string[];
	/** The store by the name of the snapshot. */
	readonly trees: ReadonlyMap<string, Map<string, FolderState>>;
	/** Clock of the night after the last. */
	readonly now: number;
	/** A copy of the archive, or of another one. */
	copy(from?: string): string;
	/** Lives on for a night, and packs it. */
	nextNight(archive: string, now: number): Promise<string>;
	remove(): void;
}

/** `tagged`: nights (from 0) whose snapshots get the tag `before-upgrade`. */
export async function makeNightsOfMail(nights: number, tagged: readonly number[] = []): Promise<NightsOfMail> {
	const place = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'mailseal-prune-'));
	const store = makeMailStore(join(place, 'store'));
	const archive = join(place, 'archive');
	const snapshots: string[] = [];
	const trees = new Map<string, Map<string, FolderState>>();
	let day = 0;

	async function nextNight(dir: string, now: number): Promise<string> {
		store.put(`anna/INBOX/${day}.old:2,S`, { at: now - 100 * DAY });
		// What is gone the night after leaves volatile bundles that only this night needs.
		for (const letter of ['a', 'b', 'c', 'd']) {
			store.put(`anna/INBOX/${day}${letter}.new:2,S`, { at: now - DAY, content: `Subject: ${letter}${day}\n\n${letter.repeat(3000)}\n` });
			if (day > 0) store.remove(`anna/INBOX/${day - 1}${letter}.new:2,S`);
		}
		const tags = tagged.includes(day) ? ['before-upgrade'] : [];
		const { result } = await packOnce(dir, store.spec, { now, bundles: NIGHTLY, tags });
		day++;
		const name = String(result.snapshot);
		trees.set(name, readTreeState(store.root));
		return name;
	}

	for (let night = 0; night < nights; night++) snapshots.push(await nextNight(archive, DAY_ZERO + night * DAY));
	return {
		archive,
		spec: store.spec,
		snapshots,
		trees,
		now: DAY_ZERO + nights * DAY,
		nextNight,
		copy(from = archive) {
			const copy = join(mkdtempSync(join(place, 'copy-')), 'archive');
			execFileSync('cp', ['-a', from, copy]);
			return copy;
		},
		remove: () => rmSync(place, { recursive: true, force: true }),
	};
}

/** What differs between what these snapshots restore to and the store as it was in their nights. */
export async function restoredFlaws(archive: string, snapshots: Iterable<string>, trees: NightsOfMail['trees']): Promise<string[]> {
	const flaws: string[] = [];
	for (const name of snapshots) {
		const to = mkdtempSync(join(archive, '..', 'restored-'));
		const { findings } = await restoreOnce(archive, to, { at: name });
		const differences = compareTreeStates(trees.get(name) ?? new Map(), readTreeState(to));
		flaws.push(...findings.map(({ code }) => `${name}: ${code}`), ...differences.map((one) => `${name}: ${one}`));
		rmSync(to, { recursive: true });
	}
	return flaws;
}
