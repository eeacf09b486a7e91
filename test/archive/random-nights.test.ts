import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildCatalog } from '../../src/archive/current-catalog.ts';
import { type CompactResult, type Outcome, type PackResult, reindex } from '../../src/archive/index.ts';
import { bundlePath, snapshotPath } from '../../src/archive/layout.ts';
import { newestSnapshot, snapshotNames } from '../../src/archive/snapshots.ts';
import { type Catalog, openCatalog } from '../../src/catalog/index.ts';
import { type AttachmentId, type BundleId, MailsealError, type MessageLine, SILENT } from '../../src/domain/index.ts';
import type { FileHooks } from '../../src/platform/index.ts';
import { archiveAt, compactOnce, never, packOnce, restoreOnce, verifyOnce } from '../support/archive.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { attachmentsIn, type ListedBundle, listedBundles, messagesIn, newestOf } from '../support/listed-bundles.ts';
import { DAY, DAY_ZERO } from '../support/mail-store.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { type Dice, openDice, openRandomLife, type RandomLife } from '../support/random-life.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../support/tree-state.ts';

/** Lives that are tried, each of its own seed from 1 on. */
const LIVES = Number(process.env.RANDOM_NIGHTS ?? propertyRuns(12).numRuns);
const CATALOG = 'catalog.sqlite';
const UNBOUNDED = Number.MAX_SAFE_INTEGER;
/** Bytes. */
const ATTACHMENT_MIN = 100;

/** An archive, the mail store that it is packed from, and what has happened to both so far. */
interface Course {
	readonly dice: Dice;
	readonly place: string;
	readonly dir: string;
	readonly life: RandomLife;
	readonly diary: string[];
	readonly pack: (hooks?: FileHooks) => Promise<Outcome<PackResult>>;
	readonly compact: (bound: { readonly below: number; readonly budget: number }, hooks?: FileHooks) => Promise<Outcome<CompactResult>>;
	/** The clock, milliseconds since 1970. */
	now: number;
	/** The tree of each snapshot that is there, oldest first. */
	readonly trees: Map<string, Map<string, FolderState>>;
	/** The catalog of each night, oldest first. */
	readonly catalogs: { readonly bytes: Buffer; readonly snapshots: readonly string[] }[];
	/** Bundles sealed while another was not there: what that one has may have been sealed again. */
	readonly sealedWhileAway: Set<BundleId>;
	/** Attachments that a compaction took out of the state while nothing placed needed them. */
	readonly letGo: Set<AttachmentId>;
}

function openCourse(seed: number): Course {
	const dice = openDice(seed);
	const place = fastFolder();
	const dir = join(place, 'archive');
	const diary: string[] = [];
	const life = openRandomLife(join(place, 'store'), { dice, note: (event) => diary.push(event) });
	const target = dice.pick([1500, 3000, 8000, 20_000]);
	const bundles = { target, max: target * dice.pick([1.1, 1.5, 3]), linger: dice.pick([0, 1, 3, 10]) * DAY, compress: dice.happens(70) };
	const policy = { quietPeriod: dice.pick([1, 3, 6, 120]) * DAY, unreadPeriod: dice.pick([2, 8, 120]) * DAY, never: ['Trash'] };
	const course: Course = {
		...{ dice, place, dir, life, diary, now: DAY_ZERO, trees: new Map(), catalogs: [], sealedWhileAway: new Set(), letGo: new Set() },
		pack: (hooks = {}) =>
			packOnce(dir, life.store.spec, {
				...{ bundles, policy, hooks, now: course.now, rescan: dice.happens(5) },
				allowMassRemoval: true,
				attachmentMin: ATTACHMENT_MIN,
			}),
		compact: (bound, hooks = {}) => compactOnce(dir, { ...bound, bundles, hooks, now: course.now }),
	};
	return course;
}

/** What may happen to an archive between two packs, but for its bundles. */
const MISHAPS: Readonly<Record<string, (course: Course) => Promise<unknown>>> = {
	'the catalog is removed': async ({ dir }) => rmSync(join(dir, CATALOG)),
	'the catalog is built anew': ({ dir }) => reindexNow(dir),
	'the catalog of the night before is put back': async (course) => putBack(course, course.catalogs.at(-2)),
	'an old catalog is put back': async (course) => putBack(course, course.dice.pick(course.catalogs)),
	async 'the newest snapshot is lost, and the catalog built anew'({ dir, trees, catalogs }) {
		const names = snapshotNames(dir);
		const newest = names.at(-1);
		if (newest === undefined || names.length < 2) return;
		rmSync(snapshotPath(dir, newest));
		trees.delete(newest);
		// Those that know of it would tell that it is lost.
		while (catalogs.at(-1)?.snapshots.includes(newest)) catalogs.pop();
		await reindexNow(dir);
	},
	async 'other sizes of files are stored apart, so that a message comes in more than one form'({ dir, dice }) {
		const path = join(dir, 'mailseal.json');
		const head = JSON.parse(readFileSync(path, 'utf8')) as object;
		writeFileSync(path, `${JSON.stringify({ ...head, attachmentMin: dice.pick([ATTACHMENT_MIN, 700, 1_000_000]) })}\n`);
	},
};

