import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type BundleSettings, DEFAULT_BUNDLES, type Outcome, type PackResult, pack } from '../../../src/archive/index.ts';
import { DEFAULT_POLICY, SILENT } from '../../../src/domain/index.ts';
import { type BlobStore, counted } from '../../../src/remote/index.ts';
import { openMaildirSource } from '../../../src/sources/index.ts';
import { archiveAt, inThisThread, never } from '../../support/archive.ts';
import { fileBytes, mailWith } from '../../support/attached-mail.ts';
import { bundlesOf } from '../../support/eventful-night.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import { DAY, type MailStore, makeMailStore } from '../../support/mail-store.ts';
import { openDice, openRandomLife } from '../../support/random-life.ts';
import {
	ATTACHMENT_MIN,
	bundleBlobs,
	flawsOfTarget,
	folderStore,
	makeKeys,
	openMailLife,
	quickFolder,
	restoreFrom,
	SMALL_BUNDLES,
	syncOnce,
	thinArchive,
	timeOf,
	verifyHere,
} from '../../support/target.ts';
import { compareTreeStates, readTreeState } from '../../support/tree-state.ts';

let keys: Awaited<ReturnType<typeof makeKeys>>;
beforeAll(async () => {
	keys = await makeKeys();
});

interface NightSetup {
	readonly day: number;
	readonly storeOf?: (path: string) => BlobStore;
	readonly rescan?: boolean;
	readonly bundles?: Partial<BundleSettings>;
}

function packNight(dir: string, store: MailStore, { day, storeOf, rescan = false, bundles }: NightSetup): Promise<Outcome<PackResult>> {
	archiveAt(dir, {}, ATTACHMENT_MIN);
	return pack(
		thinArchive(dir, { keys: keys.opening, ...(storeOf === undefined ? {} : { storeOf }) }),
		{
			sources: [openMaildirSource(store.spec)],
			policy: DEFAULT_POLICY,
			bundles: { ...DEFAULT_BUNDLES, ...SMALL_BUNDLES, ...bundles },
			now: timeOf(day),
			rescan,
			allowMassRemoval: true,
			dryRun: false,
			progress: SILENT,
			signal: never,
		},
		inThisThread(),
	);
}

/** Ids of the bundles that a snapshot names, in order. */
function idsIn(dir: string, snapshot: unknown): string[] {
	return bundlesOf(dir, String(snapshot)).map(({ id }) => id);
}

describe.each(['plain', 'encrypted'] as const)('a thin archive, its target being %s,', (kind) => {
	test('packs night after night what a full one packs, without asking the target for anything', async () => {
		const setup = kind === 'plain' ? {} : { keys: keys.sealing };
		const life = openMailLife();
		const [thin, full] = [join(quickFolder(), 'archive'), join(quickFolder(), 'archive')];
		const path = join(quickFolder(), 'target');
		const trees = new Map();
		for (let day = 0; day < 7; day++) {
			life.live(day);
			const { store, counts } = counted(folderStore(path));
			const right = await packNight(full, life.store, { day });
			const { findings, result } = await packNight(thin, life.store, { day, storeOf: () => store });
			expect(findings).toEqual([]);
			expect(right.findings).toEqual([]);
			expect(idsIn(thin, result.snapshot), `night ${day}`).toEqual(idsIn(full, right.result.snapshot));
			expect({ ...result.messages, ...result.attachments }).toEqual({ ...right.result.messages, ...right.result.attachments });
			expect(result.sealed.confirmed).toBe(right.result.sealed.confirmed);
			expect(result.sealed.rewrittenBytes).toBe(0);
			expect(counts).toMatchObject({ reads: 0, lists: 0, stats: 0, creates: 0 });
			trees.set(String(result.snapshot), readTreeState(life.store.root));
			const synced = await syncOnce(thin, path, { ...setup, dropLocal: day !== 3 });
			expect(synced.findings).toEqual([]);
			expect(bundleBlobs(thin, 'sealed').length === 0).toBe(day !== 3);
		}
		// Nothing is stored twice.
		const there = bundleBlobs(path).map((name) => /[0-9a-f]{64}/.exec(name)?.[0]);
		expect(new Set(there).size).toBe(there.length);
		expect(there.sort()).toEqual(
			bundleBlobs(full)
				.map((name) => name.slice(-68, -4))
				.sort(),
		);
		const archive = thinArchive(thin, { keys: keys.opening });
		expect((await verifyHere(archive)).findings).toEqual([]);
		const restored = await restoreFrom(archive);
		expect(restored.findings).toEqual([]);
		expect(compareTreeStates(readTreeState(life.store.root), restored.tree)).toEqual([]);
		expect(await flawsOfTarget(path, { trees, ...(kind === 'plain' ? {} : { keys: keys.opening }) })).toEqual([]);
	});
});

