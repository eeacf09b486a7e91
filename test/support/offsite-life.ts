import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Listing, MessageRow, PackResult, RepairResult, RestoreResult, SyncResult, VerifyResult } from '../../src/archive/index.ts';
import { builtFile } from './build-program.ts';
import { type Host, openHost } from './offsite-host.ts';
import {
	bundleFiles,
	copyFolder,
	FIRST_NIGHT,
	hashesOf,
	liveUntilNight,
	makeAgeKey,
	makeStore,
	packArguments,
	sha256,
} from './offsite-mail.ts';
import type { Place, PlaceKind, PlaceServer } from './offsite-places.ts';
import { compareTreeStates, type FolderState, readTreeState } from './tree-state.ts';

const DAY = 86_400_000;
/** The id of the bundle in a blob, by its name. */
const BUNDLE = /^bundles\/(?:sealed|volatile)\/..\/([0-9a-f]{64})\./;

/** Ids of the bundles at a place, with the names of their blobs. */
async function bundlesAt(place: Place): Promise<Map<string, string>> {
	const names = [...(await place.list()).keys()];
	return new Map(
		names.flatMap(
			(name) =>
				BUNDLE.exec(name)
					?.slice(1)
					.map((id): [string, string] => [id, name]) ?? [],
		),
	);
}

function flipped(bytes: Uint8Array, at: number): Buffer {
	const copy = Buffer.from(bytes);
	copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
	return copy;
}

/** One target from its first night to the loss of everything else, at each of these kinds of places. */
export function describeLives(kinds: readonly PlaceKind[], { encrypted }: { readonly encrypted: boolean }): void {
	const program = builtFile('src/cli/bin.ts', { chunks: true });
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-offsite-'));
	/** A store and its archive after the first night, copied by each life. */
	const born = join(folder, 'born');
	beforeAll(async () => {
		const host = openHost(program, { within: folder });
		await host.result<PackResult>(...packArguments(makeStore(host.folder), FIRST_NIGHT));
		copyFolder(host.folder, born);
	});
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	for (const kind of kinds) {
		describe.skipIf(kind.lacks())(`${encrypted ? 'an encrypted target' : 'a target'}: ${kind.name}`, () => {
			describeLife({ kind, encrypted, program, folder, born });
		});
	}
}

interface Life {
	readonly kind: PlaceKind;
	readonly encrypted: boolean;
	readonly program: { readonly path: string };
	readonly folder: string;
	readonly born: string;
}