function reindexNow(dir: string): Promise<unknown> {
	return reindex(archiveAt(dir), { progress: SILENT, signal: never });
}

function putBack({ dir }: Course, catalog: Course['catalogs'][number] | undefined): void {
	if (catalog === undefined) return;
	for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, CATALOG + suffix), { force: true });
	writeFileSync(join(dir, CATALOG), catalog.bytes);
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

type Harm = 'missing' | 'of one wrong byte' | 'zeroed in part';

/** Packs while a bundle is missing or damaged, and puts it back as it was; a pack that refused is run again. */
async function packWithHarm(course: Course): Promise<void> {
	const { dice, dir, diary, life } = course;
	const { kind, id } = dice.pick(newestOf(dir).bundles);
	const path = bundlePath(dir, kind, id);
	const whole = readFileSync(path);
	const harm = dice.pick<Harm>(['missing', 'missing', 'missing', 'of one wrong byte', 'zeroed in part']);
	rmSync(path);
	if (harm !== 'missing') writeFileSync(path, damaged(whole, { harm, at: dice.below(whole.length) }));
	// Mail that it has may come again now.
	for (let mail = 0; mail < 6; mail++) life.deliver(course.now);
	const before = new Set(sealedBundles(dir));
	const code = await codeOf(course.pack());
	diary.push(`a pack while the ${kind} bundle ${id} is ${harm}: ${code ?? 'goes through'}`);
	expect([null, 'archive-damaged', 'not-found']).toContain(code);
	// The same mail makes the same bundle: a pack may have written it again.
	const isBack = harm === 'missing' && existsSync(path);
	if (isBack) expect(readFileSync(path).equals(whole)).toBe(true);
	rmSync(path, { force: true });
	writeFileSync(path, whole, { mode: 0o400 });
	if (code !== null) return packWell(course);
	if (harm !== 'missing') return;
	for (const sealed of sealedBundles(dir)) if (!before.has(sealed)) course.sealedWhileAway.add(sealed);
	const present = (await listedBundles(dir)).filter(({ ref }) => isBack || ref.id !== id);
	expect(lostMessages(present, arrivedTonight(course)), 'what came tonight needs nothing of the missing bundle').toEqual([]);
}

function damaged(whole: Buffer, { harm, at }: { readonly harm: Exclude<Harm, 'missing'>; readonly at: number }): Buffer {
	const bytes = Buffer.from(whole);
	if (harm === 'zeroed in part') bytes.subarray(at, at + 400).fill(0);
	else bytes.writeUInt8(bytes.readUInt8(at) ^ 0x55, at);
	return bytes;
}

/** Messages under names that the newest tree before tonight did not have. */
function arrivedTonight({ trees, life }: Course): string[] {
	const before = messagesOf([...trees.values()].at(-1) ?? new Map());
	return [...messagesOf(readTreeState(life.store.root))].flatMap(([place, id]) => (before.has(place) ? [] : [id]));
}

/** Ids of messages by folder and key. */
function messagesOf(tree: ReadonlyMap<string, FolderState>): Map<string, string> {
	const ids = new Map<string, string>();
	for (const [folder, { messages }] of tree)
		for (const [path, { sha256 }] of messages) ids.set(`${folder} ${path.replace(/^(cur|new)\/|:2,.*$/g, '')}`, sha256);
	return ids;
}

function sealedBundles(dir: string): BundleId[] {
	return newestOf(dir).bundles.flatMap(({ kind, id }) => (kind === 'sealed' ? [id] : []));
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
	if (night > 1 && dice.happens(25)) await packWithHarm(course);
	else await packWell(course);
	const tree = readTreeState(life.store.root);
	course.trees.set(newestSnapshot(dir)?.name ?? '', tree);
	const listed = await listedBundles(dir);
	const flaws = [
		...(await verifyOnce(dir)).findings.map(({ code, text }) => `verify: ${code}: ${text}`),
		...(await flawsOfRestore(course)),
		...lostMessages(listed, [...messagesOf(tree).values()]),
		...flawsOfSealed(
			listed.filter(({ ref }) => ref.kind === 'sealed'),
			{ whileAway: course.sealedWhileAway, placed: new Set(messagesOf(tree).values()), letGo: course.letGo },
		),
		...(await flawsOfCatalog(dir)),
	];
	expect(flaws).toEqual([]);
	course.catalogs.push({ bytes: readFileSync(join(dir, CATALOG)), snapshots: snapshotNames(dir) });
	if (dice.happens(40)) await compactWell(course);
}

