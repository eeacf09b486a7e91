import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AccountRow, Listing, RepairResult, SyncResult, VerifyResult } from '../../src/archive/index.ts';
import { builtFile } from '../support/build-program.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { lacks } from '../support/needs.ts';
import { type Host, openHost } from '../support/offsite-host.ts';
import {
	bundleFiles,
	copyFolder,
	FIRST_NIGHT,
	hashesOf,
	liveUntilNight,
	makeAgeKey,
	makeStore,
	packArguments,
} from '../support/offsite-mail.ts';
import { CEPH, FOLDER, type Place, type PlaceKind, type PlaceServer } from '../support/offsite-places.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const program = builtFile('src/cli/bin.ts', { chunks: true });
const folder = fastFolder();

/** A mail server: its store, and an archive of it. */
interface MailServer {
	readonly host: Host;
	readonly store: string;
	readonly id: string;
}

let seed = 0;
async function openMailServer(place: Place, options: { readonly storeOf?: MailServer } = {}): Promise<MailServer> {
	const host = openHost(program, { within: folder, place });
	let store = join(host.folder, 'store');
	if (options.storeOf === undefined) store = makeStore(host.folder, { messages: 80, seed: ++seed });
	else copyFolder(options.storeOf.store, store);
	await host.result(...packArguments(store, FIRST_NIGHT));
	const { id } = JSON.parse(readFileSync(join(host.archive, 'mailseal.json'), 'utf8')) as { id: string };
	return { host, store, id };
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KINDS: readonly (readonly [PlaceKind, { readonly encrypted: boolean }])[] = [
	[FOLDER, { encrypted: false }],
	[CEPH, { encrypted: true }],
];

for (const [kind, { encrypted }] of KINDS) {
	const skip = kind.lacks() || (encrypted && lacks('age-keygen'));
	describe.skipIf(skip)(`two mail servers and one target: ${kind.name}${encrypted ? ', encrypted' : ''}`, () =>
		describeTwo(kind, { encrypted }),
	);
}

function describeTwo(kind: PlaceKind, { encrypted }: { readonly encrypted: boolean }): void {
	let server: PlaceServer;
	let place: Place;
	let seal: readonly string[] = [];
	let open: readonly string[] = [];
	beforeAll(async () => {
		server = await kind.open();
		if (encrypted) {
			const { recipient, file } = makeAgeKey(join(folder, 'key'));
			seal = ['--encrypt-to', recipient];
			open = ['--identity', file];
		}
	});
	afterAll(() => server?.close());
	beforeEach(async () => {
		place = await server.newPlace();
	});

	function sync({ host }: MailServer, ...more: readonly string[]): Promise<SyncResult> {
		return host.result<SyncResult>('sync', place.url, ...place.reach, ...seal, ...more);
	}
	function target(...more: readonly string[]): string[] {
		return ['--target', place.url, ...place.reach, ...open, ...more];
	}
	async function expectBack({ store, id }: MailServer): Promise<void> {
		const stranger = openHost(program, { within: folder, place });
		const to = join(stranger.folder, 'restored');
		await stranger.result('restore', '--to', to, ...target('--archive-id', id));
		expect(compareTreeStates(readTreeState(store), readTreeState(to))).toEqual([]);
		expect(await stranger.result<VerifyResult>('verify', '--deep', ...target('--archive-id', id))).toMatchObject({
			damaged: [],
			missing: [],
		});
	}

	test('both begin it at the same moment, go on at the same moment, and each gets its own back', async () => {
		const both = [await openMailServer(place), await openMailServer(place)];
		await Promise.all(both.map((one) => sync(one)));
		for (const { host, store } of both) await host.result(...packArguments(store, liveUntilNight(store, 1)));
		await Promise.all(both.map((one) => sync(one, '--check')));
		for (const one of both) await expectBack(one);
	});

	test('who has no archive must say which one is meant; who has one there reads that', async () => {
		const [first, second] = [await openMailServer(place), await openMailServer(place)];
		await sync(first);
		await sync(second);
		const stranger = openHost(program, { within: folder, place });
		const unnamed = await stranger.json('ls', 'accounts', ...target());
		expect(unnamed).toMatchObject({ code: 2, error: { code: 'usage', hint: expect.stringContaining(first.id) } });
		expect(unnamed.error?.hint).toContain(second.id);
		expect(await stranger.json('ls', 'accounts', ...target('--archive-id', 'f'.repeat(32)))).toMatchObject({
			code: 3,
			error: { code: 'not-found' },
		});
		const own = await first.host.result<Listing<AccountRow>>('ls', 'accounts', ...target());
		expect(own.rows).toEqual((await first.host.result<Listing<AccountRow>>('ls', 'accounts')).rows);
		expect(own.rows).toEqual((await stranger.result<Listing<AccountRow>>('ls', 'accounts', ...target('--archive-id', first.id))).rows);
		const from = ['--from', place.url, ...place.reach, ...open];
		expect(await stranger.json('repair', ...from)).toMatchObject({ code: 2 });
		expect(await stranger.result<RepairResult>('repair', ...from, '--archive-id', second.id)).toMatchObject({ damaged: [] });
		expect(hashesOf(stranger.archive)).toEqual(hashesOf(second.host.archive));
	});

	test('what both have lies there once', async () => {
		const first = await openMailServer(place);
		const second = await openMailServer(place, { storeOf: first });
		// What is not sealed yet speaks of the store of one host.
		const [ids, others] = [first, second].map(({ host }) => {
			const files = [...bundleFiles(host.archive)].filter(([, path]) => path.includes('/sealed/'));
			return files.map(([id]) => id).sort();
		});
		expect(ids?.length).toBeGreaterThan(2);
		expect(others).toEqual(ids);
		await sync(first);
		const before = await place.list();
		expect(await sync(second, '--check')).toMatchObject({ confirmed: ids?.length, proved: ids?.length, shipped: 1, snapshots: 1 });
		const added = [...(await place.list()).keys()].filter((name) => !before.has(name)).sort();
		expect(added.map((name) => name.split('/').slice(0, 2).join('/'))).toEqual([
			`archives/${second.id}`,
			`archives/${second.id}`,
			'bundles/volatile',
		]);
		await expectBack(second);
	});

	test('a prune by one takes nothing that the other needs, and only what is old', async () => {
		const [first, second] = [await openMailServer(place), await openMailServer(place)];
		await sync(first);
		await sync(second);
		const unnamed = `bundles/sealed/ab/${'ab'.repeat(32)}${encrypted ? `.${'cd'.repeat(32)}.zip.age` : '.zip'}`;
		await place.plant(unnamed, Buffer.from('of a sync that was cut off'));
		const all = await place.list();
		const prune = encrypted ? open : [];
		expect(await sync(first, '--prune', ...prune)).toMatchObject({ pruned: { bundles: 0 } });
		const planned = await sync(first, '--prune', '--prune-grace', '0s', '--dry-run', ...prune);
		expect(planned).toMatchObject({ pruned: { bundles: 1 } });
		expect(await place.list()).toEqual(all);
		expect((await sync(first, '--prune', '--prune-grace', '0s', ...prune)).pruned).toEqual(planned.pruned);
		all.delete(unnamed);
		expect(await place.list()).toEqual(all);
		// What the first one prunes in its archive goes there too, and nothing of the other.
		await first.host.result(...packArguments(first.store, FIRST_NIGHT + 24 * 3600 * 1000));
		await first.host.result('prune', '--keep-last', '1', '--now', new Date(FIRST_NIGHT + 25 * 3600 * 1000).toISOString());
		expect(await sync(first, '--prune', ...prune)).toMatchObject({ snapshots: 2, pruned: { snapshots: 1 } });
		const left = [...(await place.list()).keys()].filter((name) => name.includes('/snapshots/'));
		expect([first, second].map(({ id }) => left.filter((name) => name.includes(id)).length)).toEqual([2, 1]);
		await expectBack(first);
		await expectBack(second);
	});
}
