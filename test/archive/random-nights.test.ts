import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildCatalog } from '../../src/archive/current-catalog.ts';
import { type Outcome, type PackResult, reindex } from '../../src/archive/index.ts';
import { bundlePath, snapshotPath } from '../../src/archive/layout.ts';
import { newestSnapshot, snapshotNames } from '../../src/archive/snapshots.ts';
import { type Catalog, openCatalog } from '../../src/catalog/index.ts';
import { type AttachmentId, type BundleId, MailsealError, type MessageLine, SILENT } from '../../src/domain/index.ts';
import type { FileHooks } from '../../src/platform/index.ts';
import { archiveAt, never, packOnce, restoreOnce, verifyOnce } from '../support/archive.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { attachmentsIn, type ListedBundle, listedBundles, messagesIn, newestOf } from '../support/listed-bundles.ts';
import { DAY, DAY_ZERO } from '../support/mail-store.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { type Dice, openDice, openRandomLife, type RandomLife } from '../support/random-life.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../support/tree-state.ts';

/** Lives that are tried, each of its own seed from 1 on. */
const LIVES = Number(process.env.RANDOM_NIGHTS ?? propertyRuns(8).numRuns);
const CATALOG = 'catalog.sqlite';

/** An archive, the mail store that it is packed from, and what has happened to both so far. */
interface Course {
	readonly dice: Dice;
	readonly place: string;
	readonly dir: string;
	readonly life: RandomLife;
	readonly diary: string[];
	readonly pack: (hooks?: FileHooks) => Promise<Outcome<PackResult>>;
	/** The clock, milliseconds since 1970. */
	now: number;
	/** The tree of each snapshot that is there, oldest first. */
	readonly trees: Map<string, Map<string, FolderState>>;
	/** The catalog of each night, oldest first. */
	readonly catalogs: Buffer[];
	/** Bundles that were not there while a pack ran: what they have may be sealed again. */
	readonly wereAway: Set<BundleId>;
}

function openCourse(seed: number): Course {
	const dice = openDice(seed);
	const place = fastFolder();
	const dir = join(place, 'archive');
	const diary: string[] = [];
	const life = openRandomLife(join(place, 'store'), { dice, note: (event) => diary.push(event) });
	const target = dice.pick([1500, 3000, 8000, 20_000]);
	const bundles = { target, max: target * dice.pick([1.1, 1.5, 3]), linger: dice.pick([0, 1, 3, 10]) * DAY, compress: dice.happens(70) };
	const policy = { quietPeriod: dice.pick([1, 3, 6]) * DAY, unreadPeriod: dice.pick([2, 8]) * DAY, never: ['Trash'] };
	const course: Course = {
		...{ dice, place, dir, life, diary, now: DAY_ZERO, trees: new Map(), catalogs: [], wereAway: new Set() },
		pack: (hooks = {}) =>
			packOnce(dir, life.store.spec, {
				...{ bundles, policy, hooks, now: course.now, rescan: dice.happens(5) },
				allowMassRemoval: true,
				attachmentMin: 100,
			}),
	};
	return course;
}

/** What may happen to the catalog of an archive between two packs, and to the archive that then has to do without it. */
const MISHAPS: Readonly<Record<string, (course: Course) => void | Promise<unknown>>> = {
	'the catalog is removed': ({ dir }) => rmSync(join(dir, CATALOG)),
	'the catalog is built anew': ({ dir }) => reindexNow(dir),
	'the catalog of the night before is put back': (course) => putBack(course, course.catalogs.at(-2)),
	'an old catalog is put back': (course) => putBack(course, course.dice.pick(course.catalogs)),
	async 'the newest snapshot is lost, and the catalog built anew'({ dir, trees, catalogs }) {
		const names = snapshotNames(dir);
		const newest = names.at(-1);
		if (newest === undefined || names.length < 2) return;
		rmSync(snapshotPath(dir, newest));
		trees.delete(newest);
		catalogs.pop();
		await reindexNow(dir);
	},
};

function reindexNow(dir: string): Promise<unknown> {
	return reindex(archiveAt(dir), { progress: SILENT, signal: never });
}

function putBack({ dir }: Course, catalog: Buffer | undefined): void {
	if (catalog === undefined) return;
	for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, CATALOG + suffix), { force: true });
	writeFileSync(join(dir, CATALOG), catalog);
}

async function meetMishap(course: Course): Promise<void> {
	const [name, mishap] = course.dice.pick(Object.entries(MISHAPS));
	course.diary.push(name);
	await mishap(course);
}

