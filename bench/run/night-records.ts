import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { compareTreeStates, type FolderState, readTreeState } from '../../test/support/tree-state.ts';

/** What a tree was on some nights, to hold restores against. */
export interface NightRecords {
	keep(night: number): void;
	has(night: number): boolean;
	/** SHA-256 of the messages of that night. */
	messages(night: number): Set<string>;
	/** What is different in a restored tree, one sentence each. */
	compare(night: number, restored: string): string[];
}

/** Keeps records below `folder`. Message files never change, so that each is hashed once. */
export function openNightRecords(options: { readonly root: string; readonly folder: string }): NightRecords {
	const { root, folder } = options;
	const hashes = new Map<string, string>();
	const kept = new Set<number>();
	mkdirSync(folder, { recursive: true });

	function hashOnce(path: Buffer, identity: string): string {
		const known = hashes.get(identity) ?? createHash('sha256').update(readFileSync(path)).digest('hex');
		hashes.set(identity, known);
		return known;
	}

	function read(night: number): Map<string, FolderState> {
		const text = gunzipSync(readFileSync(join(folder, `${night}.json.gz`))).toString();
		return new Map(
			JSON.parse(text, (_, value: unknown) => (isEntries(value) ? new Map(value.entriesOfMap) : value)) as [string, FolderState][],
		);
	}

	return {
		keep(night) {
			const state = [...readTreeState(root, hashOnce)];
			const text = JSON.stringify(state, (_, value: unknown) => (value instanceof Map ? { entriesOfMap: [...value] } : value));
			writeFileSync(join(folder, `${night}.json.gz`), gzipSync(text, { level: 1 }));
			kept.add(night);
		},
		has: (night) => kept.has(night),
		messages(night) {
			return new Set([...read(night).values()].flatMap((one) => [...one.messages.values()].map(({ sha256 }) => sha256)));
		},
		compare: (night, restored) => compareTreeStates(read(night), readTreeState(restored)),
	};
}

function isEntries(value: unknown): value is { readonly entriesOfMap: readonly [unknown, unknown][] } {
	return typeof value === 'object' && value !== null && 'entriesOfMap' in value;
}
