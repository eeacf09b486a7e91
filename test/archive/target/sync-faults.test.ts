import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { FileHooks } from '../../../src/platform/index.ts';
import { failingAt } from '../../support/faulty-store.ts';
import {
	blobsOf,
	bytesBelow,
	copyOf,
	DAMAGES,
	flawsOfTarget,
	folderStore,
	makeKeys,
	type Packed,
	packNights,
	quickFolder,
	snapshotBlobs,
	syncOnce,
	thinArchive,
	verifyHere,
} from '../../support/target.ts';

type Kind = 'plain' | 'encrypted';

let packed: Packed;
let keys: Awaited<ReturnType<typeof makeKeys>>;
/** The archive after one night, before it was shipped anywhere. */
let fresh: string;
/** Targets that lack the second night of the archive, and of which some bundle is damaged. */
let eves: Readonly<Record<Kind, string>>;

beforeAll(async () => {
	keys = await makeKeys();
	packed = await packNights(1);
	fresh = copyOf(packed.archive);
	eves = { plain: join(quickFolder(), 'target'), encrypted: join(quickFolder(), 'target') };
	for (const kind of ['plain', 'encrypted'] as const) {
		await syncOnce(packed.archive, eves[kind], keysOf(kind));
		DAMAGES.truncated?.(join(eves[kind], blobsOf(eves[kind], /^bundles\/sealed/)[0] ?? ''));
	}
	await packed.pack();
});

function keysOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.sealing };
}

function openingOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.opening };
}

const CODES = {
	unreachable: 'unreachable',
	'no-space': 'no-space',
	permission: 'permission',
	cut: 'unreachable',
	'lost-answer': 'unreachable',
} as const;

/** What is refused before it begins is the same for both. */
const FAULTS = { plain: ['unreachable', 'no-space', 'permission', 'cut', 'lost-answer'], encrypted: ['cut', 'lost-answer'] } as const;
const STEPS = { plain: 1, encrypted: 2 } as const;

/** How a call ended: its error, or what it found. */
async function endOf(call: Promise<{ readonly findings: readonly { readonly code: string }[] }>): Promise<unknown> {
	try {
		return (await call).findings.map(({ code }) => code);
	} catch (error) {
		return error;
	}
}

describe.each(['plain', 'encrypted'] as const)('whichever operation of a target that is %s fails', (kind) => {
	test.each(FAULTS[kind])(
		'(%s) in a first sync, the target has no snapshot or a whole one, and the next sync completes it',
		async (fault) => {
			const struck = new Set<string>();
			for (let at = 0; ; at += STEPS[kind]) {
				const path = join(quickFolder(), 'target');
				const archive = copyOf(fresh);
				const { store, struck: call } = failingAt(folderStore(path), at, fault);
				const end = await endOf(syncOnce(archive, path, { ...keysOf(kind), store, check: 1 }));
				const failed = call();
				const place = `operation ${at}, ${failed?.operation} ${failed?.name}`;
				if (failed === null) expect(end).toEqual([]);
				else expect(end, place).toMatchObject({ code: CODES[fault] });
				expect(await flawsOfTarget(path, { trees: packed.trees, ...openingOf(kind) }), place).toEqual([]);
				expect(blobsOf(path, /\.tmp-/), place).toEqual([]);
				expect(await endOf(syncOnce(archive, path, keysOf(kind))), place).toEqual([]);
				expect(snapshotBlobs(path), place).toHaveLength(1);
				expect(await flawsOfTarget(path, { trees: packed.trees, mode: 'full', ...openingOf(kind) }), place).toEqual([]);
				rmSync(path, { recursive: true });
				rmSync(archive, { recursive: true });
				if (failed === null) break;
				struck.add(failed.operation);
			}
			for (const operation of ['create', 'list']) expect(struck).toContain(operation);
		},
	);

	test.each(['cut', 'lost-answer'] as const)('(%s) in the sync of a night, each snapshot that was whole stays so', async (fault) => {
		const path = eves[kind];
		const backup = copyOf(path);
		const struck = new Set<string>();
		for (let at = 0; ; at++) {
			const archive = copyOf(packed.archive);
			const { store, struck: call } = failingAt(folderStore(path), at, fault);
			const end = await endOf(syncOnce(archive, path, { ...keysOf(kind), store, check: 1 }));
			const failed = call();
			const place = `operation ${at}, ${failed?.operation} ${failed?.name}`;
			if (failed === null) expect(end).toEqual(['target-bundle-damaged']);
			else expect(end, place).toMatchObject({ code: 'unreachable' });
			// Where the damaged one was replaced before, there is no more to be found.
			const again = await endOf(syncOnce(archive, path, { ...keysOf(kind), check: 1 }));
			expect([[], ['target-bundle-damaged']], place).toContainEqual(again);
			expect(await flawsOfTarget(path, { trees: packed.trees, ...openingOf(kind) }), place).toEqual([]);
			rmSync(archive, { recursive: true });
			rmSync(path, { recursive: true });
			cpSync(backup, path, { recursive: true });
			if (failed === null) break;
			struck.add(failed.operation);
		}
		for (const operation of ['stat', 'list', 'prove', 'create']) expect(struck).toContain(operation);
		// A plain copy is replaced under its name.
		expect(struck.has('remove')).toBe(kind === 'encrypted');
	});
});