/** A pack that breaks off at some file operation, or ends before one does. */
async function packCutOff(course: Course): Promise<void> {
	const last = course.dice.below(course.dice.pick([4, 12, 60]));
	let seen = 0;
	const before = new Set(snapshotNames(course.dir));
	const code = await codeOf(course.pack({ after: () => breakIf(seen++ === last) }));
	course.diary.push(`a pack ${code === null ? 'goes through' : `breaks off after operation ${last}`}`);
	expect(code === null || code === 'io', `the pack failed with ${code}`).toBe(true);
	noteNewSnapshot(course, before);
	course.now += 2000;
}

/** A pack whose snapshot is written, but not its catalog. */
async function packWithoutCatalog(course: Course): Promise<void> {
	const before = new Set(snapshotNames(course.dir));
	const code = await codeOf(
		course.pack({ after: (operation, path) => breakIf(operation === 'fsync-folder' && /\/snapshots\/[0-9]{4}$/.test(path)) }),
	);
	course.diary.push('a pack breaks off before the catalog follows');
	expect(code).toBe('io');
	noteNewSnapshot(course, before);
	course.now += 2000;
	if (course.dice.happens(50)) course.life.deliver(course.now);
}

function noteNewSnapshot({ dir, trees, life }: Course, before: ReadonlySet<string>): void {
	for (const name of snapshotNames(dir)) if (!before.has(name)) trees.set(name, readTreeState(life.store.root));
}

function breakIf(isTime: boolean): void {
	if (isTime) throw Object.assign(new Error('EIO: made by the test'), { code: 'EIO' });
}

/** The code with which it failed, null where it did not; any other error is thrown on. */
async function codeOf(work: Promise<unknown>): Promise<string | null> {
	try {
		await work;
		return null;
	} catch (error) {
		if (error instanceof MailsealError) return error.code;
		throw error;
	}
}

/** Packs while a bundle is missing or damaged, and puts it back as it was; a pack that refused is run again. */
async function packWithHarm(course: Course): Promise<void> {
	const { dice, dir, place, diary } = course;
	const { kind, id } = dice.pick(newestOf(dir).bundles);
	const path = bundlePath(dir, kind, id);
	const kept = join(place, 'kept.zip');
	copyFileSync(path, kept);
	const harm = dice.pick(['missing', 'of one wrong byte', 'zeroed in part']);
	const bytes = readFileSync(path);
	rmSync(path);
	if (harm === 'missing') course.wereAway.add(id);
	else {
		const at = dice.below(bytes.length);
		if (harm === 'zeroed in part') bytes.fill(0, at, at + 400);
		else bytes[at] = Number(bytes[at]) ^ 0x55;
		writeFileSync(path, bytes);
	}
	const code = await codeOf(course.pack());
	diary.push(`a pack while the ${kind} bundle ${id} is ${harm}: ${code ?? 'goes through'}`);
	expect([null, 'archive-damaged', 'not-found']).toContain(code);
	rmSync(path, { force: true });
	copyFileSync(kept, path);
	chmodSync(path, 0o400);
	if (code !== null) await packWell(course);
}

async function packWell(course: Course): Promise<void> {
	const { result, findings } = await course.pack();
	course.diary.push(
		`a pack: ${JSON.stringify(result.messages)}, ${result.sealed.new} sealed bundles, ${result.volatile.bundles} volatile ones`,
	);
	expect(findings.filter(({ severity }) => severity !== 'note')).toEqual([]);
	expect(result.sealed.rewrittenBytes).toBe(0);
}

async function spendNight(course: Course, night: number): Promise<void> {
	const { dice, life, dir } = course;
	course.now += dice.pick([0.5, 1, 1, 1, 2, 7]) * DAY;
	course.diary.push(`night ${night}`);
	life.liveOneDay(course.now);
	if (night > 0 && dice.happens(33)) await meetMishap(course);
	if (night > 0 && dice.happens(20)) await packCutOff(course);
	else if (dice.happens(20)) await packWithoutCatalog(course);
	if (night > 1 && dice.happens(15)) await packWithHarm(course);
	else await packWell(course);
	const tree = readTreeState(life.store.root);
	course.trees.set(newestSnapshot(dir)?.name ?? '', tree);
	const flaws = [
		...(await verifyOnce(dir)).findings.map(({ code, text }) => `verify: ${code}: ${text}`),
		...(await flawsOfRestore(course)),
		...flawsOfBundles(await listedBundles(dir), { tree, wereAway: course.wereAway }),
		...(await flawsOfCatalog(dir)),
	];
	expect(flaws).toEqual([]);
	course.catalogs.push(readFileSync(join(dir, CATALOG)));
}