function describeLife({ kind, encrypted, program, folder, born }: Life): void {
	let server: PlaceServer;
	let place: Place;
	let host: Host;
	/** The store below the home of the host, at the path that the archive knows. */
	let store = '';
	let seal: readonly string[] = [];
	let open: readonly string[] = [];
	let firstSnapshot = '';
	let firstTree: Map<string, FolderState>;
	/** What the archive says and holds on its last day. */
	let last: { readonly tree: Map<string, FolderState>; readonly files: Map<string, string>; readonly messages: readonly MessageRow[] };

	beforeAll(async () => {
		server = await kind.open();
		place = await server.newPlace();
		host = openHost(program, { within: folder, place, archive: join(born, 'archive') });
		store = join(host.folder, 'store');
		copyFolder(join(born, 'store'), store);
		if (encrypted) {
			const { recipient, file } = makeAgeKey(join(host.folder, '..', `keys-${kind.name.replaceAll(' ', '-')}`));
			seal = ['--encrypt-to', recipient];
			open = ['--identity', file];
		}
	});
	afterAll(() => server?.close());

	function sync(on: Host, ...more: readonly string[]): Promise<SyncResult> {
		return on.result<SyncResult>('sync', place.url, ...place.reach, ...seal, ...more);
	}
	/** Options of a call that reads the target. */
	function target(): string[] {
		return ['--target', place.url, ...place.reach, ...open];
	}
	/** A machine with nothing but the keys. */
	function stranger(): Host {
		return openHost(program, { within: folder, place });
	}

	test('the first sync ships everything, and the second one nothing', async () => {
		const ids = [...bundleFiles(host.archive).keys()].sort();
		expect(ids.length).toBeGreaterThan(6);
		const first = await sync(host);
		expect(first).toMatchObject({ confirmed: 0, shipped: ids.length, snapshots: 1, damaged: [] });
		expect([...(await bundlesAt(place)).keys()].sort()).toEqual(ids);
		const before = await place.list();
		const second = await sync(host, '--check');
		expect(second).toMatchObject({ confirmed: ids.length, proved: ids.length, shipped: 0, shippedBytes: 0, snapshots: 0, damaged: [] });
		expect(second.newest).toBe(first.newest);
		expect(await place.list()).toEqual(before);
		firstSnapshot = String(first.newest);
		firstTree = readTreeState(store);
	});

	test('after a night only what is new goes there', async () => {
		const before = await place.list();
		const known = new Set(bundleFiles(host.archive).keys());
		const now = liveUntilNight(store, 1);
		await host.result(...packArguments(store, now));
		const added = [...bundleFiles(host.archive).keys()].filter((id) => !known.has(id));
		expect(added.length).toBeGreaterThan(0);
		expect(await sync(host)).toMatchObject({ confirmed: known.size, shipped: added.length, snapshots: 1, damaged: [] });
		const after = await place.list();
		expect([...after].filter(([name, size]) => before.get(name) !== size).length).toBe(added.length + 1);
		expect([...before].filter(([name, size]) => after.get(name) !== size)).toEqual([]);
		const { rows } = await host.result<Listing<MessageRow>>('ls', 'messages');
		last = { tree: readTreeState(store), files: hashesOf(host.archive), messages: rows };
	});

	test('damage at the target is found by verify, and by sync, which ships what is damaged again', async () => {
		const blobs = [...(await bundlesAt(place))].sort();
		const [otherByte, otherSize, gone] = blobs;
		if (otherByte === undefined || otherSize === undefined || gone === undefined) throw new Error('there are too few bundles');
		const bytes = await place.read(otherByte[1]);
		await place.plant(otherByte[1], flipped(bytes, bytes.length >> 1));
		await place.plant(otherSize[1], (await place.read(otherSize[1])).subarray(0, 100));
		await place.remove(gone[1]);
		const harmed = await stranger().json<VerifyResult>('verify', ...target());
		expect(harmed).toMatchObject({ code: 5, result: { damaged: [otherByte[0], otherSize[0]], missing: [gone[0]] } });

		const checked = await host.json<SyncResult>('sync', place.url, ...place.reach, ...seal, '--check');
		expect(checked.findings.map(({ code, subject }) => `${code} ${subject}`).sort()).toEqual([
			`target-bundle-damaged ${otherByte[0]}`,
			`target-bundle-damaged ${otherSize[0]}`,
		]);
		expect(checked).toMatchObject({ code: 1, result: { damaged: [otherByte[0], otherSize[0]], shipped: 3 } });
		expect(await stranger().result<VerifyResult>('verify', ...target())).toMatchObject({ damaged: [], missing: [], bundles: blobs.length });
		expect(await sync(host, '--check')).toMatchObject({ confirmed: blobs.length, proved: blobs.length, shipped: 0, damaged: [] });
		// A damaged age file is another one of the same bundle afterwards, and none is left.
		expect([...(await bundlesAt(place)).keys()].sort()).toEqual(blobs.map(([id]) => id));
	});

	test('when host, archive and mail are gone, everything comes back byte for byte', async () => {
		rmSync(host.folder, { recursive: true });
		const fresh = stranger();
		const to = join(fresh.folder, 'restored');
		const written = [...last.tree.values()].reduce((sum, { messages }) => sum + messages.size, 0);
		expect(await fresh.result<RestoreResult>('restore', '--to', to, ...target())).toMatchObject({ written });
		expect(compareTreeStates(last.tree, readTreeState(to))).toEqual([]);
		const older = join(fresh.folder, 'older');
		await fresh.result<RestoreResult>('restore', '--to', older, '--at', firstSnapshot, ...target());
		expect(compareTreeStates(firstTree, readTreeState(older))).toEqual([]);
	});

	test('from the target alone messages are listed, found and extracted, and all of it is proved', async () => {
		const fresh = stranger();
		const { rows } = await fresh.result<Listing<MessageRow>>('ls', 'messages', ...target());
		expect(rows).toEqual(last.messages);
		const [wanted] = rows.filter(({ size }) => size > 10_000);
		if (wanted === undefined) throw new Error('no message is large');
		const found = await fresh.result<Listing<MessageRow>>('search', `message-id:${wanted.messageId}`, ...target());
		expect(found.rows.map(({ id }) => id)).toContain(wanted.id);
		expect(sha256(await fresh.bytes('extract', wanted.id, ...target()))).toBe(wanted.id);
		const out = join(fresh.folder, 'out');
		const some = [...new Set(rows.filter((_row, index) => index % 10 === 0).map(({ id }) => id))];
		await fresh.result('extract', '-o', out, ...some, ...target());
		expect(
			readdirSync(out)
				.map((name) => `${sha256(readFileSync(join(out, name)))}.eml`)
				.sort(),
		).toEqual(some.map((id) => `${id}.eml`).sort());
		expect(await fresh.result<VerifyResult>('verify', '--deep', ...target())).toMatchObject({ damaged: [], missing: [] });
		await fresh.result('reindex', ...target());
	});

	test('repair makes the archive anew, file for file, and the next night goes on with it', async () => {
		const fresh = stranger();
		const from = ['--from', place.url, ...place.reach, ...open];
		const repaired = await fresh.result<RepairResult>('repair', ...from);
		expect(repaired).toMatchObject({ damaged: [], repaired: last.files.size });
		expect(hashesOf(fresh.archive)).toEqual(last.files);
		expect(await fresh.result<VerifyResult>('verify', '--deep')).toMatchObject({ damaged: [], missing: [] });
		expect((await fresh.result<Listing<MessageRow>>('ls', 'messages')).rows).toEqual(last.messages);
		expect(await sync(fresh)).toMatchObject({ shipped: 0, snapshots: 0, damaged: [] });
		expect(await fresh.result<RepairResult>('repair', ...from)).toMatchObject({ damaged: [], missing: [], repaired: 0 });
		const to = join(fresh.folder, 'store');
		await fresh.result('restore', '--to', to);
		const packed = await fresh.result<PackResult>(...packArguments(to, FIRST_NIGHT + 2 * DAY, { inner: '' }));
		expect(packed.messages).toMatchObject({ total: last.messages.length, added: 0, changed: 0, removed: 0 });
		expect(packed.scan.filesRead).toBe(0);
		expect(await sync(fresh)).toMatchObject({ snapshots: 1, damaged: [] });
	});
}
