import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPrng } from '../../bench/mail/prng.ts';
import type { SyncResult, VerifyResult } from '../../src/archive/index.ts';
import { builtFile } from '../support/build-program.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { lacks } from '../support/needs.ts';
import { openHost } from '../support/offsite-host.ts';
import { bundleFiles, copyFolder, FIRST_NIGHT, liveUntilNight, makeAgeKey, makeStore, packArguments } from '../support/offsite-mail.ts';
import { CEPH, FOLDER, type Place, type PlaceKind, type PlaceServer, SFTP } from '../support/offsite-places.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../support/tree-state.ts';

const TRIES = process.env.SLOW ? 50 : 8;
/** How long a sync that may be killed ships, milliseconds: as long as the rest of it takes. */
const SHIPPING = 500;
const SNAPSHOT = /^archives\/[0-9a-f]{32}\/snapshots\/[0-9]{4}\/([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})\./;

const program = builtFile('src/cli/bin.ts', { chunks: true });
const folder = fastFolder();
/** Two archives of one store: of the first night, and of two more nights. */
const first = join(folder, 'first');
const third = join(folder, 'third');
/** What each snapshot restores to. */
const trees = new Map<string, Map<string, FolderState>>();
/** Bytes of all bundles, and of those of the later nights. */
let all = 0;
let later = 0;

beforeAll(async () => {
	const host = openHost(program, { within: folder });
	const store = makeStore(host.folder, { messages: 150 });
	for (let day = 0; day < 3; day++) {
		const now = day === 0 ? FIRST_NIGHT : liveUntilNight(store, day);
		const { snapshot } = await host.result<{ readonly snapshot: string }>(...packArguments(store, now));
		trees.set(snapshot, readTreeState(store));
		if (day === 0) copyFolder(host.archive, first);
	}
	copyFolder(host.archive, third);
	all = bytesOf(third);
	later = all - bytesOf(first);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function bytesOf(archive: string): number {
	return [...bundleFiles(archive).values()].reduce((sum, path) => sum + statSync(join(archive, path)).size, 0);
}

function newestAt(names: Iterable<string>): string | undefined {
	return [...names]
		.flatMap((name) => SNAPSHOT.exec(name)?.[1] ?? [])
		.sort()
		.at(-1);
}

async function endOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly signal: string | null }> {
	const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
	return { code, signal };
}

/** Resolves when a sync with its progress on standard error begins to ship, or has come to its end. */
async function shippingIn(child: ChildProcess): Promise<void> {
	if (child.stderr === null) throw new Error('nobody hears its progress');
	let said = '';
	for await (const bytes of child.stderr.iterator({ destroyOnReturn: false })) {
		said += bytes;
		if (said.includes('"step":"ship"')) break;
	}
	child.stderr.resume();
}

const KINDS: readonly (readonly [PlaceKind, { readonly encrypted: boolean }])[] = [
	[FOLDER, { encrypted: false }],
	[SFTP, { encrypted: false }],
	[CEPH, { encrypted: true }],
];

describe.each(KINDS.map(([kind, options], seed) => ({ kind, ...options, seed, name: kind.name })))(
	'a sync to $name (encrypted: $encrypted)',
	({ kind, encrypted, seed }) => {
		const skip = kind.lacks() || (encrypted && lacks('age-keygen'));
		let server: PlaceServer;
		beforeAll(async () => {
			if (!skip) server = await kind.open();
		});
		afterAll(() => server?.close());

		test.skipIf(skip)(
			'that is killed at any moment leaves a target that is whole up to its newest snapshot, and the next one completes it',
			{ timeout: 600_000 },
			async () => {
				const prng = openPrng('kill-sync', seed);
				const key = encrypted ? makeAgeKey(join(folder, 'key')) : null;
				const seal = key === null ? [] : ['--encrypt-to', key.recipient];
				const open = key === null ? [] : ['--identity', key.file];
				const bundles = bundleFiles(third).size;
				const last = [...trees.keys()].at(-1);

				/** Restores and verifies with nothing but the target. */
				async function expectWhole(place: Place, at: string): Promise<void> {
					const newest = newestAt((await place.list()).keys());
					const stranger = openHost(program, { within: folder, place });
					const reading = ['--target', place.url, ...place.reach, ...open];
					if (newest === undefined) {
						expect(await stranger.json('verify', '--deep', ...reading), at).toMatchObject({ code: 3, error: { code: 'not-found' } });
					} else {
						const verified = await stranger.json<VerifyResult>('verify', '--deep', ...reading);
						expect(verified, at).toMatchObject({ code: 0, findings: [], result: { damaged: [], missing: [] } });
						const to = join(stranger.folder, 'restored');
						await stranger.result('restore', '--to', to, ...reading);
						expect(compareTreeStates(trees.get(newest) ?? new Map(), readTreeState(to)), at).toEqual([]);
					}
					rmSync(stranger.folder, { recursive: true });
				}

				/** A place, and a host whose next sync has everything to do, or two nights. `slow`: its call, so that most of its time it ships. */
				async function begin(half: boolean) {
					const place = await server.newPlace();
					const sync = ['sync', place.url, ...place.reach, ...seal];
					const slow = [...sync, '--limit-rate', `${Math.ceil(((half ? later : all) / SHIPPING) * 1000)}`, '--transfers', '2'];
					const host = openHost(program, { within: folder, place, archive: half ? first : third });
					if (half) {
						await host.result(...sync);
						// The nights since, with what the host remembers of the target.
						copyFolder(join(host.archive, 'targets'), join(host.folder, 'targets'));
						rmSync(host.archive, { recursive: true });
						copyFolder(third, host.archive);
						rmSync(join(host.archive, 'targets'), { recursive: true, force: true });
						copyFolder(join(host.folder, 'targets'), join(host.archive, 'targets'));
					}
					return { place, host, sync, slow };
				}

				const { host: undisturbed, slow: whole, place: never } = await begin(false);
				const started = performance.now();
				await undisturbed.result(...whole);
				const lasts = performance.now() - started;
				await expectWhole(never, 'undisturbed');

				const outcomes = new Map<string, number>();
				for (let attempt = 0; attempt < TRIES; attempt++) {
					const { place, host, sync, slow } = await begin(attempt % 2 === 1);
					const before = (await place.list()).size;
					// At any moment of the whole call, or of what it does after it has looked around.
					const ofShipping = attempt % 4 > 1;
					const delay = Math.floor(prng.float() * 1.1 * (ofShipping ? SHIPPING : lasts));
					const at = `try ${attempt}, ${delay} ms after ${ofShipping ? 'shipping began' : 'the start'}`;
					const child = host.start(...slow, '--progress', 'json');
					const ended = endOf(child);
					if (ofShipping) await shippingIn(child);
					await setTimeout(delay);
					child.kill('SIGKILL');
					const { signal } = await ended;
					const left = [...(await place.list()).keys()];
					const isCommitted = newestAt(left) === last;
					const changed = isCommitted ? 'complete' : left.length === before ? 'unchanged' : 'half';
					const what = signal === null ? 'over' : changed;
					outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
					await expectWhole(place, at);
					const completed = await host.result<SyncResult>(...sync);
					expect(completed.confirmed + completed.shipped, at).toBe(bundles);
					expect(completed.newest, at).toBe(last);
					if (attempt % 4 === 0) await expectWhole(place, `${at}, then completed`);
					rmSync(host.folder, { recursive: true });
				}
				// Enough of the kills struck a sync that was under way.
				expect(outcomes.get('half')).toBeGreaterThanOrEqual(TRIES / 4);
			},
		);
	},
);
