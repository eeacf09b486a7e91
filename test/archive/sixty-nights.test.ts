import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compact, type PruneRequest, prune, reindex } from '../../src/archive/index.ts';
import { bundlePath } from '../../src/archive/layout.ts';
import { readSnapshot, snapshotNames } from '../../src/archive/snapshots.ts';
import { MailsealError, SILENT, type SnapshotName } from '../../src/domain/index.ts';
import type { FileHooks } from '../../src/platform/index.ts';
import { archiveAt, bundleNames, inThisThread, never, packOnce, restoreOnce, verifyOnce } from '../support/archive.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { DAY, DAY_ZERO } from '../support/mail-store.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { openDice, openRandomLife, type RandomLife } from '../support/random-life.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../support/tree-state.ts';

const NIGHTS = 60;
const CATALOG = 'catalog.sqlite';
const BUNDLES = { target: 6000, max: 9000, linger: 2 * DAY };
const POLICY = { quietPeriod: 3 * DAY, unreadPeriod: 8 * DAY, never: ['Trash'] };
const ATTACHMENT_MIN = 100;

/** What is done to an archive between two nights. `cut`: the file operation at which it breaks off, where it gets so far. */
type Step = { readonly cut: { readonly at: number; readonly when: 'before' | 'after' } | null } & (
	| { readonly do: 'prune'; readonly keep: PruneRequest['keep'] }
	| { readonly do: 'compact'; readonly below: number; readonly budget: number }
	| { readonly do: 'fold'; readonly foldBelow: number; readonly mostVolatile: number }
	| { readonly do: 'reindex' }
	| { readonly do: 'lose the catalog' }
	| { readonly do: 'put an old catalog back' }
);

interface Night {
	readonly days: number;
	readonly onArrival: boolean;
	readonly steps: readonly Step[];
}

const count = (most: number): fc.Arbitrary<number> => fc.nat({ max: most });
const anyCut = fc.option(fc.record({ at: count(40), when: fc.constantFrom('before' as const, 'after' as const) }), { freq: 2 });
const anyStep: fc.Arbitrary<Step> = fc
	.tuple(
		anyCut,
		fc.oneof(
			{
				weight: 4,
				arbitrary: fc.record({
					do: fc.constant('prune' as const),
					keep: fc.record({ last: count(6), hourly: count(4), daily: count(9), weekly: count(4), monthly: count(2), yearly: count(1) }),
				}),
			},
			{
				weight: 4,
				arbitrary: fc.record({
					do: fc.constant('compact' as const),
					below: fc.constantFrom(0.3, 0.5, 0.8, 1),
					budget: fc.constantFrom(0, 5000, 20_000, 1_000_000),
				}),
			},
			{
				weight: 3,
				arbitrary: fc.record({
					do: fc.constant('fold' as const),
					foldBelow: fc.constantFrom(0.5, 0.9, 1),
					mostVolatile: fc.constantFrom(1, 2, 5, 100),
				}),
			},
			{ weight: 1, arbitrary: fc.record({ do: fc.constant('reindex' as const) }) },
			{ weight: 1, arbitrary: fc.record({ do: fc.constant('lose the catalog' as const) }) },
			{ weight: 1, arbitrary: fc.record({ do: fc.constant('put an old catalog back' as const) }) },
		),
	)
	.map(([cut, step]) => ({ cut, ...step }));
const anyNights = fc.array(
	fc.record({
		days: fc.constantFrom(0.5, 1, 1, 2),
		onArrival: fc.boolean(),
		steps: fc.array(anyStep, { maxLength: 24, size: 'max' }),
	}),
	{ minLength: NIGHTS, maxLength: NIGHTS },
);

/** An archive and the mail store that it is packed from. */
interface Course {
	readonly dir: string;
	readonly place: string;
	readonly life: RandomLife;
	/** The clock, milliseconds since 1970. */
	now: number;
	/** The tree of the store as it is. */
	tree: Map<string, FolderState>;
	/** Of every snapshot that ever was. */
	readonly trees: Map<string, Map<string, FolderState>>;
	/** Of each snapshot that was restored and compared, the very files that it was restored from. */
	readonly proved: Map<SnapshotName, string>;
	catalog: Buffer | null;
}

function pack({ dir, life, now }: Course, hooks: FileHooks, bundles: object = {}): Promise<unknown> {
	const request = {
		bundles: { ...BUNDLES, ...bundles },
		policy: POLICY,
		now,
		hooks,
		allowMassRemoval: true,
		attachmentMin: ATTACHMENT_MIN,
	};
	return packOnce(dir, life.store.spec, request);
}

async function carryOut(course: Course, step: Step, hooks: FileHooks): Promise<void> {
	const { dir, now } = course;
	const run = { now, dryRun: false, progress: SILENT, signal: never };
	const archive = archiveAt(dir, hooks);
	switch (step.do) {
		case 'prune':
			await prune(archive, { ...run, keep: step.keep });
			break;
		case 'compact':
			await compact(archive, { ...run, below: step.below, budget: step.budget, bundles: BUNDLES }, inThisThread());
			break;
		case 'fold':
			await pack(course, hooks, { foldBelow: step.foldBelow, mostVolatile: step.mostVolatile });
			break;
		case 'reindex':
			await reindex(archive, run);
			break;
		default:
			for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, CATALOG + suffix), { force: true });
			if (step.do === 'put an old catalog back' && course.catalog !== null) writeFileSync(join(dir, CATALOG), course.catalog);
	}
}