test.each(process.env.SLOW ? Array.from({ length: 40 }, (_, seed) => seed + 1) : [1, 2, 3, 4])(
	'in a random life (%i) a thin archive packs what a full one packs, misses nothing, and restores the same',
	async (seed) => {
		const dice = openDice(seed);
		const events: string[] = [];
		const life = openRandomLife(quickFolder(), { dice, note: (event) => events.push(event) });
		const [thin, full] = [join(quickFolder(), 'archive'), join(quickFolder(), 'archive')];
		const path = join(quickFolder(), 'target');
		const linger = dice.pick([0, 3 * DAY]);
		for (let day = 0; day < 12; day++) {
			life.liveOneDay(timeOf(day));
			const night = { day, rescan: dice.happens(10), bundles: { target: 6 * 1024, max: 10 * 1024, linger } };
			const { store, counts } = counted(folderStore(path));
			const right = await packNight(full, life.store, night);
			const { findings, result } = await packNight(thin, life.store, { ...night, storeOf: () => store });
			const place = `seed ${seed}, day ${day}\n${events.join('\n')}`;
			expect(findings, place).toEqual(right.findings);
			expect(idsIn(thin, result.snapshot), place).toEqual(idsIn(full, right.result.snapshot));
			// Nothing but what another tenant's bundle has is ever read.
			expect(counts.creates + counts.proofs + counts.removes).toBe(0);
			if (dice.happens(60)) await syncOnce(thin, path, { dropLocal: dice.happens(80) });
		}
		await syncOnce(thin, path, { dropLocal: true });
		const archive = thinArchive(thin);
		expect((await verifyHere(archive)).findings).toEqual([]);
		const restored = await restoreFrom(archive);
		expect(restored.findings).toEqual([]);
		expect(compareTreeStates(readTreeState(life.store.root), restored.tree), events.join('\n')).toEqual([]);
	},
);

describe('a message that another tenant’s bundle has, which was dropped,', () => {
	const old = timeOf(-60);
	const content = Buffer.from(`Subject: to all\n\n${'the same words again and again\n'.repeat(20)}`);
	const withFile = mailWith([{ name: 'plan.pdf', bytes: fileBytes('plan', 5000) }], { subject: 'the plan' });

	/** One tenant's mail is sealed and dropped; then the same mail comes to another tenant, and becomes quiet. */
	async function shared(mail: Buffer, others: readonly Buffer[] = []) {
		const store = makeMailStore(quickFolder());
		const archive = join(quickFolder(), 'archive');
		const path = join(quickFolder(), 'target');
		for (const [index, one] of [mail, ...others].entries()) store.put(`anna@one.example/INBOX/a${index}:2,S`, { content: one, at: old });
		await packNight(archive, store, { day: 0 });
		await syncOnce(archive, path, { dropLocal: true });
		expect(bundleBlobs(archive, 'sealed')).toEqual([]);
		for (const [index, one] of [mail, ...others].entries())
			store.put(`bert@two.example/INBOX/b${index}:2,S`, { content: one, at: timeOf(0) });
		const young = await packNight(archive, store, { day: 1 });
		expect(young.findings).toEqual([]);
		return { store, archive, path };
	}

	test.each([
		['that is stored whole', content],
		['that has an attachment', withFile],
	])('%s is fetched to be sealed for its own tenant, proved by its id', async (_what, mail) => {
		const { store, archive, path } = await shared(mail);
		const { store: target, counts } = counted(folderStore(path));
		const { findings, result } = await packNight(archive, store, { day: 90, storeOf: () => target });
		expect(findings).toEqual([]);
		expect(result.sealed.new).toBe(1);
		// The head of the target, the message, its attachment.
		expect(counts.reads).toBeGreaterThan(1);
		expect(counts.reads).toBeLessThanOrEqual(3);
		expect(counts.bytesRead).toBeLessThan(20_000);
		expect((await verifyHere(thinArchive(archive))).findings).toEqual([]);
		const [sealed = ''] = bundleBlobs(archive, 'sealed');
		expect(readFileSync(join(archive, sealed)).length).toBeGreaterThan(300);
		expect((await packNight(archive, store, { day: 91, storeOf: () => target })).result.sealed.new).toBe(0);
	});

	test.each([
		['that is stored whole', content],
		['that has an attachment', withFile],
	])('%s goes on waiting while the target cannot be reached, which is told once and asked for once', async (_what, mail) => {
		const { store, archive, path } = await shared(mail, [
			Buffer.from('Subject: another\n\none\n'),
			Buffer.from('Subject: a third\n\none\n'),
		]);
		for (const name of ['c', 'd', 'e'])
			store.put(`bert@two.example/INBOX/${name}:2,S`, { content: `Subject: ${name}\n\n${name}\n`, at: old });
		const { store: down, calls } = faultyStore(folderStore(path), () => 'unreachable');
		const { findings } = await packNight(archive, store, { day: 90, storeOf: () => down });
		expect(findings).toMatchObject([{ code: 'target-unreachable', severity: 'warning' }]);
		expect(calls).toHaveLength(1);
		// The rest of that tenant's mail is sealed.
		expect(bundleBlobs(archive, 'sealed')).toHaveLength(1);
		const next = await packNight(archive, store, { day: 91 });
		expect(next.findings).toEqual([]);
		const archived = thinArchive(archive);
		expect((await verifyHere(archived)).findings).toEqual([]);
		const restored = await restoreFrom(archived);
		expect(compareTreeStates(readTreeState(store.root), restored.tree)).toEqual([]);
	});

	test('whose copy at the target is damaged is told, and stays where it is', async () => {
		const { store, archive, path } = await shared(content);
		const { store: wrong } = faultyStore(folderStore(path), ({ operation, name }) =>
			operation === 'readRange' && name.startsWith('bundles/') ? 'wrong' : null,
		);
		const { findings } = await packNight(archive, store, { day: 90, storeOf: () => wrong });
		expect(findings).toMatchObject([{ code: 'message-damaged', severity: 'error' }]);
		expect(bundleBlobs(archive, 'sealed')).toEqual([]);
		expect((await restoreFrom(thinArchive(archive))).findings).toEqual([]);
	});
});

