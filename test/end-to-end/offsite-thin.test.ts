import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Listing, MessageRow, PackResult, RepairResult, RestoreResult, SyncResult, VerifyResult } from '../../src/archive/index.ts';
import { builtFile } from '../support/build-program.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { lacks } from '../support/needs.ts';
import { type Host, openHost } from '../support/offsite-host.ts';
import {
	bundleFiles,
	copyFolder,
	FIRST_NIGHT,
	liveUntilNight,
	makeAgeKey,
	makeStore,
	packArguments,
	sha256,
} from '../support/offsite-mail.ts';
import { CEPH, type Place, type PlaceKind, type PlaceServer, SFTP } from '../support/offsite-places.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const program = builtFile('src/cli/bin.ts', { chunks: true });
const folder = fastFolder();
const born = join(folder, 'born');
beforeAll(async () => {
	const host = openHost(program, { within: folder });
	await host.result(...packArguments(makeStore(host.folder), FIRST_NIGHT));
	copyFolder(host.folder, born);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const THIN: readonly (readonly [PlaceKind, { readonly encrypted: boolean }])[] = [
	[SFTP, { encrypted: false }],
	[CEPH, { encrypted: true }],
];

for (const [kind, { encrypted }] of THIN) {
	const skip = kind.lacks() || (encrypted && lacks('age-keygen'));
	describe.skipIf(skip)(`an archive whose sealed bundles lie at ${kind.name} only${encrypted ? ', encrypted' : ''}`, () => {
		describeThin(kind, { encrypted });
	});
}

function describeThin(kind: PlaceKind, { encrypted }: { readonly encrypted: boolean }): void {
	let server: PlaceServer;
	let place: Place;
	let host: Host;
	let store = '';
	let seal: readonly string[] = [];
	let open: readonly string[] = [];
	let messages: readonly MessageRow[] = [];

	beforeAll(async () => {
		server = await kind.open();
		place = await server.newPlace();
		host = openHost(program, { within: folder, place, archive: join(born, 'archive') });
		store = join(host.folder, 'store');
		copyFolder(join(born, 'store'), store);
		if (encrypted) {
			const { recipient, file } = makeAgeKey(join(folder, 'key'));
			seal = ['--encrypt-to', recipient];
			open = ['--identity', file];
		}
		// Where the server is down, a test need not wait for it.
		open = [...open, ...place.signIn, '--retries', '0'];
		messages = (await host.result<Listing<MessageRow>>('ls', 'messages')).rows;
	});
	afterAll(() => server?.close());

	function sync(...more: readonly string[]): Promise<SyncResult> {
		return host.result<SyncResult>('sync', place.url, ...place.reach, ...seal, ...more);
	}
	function sealedHere(): string[] {
		return [...bundleFiles(host.archive).values()].filter((path) => path.includes('/sealed/')).sort();
	}
	function messageAt(index: number): MessageRow {
		const row = messages[index];
		if (row === undefined) throw new Error(`there are not ${index} messages`);
		return row;
	}

	test('comes about by a plan first, and then the target has them alone', async () => {
		const sealed = sealedHere();
		expect(sealed.length).toBeGreaterThan(4);
		await sync();
		const planned = await sync('--drop-local', '--dry-run');
		expect(planned.dropped?.bundles).toBe(sealed.length);
		expect(sealedHere()).toEqual(sealed);
		const { dropped } = await sync('--drop-local');
		expect(dropped).toEqual(planned.dropped);
		expect(sealedHere()).toEqual([]);
		expect(bundleFiles(host.archive).size).toBeGreaterThan(0);
		expect((await sync('--drop-local', '--check')).dropped).toMatchObject({ bundles: 0 });
		expect(sealedHere()).toEqual([]);
	});

	test('is searched, extracted from and restored through the target', async () => {
		const row = messageAt(3);
		const found = await host.result<Listing<MessageRow>>('search', `message-id:${row.messageId}`);
		expect(found.rows.map(({ id }) => id)).toContain(row.id);
		expect(sha256(await host.bytes('extract', row.id, ...open))).toBe(row.id);
		const to = join(host.folder, 'restored');
		expect(await host.result<RestoreResult>('restore', '--to', to, ...open)).toMatchObject({ written: messages.length });
		expect(compareTreeStates(readTreeState(store), readTreeState(to))).toEqual([]);
		rmSync(to, { recursive: true });
	});

	test('is packed into with the server down, while what lies there cannot be read', async () => {
		await server.kill();
		const now = liveUntilNight(store, 1);
		const packed = await host.result<PackResult>(...packArguments(store, now));
		expect(packed.messages.added).toBeGreaterThan(0);
		await host.result('ls', 'accounts');
		rmSync(join(host.archive, 'cache'), { recursive: true, force: true });
		const { code, bytes, err } = await host.run('extract', messageAt(9).id, ...open);
		expect({ code, bytes: bytes.length }).toEqual({ code: 4, bytes: 0 });
		expect(err).toMatch(/^mailseal: Cannot .*nothing answers/);
		const to = join(host.folder, 'not-restored');
		expect(await host.json('restore', '--to', to, ...open)).toMatchObject({ code: 4, error: { code: 'unreachable' } });
		expect(await host.json('sync', place.url, ...place.reach, ...seal, '--retries', '0')).toMatchObject({
			code: 4,
			error: { code: 'unreachable' },
		});
		await server.restart();
	});

	test('goes on when the server is back: what is new is shipped, and everything is there', async () => {
		const here = sealedHere();
		const result = await sync('--drop-local');
		expect(result).toMatchObject({ snapshots: 1, damaged: [], dropped: { bundles: here.length } });
		expect(sealedHere()).toEqual([]);
		const to = join(host.folder, 'restored');
		await host.result('restore', '--to', to, ...open);
		expect(compareTreeStates(readTreeState(store), readTreeState(to))).toEqual([]);
		expect(await host.result<VerifyResult>('verify', '--deep', ...open)).toMatchObject({ damaged: [], missing: [] });
		const from = ['--from', place.url, ...place.reach, ...open];
		expect(await host.result<RepairResult>('repair', ...from)).toMatchObject({ damaged: [], missing: [], repaired: 0 });
		const other = openHost(program, { within: folder, place });
		await other.result('restore', '--to', join(other.folder, 'restored'), '--target', place.url, ...place.reach, ...open);
		expect(compareTreeStates(readTreeState(store), readTreeState(join(other.folder, 'restored')))).toEqual([]);
	});
}