/** True where it went through to its end. */
async function takeStep(course: Course, step: Step): Promise<boolean> {
	const { cut } = step;
	let seen = 0;
	const strike = (): void => {
		if (seen++ === cut?.at) throw Object.assign(new Error('EIO: made by the test'), { code: 'EIO' });
	};
	course.now += 2000;
	try {
		await carryOut(course, step, cut === null ? {} : { [cut.when]: strike });
		return true;
	} catch (error) {
		// Nobody keeps nothing.
		if (error instanceof MailsealError && error.code === 'usage' && step.do === 'prune') return false;
		if (!(error instanceof MailsealError) || error.code !== 'io' || cut === null) throw error;
		return false;
	}
}

/** What does not hold of an archive: the tree of a snapshot that is there, or a file that no snapshot needs after a prune. */
async function flawsOf(course: Course): Promise<string[]> {
	const { dir, trees, proved, tree } = course;
	const flaws: string[] = [];
	const names = snapshotNames(dir);
	for (const name of names) {
		if (!trees.has(name)) trees.set(name, tree);
		const files = filesOf(dir, name);
		// The newest is answered by the catalog on disk, each other one by its bundles alone.
		if (name !== names.at(-1) && proved.get(name) === files && process.env.SLOW === undefined) continue;
		flaws.push(...(await flawsOfRestore(course, name)));
		proved.set(name, files);
	}
	return flaws;
}

/** Names, inodes, times and sizes of the bundles that a snapshot names. */
function filesOf(dir: string, name: SnapshotName): string {
	return readSnapshot(dir, name)
		.snapshot.bundles.map(({ kind, id }) => {
			const { ino, size, mtimeNs } = lstatSync(bundlePath(dir, kind, id), { bigint: true });
			return `${id} ${ino} ${size} ${mtimeNs}`;
		})
		.join('\n');
}

async function flawsOfRestore({ dir, place, trees }: Course, at: SnapshotName): Promise<string[]> {
	const to = join(place, 'restored');
	const { findings } = await restoreOnce(dir, to, { at });
	const differences = compareTreeStates(trees.get(at) ?? new Map(), readTreeState(to));
	rmSync(to, { recursive: true, force: true });
	return [...findings.map(({ text }) => text), ...differences].map((flaw) => `restore ${at}: ${flaw}`);
}

/** Bundles on disk that no snapshot names. */
function unnamedBundles(dir: string): string[] {
	const named = new Set(snapshotNames(dir).flatMap((name) => readSnapshot(dir, name).snapshot.bundles.map(({ id }) => `${id}.zip`)));
	return (['sealed', 'volatile'] as const).flatMap((kind) => bundleNames(dir, kind)).filter((name) => !named.has(name.slice(3)));
}

async function liveThrough(nights: readonly Night[], place: string): Promise<void> {
	const dir = join(place, 'archive');
	const life = openRandomLife(join(place, 'store'), { dice: openDice(7), note: () => {} });
	const course: Course = { dir, place, life, now: DAY_ZERO, tree: new Map(), trees: new Map(), proved: new Map(), catalog: null };
	for (const [night, { days, onArrival, steps }] of nights.entries()) {
		course.now += days * DAY;
		life.liveOneDay(course.now);
		course.tree = readTreeState(life.store.root);
		await pack(course, {}, { attachments: onArrival ? 'arrival' : 'quiet' });
		expect(await flawsOf(course), `night ${night}`).toEqual([]);
		for (const [index, step] of steps.entries()) {
			const isDone = await takeStep(course, step);
			const place = `night ${night}, step ${index}: ${JSON.stringify(step)}`;
			expect(await flawsOf(course), place).toEqual([]);
			if (isDone && step.do === 'prune') expect(unnamedBundles(dir), place).toEqual([]);
		}
		const { findings } = await verifyOnce(dir);
		expect(findings.filter(({ severity }) => severity !== 'note')).toEqual([]);
		course.catalog = readFileSync(join(dir, CATALOG));
	}
}

test('sixty nights of prunes, compactions, folds, crashes and lost catalogs: each snapshot that is left restores to exactly the tree of its night', {
	timeout: 3_600_000,
}, async () => {
	let most = 0;
	await fc.assert(
		fc.asyncProperty(anyNights, async (nights) => {
			const place = fastFolder();
			try {
				await liveThrough(nights, place);
				most = Math.max(
					most,
					nights.reduce((total, { steps }) => total + steps.length, 0),
				);
			} finally {
				rmSync(place, { recursive: true, force: true });
			}
		}),
		{ ...propertyRuns(1), numRuns: process.env.SLOW ? 20 : 1, endOnFailure: process.env.NO_SHRINK !== undefined },
	);
	expect(most).toBeGreaterThanOrEqual(500);
});