describe('a pack on a thin archive', () => {
	async function thinNight() {
		const life = openMailLife();
		const archive = join(quickFolder(), 'archive');
		const path = join(quickFolder(), 'target');
		for (let day = 0; day < 2; day++) {
			life.live(day);
			await packNight(archive, life.store, { day });
		}
		await syncOnce(archive, path, { dropLocal: true });
		return { life, archive, path };
	}

	test('whose target is down goes on without a word', async () => {
		const { life, archive, path } = await thinNight();
		life.live(2);
		const { store, calls } = faultyStore(folderStore(path), () => 'unreachable');
		const { findings } = await packNight(archive, life.store, { day: 2, storeOf: () => store });
		expect(findings).toEqual([]);
		expect(calls).toEqual([]);
		expect((await restoreFrom(thinArchive(archive))).findings).toEqual([]);
	});

	test('with --rescan reads all mail again and stores none of it twice', async () => {
		const { life, archive, path } = await thinNight();
		const { store, counts } = counted(folderStore(path));
		const { findings, result } = await packNight(archive, life.store, { day: 2, storeOf: () => store, rescan: true });
		expect(findings).toEqual([]);
		expect(result).toMatchObject({ messages: { added: 0, changed: 0, removed: 0 }, sealed: { new: 0 } });
		expect(counts.reads).toBe(0);
		expect((await verifyHere(thinArchive(archive))).findings).toEqual([]);
	});

	test('without a catalog rebuilds it by ranges, or is refused where the target is down, and nothing is changed', async () => {
		const { life, archive, path } = await thinNight();
		for (const suffix of ['', '-wal', '-shm']) rmSync(join(archive, `catalog.sqlite${suffix}`), { force: true });
		life.live(2);
		const before = bundleBlobs(archive);
		const { store: down } = faultyStore(folderStore(path), () => 'unreachable');
		await expect(packNight(archive, life.store, { day: 2, storeOf: () => down })).rejects.toMatchObject({ code: 'unreachable' });
		expect(bundleBlobs(archive)).toEqual(before);
		const { findings } = await packNight(archive, life.store, { day: 2 });
		expect(findings).toEqual([]);
		expect((await verifyHere(thinArchive(archive))).findings).toEqual([]);
	});

	test('of which the target lost a bundle stores again what the mail store still has', async () => {
		const { life, archive, path } = await thinNight();
		const whole = readTreeState(life.store.root);
		for (const name of bundleBlobs(path, 'sealed').slice(0, 3)) rmSync(join(path, name));
		expect((await syncOnce(archive, path)).findings.filter(({ code }) => code === 'bundle-not-shipped')).toHaveLength(3);
		const { findings } = await packNight(archive, life.store, { day: 2, rescan: true });
		expect(findings.map(({ code }) => code)).toEqual(['bundle-missing', 'bundle-missing', 'bundle-missing']);
		const restored = await restoreFrom(thinArchive(archive));
		expect(restored.findings).toEqual([]);
		expect(compareTreeStates(whole, restored.tree)).toEqual([]);
	});
});
