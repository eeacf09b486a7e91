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
	/** What is different in a tree, one sentence each; `only` leaves out differences that somebody else's program cannot help. */
	compare(night: number, options: { readonly restored: string; readonly messagesOnly?: boolean }): string[];
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
		return new Map(JSON.parse(text, (_, value: unknown) => (isMap(value) ? new Map(value.map) : value)) as [string, FolderState][]);
	}

	return {
		keep(night) {
			const state = [...readTreeState(root, hashOnce)];
			const text = JSON.stringify(state, (_, value: unknown) => (value instanceof Map ? { map: [...value] } : value));
			writeFileSync(join(folder, `${night}.json.gz`), gzipSync(text, { level: 1 }));
			kept.add(night);
		},
		has: (night) => kept.has(night),
		messages(night) {
			return new Set([...read(night).values()].flatMap((one) => [...one.messages.values()].map(({ sha256 }) => sha256)));
		},
		compare(night, { restored, messagesOnly = false }) {
			const narrow = (state: Map<string, FolderState>) => (messagesOnly ? onlyMessages(state) : state);
			return compareTreeStates(narrow(read(night)), narrow(readTreeState(restored)));
		},
	};
}

function onlyMessages(state: Map<string, FolderState>): Map<string, FolderState> {
	const nothing = { uids: undefined, keywords: new Map(), controls: new Map(), subscriptions: undefined };
	return new Map([...state].map(([name, folder]) => [name, { ...folder, ...nothing }]));
}

function isMap(value: unknown): value is { readonly map: readonly [unknown, unknown][] } {
	return typeof value === 'object' && value !== null && 'map' in value;
}