/** What differs between the tree of a snapshot, the newest where none is named, and what it restores to. */
async function flawsOfRestore({ dir, place, trees }: Course, at = snapshotNames(dir).at(-1) ?? ''): Promise<string[]> {
	const to = join(place, 'restored');
	const { findings } = await restoreOnce(dir, to, { at });
	const differences = compareTreeStates(trees.get(at) ?? new Map(), readTreeState(to));
	rmSync(to, { recursive: true });
	return [...findings.map(({ text }) => text), ...differences].map((flaw) => `restore ${at}: ${flaw}`);
}

/** Whether the bundles by themselves have every message of the tree, and seal nothing twice. */
function flawsOfBundles(
	listed: readonly ListedBundle[],
	{ tree, wereAway }: { readonly tree: ReadonlyMap<string, FolderState>; readonly wereAway: ReadonlySet<BundleId> },
): string[] {
	const stored = new Set(listed.flatMap(({ lines }) => attachmentsIn(lines)).map(({ id }) => id));
	const complete = new Set(
		listed.flatMap(({ lines }) => messagesIn(lines)).flatMap((line) => (needs(line).every((id) => stored.has(id)) ? [line.id] : [])),
	);
	const inTree = [...tree.values()].flatMap(({ messages }) => [...messages.values()].map(({ sha256 }) => sha256));
	const lost = inTree
		.filter((id) => !complete.has(id as MessageLine['id']))
		.map((id) => `no bundles have message ${id} with all its attachments`);

	const flaws: string[] = [];
	const sealedIn = new Map<AttachmentId, BundleId>();
	const sealed = listed.filter(({ ref }) => ref.kind === 'sealed');
	for (const { ref, lines } of sealed) {
		for (const { id } of attachmentsIn(lines)) {
			const other = sealedIn.get(id);
			if (other !== undefined && !wereAway.has(other)) flaws.push(`attachment ${id} is sealed in ${other} and again in ${ref.id}`);
			sealedIn.set(id, ref.id);
		}
	}
	for (const { ref, lines } of sealed) {
		for (const id of messagesIn(lines).flatMap(needs))
			if (!sealedIn.has(id)) flaws.push(`sealed bundle ${ref.id} needs ${id}, which is not sealed`);
	}
	return [...lost, ...flaws];
}

function needs({ attachments }: MessageLine): AttachmentId[] {
	return attachments.flatMap(({ id }) => id ?? []);
}

/** Whether the catalog on disk answers as one does that is built from nothing but the bundles. */
async function flawsOfCatalog(dir: string): Promise<string[]> {
	const newest = newestSnapshot(dir);
	const onDisk = openCatalog({ kind: 'file', path: join(dir, CATALOG) });
	const flaws: string[] = [];
	const rebuilt = await buildCatalog(archiveAt(dir), { place: { kind: 'memory' }, newest, onFinding: ({ text }) => flaws.push(text) });
	const answers = answersOf(rebuilt);
	for (const [question, answer] of Object.entries(answersOf(onDisk))) {
		if (answer !== answers[question]) flaws.push(`the catalog says of its ${question}: ${answer} instead of ${answers[question]}`);
	}
	onDisk.close();
	rebuilt.close();
	return flaws;
}

function answersOf(catalog: Catalog): Record<string, string> {
	return {
		snapshot: String(catalog.state()?.name),
		lines: catalog.fingerprint(),
		totals: JSON.stringify(catalog.totals()),
		'attachment totals': JSON.stringify(catalog.attachmentTotals()),
		attachments: JSON.stringify(catalog.read.listAttachments({})),
	};
}

test.each(Array.from({ length: LIVES }, (_, index) => index + 1))(
	'whatever happens in random nights, each snapshot restores to its tree and nothing is sealed twice: seed %i',
	async (seed) => {
		const course = openCourse(seed);
		const { dice, place, diary, dir } = course;
		try {
			const nights = 6 + dice.below(12);
			for (let night = 0; night < nights; night++) await spendNight(course, night);
			const older = snapshotNames(dir).filter(() => dice.happens(30));
			for (const name of older) expect(await flawsOfRestore(course, name)).toEqual([]);
		} catch (error) {
			throw new Error(`Seed ${seed}, after:\n${diary.join('\n')}`, { cause: error });
		} finally {
			rmSync(place, { recursive: true, force: true });
		}
	},
);