test('whichever step of a local record fails, the target is consistent, and the next sync completes', async () => {
	const struck = new Set<string>();
	for (const when of ['before', 'after'] as const) {
		for (let at = 0; ; at++) {
			const archive = copyOf(fresh);
			const path = join(quickFolder(), 'target');
			let seen = 0;
			let failed: string | null = null;
			const strike: FileHooks['before'] = (operation) => {
				if (seen++ !== at) return;
				failed = operation;
				throw Object.assign(new Error('EIO: made by the test'), { code: 'EIO' });
			};
			const outcome = await syncOnce(archive, path, { hooks: { [when]: strike } }).then(
				() => null,
				(error: unknown) => error,
			);
			const place = `${when} operation ${at}, ${failed}`;
			if (failed !== null) {
				struck.add(failed);
				expect(outcome, place).toMatchObject({ code: 'io' });
			}
			expect(await flawsOfTarget(path, { trees: packed.trees, mode: 'full' }), place).toEqual([]);
			expect((await syncOnce(archive, path)).findings, place).toEqual([]);
			expect(snapshotBlobs(path), place).toHaveLength(1);
			expect((await verifyHere(thinArchive(archive), 'full')).findings, place).toEqual([]);
			if (failed === null) break;
		}
	}
	expect([...struck]).toEqual(expect.arrayContaining(['make-folder', 'create', 'write', 'fsync', 'rename', 'fsync-folder']));
});

test('a target whose disk fails in the middle of a file keeps what it had, and is completed by the next sync', async () => {
	let strikes = 0;
	for (let at = 0; ; at += 3) {
		const path = join(quickFolder(), 'target');
		let seen = 0;
		let failed = false;
		const hooks: FileHooks = {
			before() {
				if (seen++ !== at) return;
				failed = true;
				throw Object.assign(new Error('ENOSPC: made by the test'), { code: 'ENOSPC' });
			},
		};
		const outcome = await syncOnce(copyOf(fresh), path, { store: folderStore(path, hooks) }).then(
			() => null,
			(error: unknown) => error,
		);
		if (failed) expect(outcome).toMatchObject({ code: 'no-space' });
		expect(await flawsOfTarget(path, { trees: packed.trees, mode: 'full' }), `operation ${at}`).toEqual([]);
		await syncOnce(copyOf(fresh), path);
		expect(await flawsOfTarget(path, { trees: packed.trees, mode: 'full' }), `after operation ${at}`).toEqual([]);
		if (!failed) break;
		strikes++;
	}
	expect(strikes).toBeGreaterThan(10);
});

test('an interrupted sync says so, and the next one goes on where it was', async () => {
	const path = join(quickFolder(), 'target');
	const archive = copyOf(fresh);
	const stop = new AbortController();
	let creates = 0;
	const { store } = failingAt(folderStore(path), -1, 'cut');
	const stopping = {
		...store,
		create(...call: Parameters<typeof store.create>) {
			if (++creates === 6) stop.abort();
			return store.create(...call);
		},
	};
	await expect(syncOnce(archive, path, { store: stopping, signal: stop.signal })).rejects.toMatchObject({ code: 'interrupted' });
	const before = bytesBelow(path);
	expect(before.size).toBeGreaterThan(2);
	expect(await flawsOfTarget(path, { trees: packed.trees })).toEqual([]);
	const { result } = await syncOnce(archive, path);
	expect(result.confirmed).toBe([...before.keys()].filter((name) => name.startsWith('bundles/')).length);
	expect(await flawsOfTarget(path, { trees: packed.trees })).toEqual([]);
});