/** Compacts, perhaps after a try that breaks off, and looks at the same things as after a pack. */
async function compactWell(course: Course): Promise<void> {
	const { dice, diary, dir, trees } = course;
	const tree = [...trees.values()].at(-1) ?? new Map();
	const before = new Set(snapshotNames(dir));
	const listedBefore = await listedBundles(dir);
	const bound = { below: dice.pick([0, 0.3, 0.5, 0.9, 1]), budget: dice.pick([0, 4000, UNBOUNDED, UNBOUNDED]) };
	if (dice.happens(30)) {
		const last = dice.below(20);
		let seen = 0;
		const code = await codeOf(course.compact(bound, { after: () => breakIf(seen++ === last) }));
		diary.push(`a compaction ${code === null ? 'goes through' : `breaks off after operation ${last}`}`);
		expect([null, 'io']).toContain(code);
		course.now += 2000;
	}
	const { result, findings } = await course.compact(bound);
	diary.push(`a compaction: ${result.superseded} bundles superseded by ${result.new}, ${result.left} left`);
	expect(findings.filter(({ severity }) => severity !== 'note')).toEqual([]);
	if (bound.budget === UNBOUNDED) {
		expect(result.left).toBe(0);
		expect((await course.compact(bound)).result, 'a second compaction right after the first').toMatchObject({
			superseded: 0,
			snapshot: null,
		});
	}
	for (const name of snapshotNames(dir)) if (!before.has(name)) trees.set(name, tree);
	const listed = await listedBundles(dir);
	const stored = new Set(listed.flatMap(({ lines }) => attachmentsIn(lines)).map(({ id }) => id));
	for (const { id } of listedBefore.flatMap(({ lines }) => attachmentsIn(lines))) if (!stored.has(id)) course.letGo.add(id);
	const flaws = [
		...(await verifyOnce(dir)).findings.map(({ code, text }) => `verify: ${code}: ${text}`),
		...(await flawsOfRestore(course)),
		...lostMessages(listed, [...messagesOf(tree).values()]),
		...(await flawsOfCatalog(dir)),
	];
	expect(flaws).toEqual([]);
	course.catalogs.push({ bytes: readFileSync(join(dir, CATALOG)), snapshots: snapshotNames(dir) });
}

/** What differs between the tree of a snapshot, the newest where none is named, and what it restores to. */
async function flawsOfRestore({ dir, place, trees }: Course, at = snapshotNames(dir).at(-1) ?? ''): Promise<string[]> {
	const to = join(place, 'restored');
	const { findings } = await restoreOnce(dir, to, { at });
	const differences = compareTreeStates(trees.get(at) ?? new Map(), readTreeState(to));
	rmSync(to, { recursive: true });
	return [...findings.map(({ text }) => text), ...differences].map((flaw) => `restore ${at}: ${flaw}`);
}

/** Which of these messages the bundles do not have by themselves, complete. */
function lostMessages(listed: readonly ListedBundle[], ids: readonly string[]): string[] {
	const stored = new Set(listed.flatMap(({ lines }) => attachmentsIn(lines)).map(({ id }) => id));
	const complete = new Set<string>();
	for (const line of listed.flatMap(({ lines }) => messagesIn(lines))) if (needs(line).every((id) => stored.has(id))) complete.add(line.id);
	return ids.filter((id) => !complete.has(id)).map((id) => `no bundles have message ${id} with all its attachments`);
}

/** Whether each attachment is sealed once, and sealed for each sealed message that needs it and is placed. */
function flawsOfSealed(
	sealed: readonly ListedBundle[],
	{
		whileAway,
		placed,
		letGo,
	}: { readonly whileAway: ReadonlySet<BundleId>; readonly placed: ReadonlySet<string>; readonly letGo: ReadonlySet<AttachmentId> },
): string[] {
	const flaws: string[] = [];
	const sealedIn = new Map<AttachmentId, BundleId>();
	for (const { ref, lines } of sealed) {
		for (const { id } of attachmentsIn(lines)) {
			const other = sealedIn.get(id);
			if (other !== undefined && !whileAway.has(ref.id)) flaws.push(`attachment ${id} is sealed in ${other} and again in ${ref.id}`);
			sealedIn.set(id, ref.id);
		}
	}
	for (const { ref, lines } of sealed) {
		for (const id of messagesIn(lines).flatMap((line) => (placed.has(line.id) ? needs(line) : [])))
			if (!sealedIn.has(id) && !letGo.has(id)) flaws.push(`sealed bundle ${ref.id} needs ${id}, which is not sealed`);
	}
	return flaws;
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
