import { join } from 'node:path';
import { type BundleId, type BundleRef, type Finding, MailsealError } from '../../domain/index.ts';
import { type Files, listNames, monotonic, sizeOf } from '../../platform/index.ts';
import { bundleFolder, bundlePath, HEAD_FILE } from '../layout.ts';
import type { Archive } from '../open-archive.ts';
import { eachParallel } from '../parallel.ts';
import { README_TEXT, RECOVER_SCRIPT } from '../readme.ts';
import type { Run } from '../requests.ts';
import type { Outcome } from '../results.ts';
import type { Workers } from '../workers.ts';
import { provedPieces } from './download.ts';
import { type BundleCopy, listBundles, listSnapshotCopies } from './listing.ts';
import type { Target } from './open-target.ts';
import { archiveIdOf, chooseArchive, readHeadBlob } from './remote-archive.ts';
import { notThere, repairSnapshots } from './repair-snapshots.ts';
import { isPoorCopy, needIdentities, readBlob } from './sealing.ts';

export interface RepairRequest extends Run {
	readonly target: Target;
	/** Looks at names and sizes only, to find what is damaged here. */
	readonly quick: boolean;
	readonly dryRun: boolean;
	/** Bundles under way at once. */
	readonly transfers: number;
}

export interface RepairResult {
	readonly target: string;
	/** Bundles that were looked at here. */
	readonly checked: number;
	/** What was damaged or missing here: ids of bundles and names of snapshots. */
	readonly damaged: readonly string[];
	readonly missing: readonly string[];
	/** Bundles and snapshots that are whole again, or in a dry run, that the target has. */
	readonly repaired: number;
	readonly repairedBytes: number;
	readonly seconds: number;
	readonly dryRun: boolean;
}

/** What a repair found and did so far. */
export interface Tally {
	readonly damaged: Set<string>;
	readonly missing: Set<string>;
	readonly findings: Finding[];
	repaired: number;
	repairedBytes: number;
}

/** Fetches what is damaged or missing here from a target. What lies at a target only, on purpose, stays there, and what was pruned. */
export async function repair(archive: Archive, request: RepairRequest, workers: Workers): Promise<Outcome<RepairResult>> {
	const started = monotonic();
	const { target, signal, dryRun } = request;
	needIdentities(target);
	const lock = dryRun ? null : archive.lock();
	try {
		const tally: Tally = { damaged: new Set(), missing: new Set(), findings: [], repaired: 0, repairedBytes: 0 };
		const [copies, listed] = await Promise.all([
			listBundles(target.store, signal),
			listSnapshotCopies(target.store, { archive: archive.id, signal }),
		]);
		const refs = await repairSnapshots(archive, { request, tally, there: listed.snapshots.get(archive.id) ?? new Map() });
		const harmed = await findHarmed(archive, { refs, request, tally, workers });
		await repairBundles(archive, { harmed, copies, request, tally });
		const { damaged, missing, findings, repaired, repairedBytes } = tally;
		return {
			findings,
			result: {
				target: target.store.place,
				checked: refs.size,
				damaged: [...damaged].sort(),
				missing: [...missing].sort(),
				repaired,
				repairedBytes,
				seconds: (monotonic() - started) / 1000,
				dryRun,
			},
		};
	} finally {
		lock?.release();
	}
}

/** What may lie in a folder that becomes an archive again: what is left of one. */
const REMAINS =
	/^(README\.txt|recover\.py|bundles|snapshots|targets|cache|\.lock(-journal)?|catalog\.sqlite.*|\.tmp-[0-9a-f]{16}|lost\+found)$/;

/** Makes an archive of what a target has, where there is none: its head and its texts; repair() brings the rest. Throws `usage` for a folder with other files. */
export async function adoptArchive(
	dir: string,
	options: { readonly target: Target; readonly archiveId: string | null; readonly files: Files; readonly signal: AbortSignal },
): Promise<void> {
	const { target, archiveId, files, signal } = options;
	const foreign = listNames(dir).find((name) => !REMAINS.test(name));
	if (foreign !== undefined) {
		throw new MailsealError('usage', `Cannot make an archive in "${dir}": the folder is not empty (it holds "${foreign}")`, {
			hint: 'name an empty or a new folder',
		});
	}
	const listed = await listSnapshotCopies(target.store, { archive: archiveIdOf(archiveId), signal });
	const id = chooseArchive(target, [...listed.snapshots.keys()], archiveId);
	const head = await readHeadBlob(target, id, signal);
	files.makeFolder(dir);
	files.writeFile(join(dir, 'README.txt'), Buffer.from(README_TEXT), { mode: 0o600, replace: true });
	files.writeFile(join(dir, 'recover.py'), Buffer.from(RECOVER_SCRIPT), { mode: 0o700, replace: true });
	files.writeFile(join(dir, HEAD_FILE), head, { mode: 0o600 });
}

async function findHarmed(
	archive: Archive,
	{
		refs,
		request,
		tally,
		workers,
	}: { readonly refs: ReadonlyMap<BundleId, BundleRef>; readonly request: RepairRequest; readonly tally: Tally; readonly workers: Workers },
): Promise<BundleRef[]> {
	const harmed: BundleRef[] = [];
	request.progress.step('check', refs.size);
	await eachParallel(refs.values(), {
		width: workers.width,
		signal: request.signal,
		async work(ref) {
			const path = bundlePath(archive.dir, ref.kind, ref.id);
			const size = sizeOf(path);
			request.progress.advance(1);
			if (size === null) {
				if (archive.offsite.has(ref.id)) return;
				tally.missing.add(ref.id);
			} else {
				if (size === ref.size && (request.quick || (await isWhole(path, ref, workers)))) return;
				tally.damaged.add(ref.id);
			}
			harmed.push(ref);
		},
	});
	return harmed;
}

async function isWhole(path: string, { id }: BundleRef, workers: Workers): Promise<boolean> {
	const { damages } = await workers.run({ type: 'check', path, id, depth: 'hash' });
	return damages.length === 0;
}

async function repairBundles(
	archive: Archive,
	given: {
		readonly harmed: readonly BundleRef[];
		readonly copies: ReadonlyMap<BundleId, readonly BundleCopy[]>;
		readonly request: RepairRequest;
		readonly tally: Tally;
	},
): Promise<void> {
	const { harmed, copies, request, tally } = given;
	const { target, progress } = request;
	progress.step(
		'fetch',
		harmed.reduce((total, { size }) => total + size, 0),
	);
	await eachParallel(harmed, {
		width: request.transfers,
		signal: request.signal,
		async work(ref, signal) {
			const found = copies.get(ref.id) ?? [];
			if (found.length === 0) tally.findings.push(notThere(ref.id, `The ${ref.kind} bundle ${ref.id}`, target));
			else if (request.dryRun || (await fetchBundle(archive, { ref, copies: found, target, signal, tally }))) {
				tally.repaired++;
				tally.repairedBytes += ref.size;
			}
			progress.advance(ref.size);
		},
	});
}

/** False, with a finding, where no copy is whole. */
async function fetchBundle(
	archive: Archive,
	options: {
		readonly ref: BundleRef;
		readonly copies: readonly BundleCopy[];
		readonly target: Target;
		readonly signal: AbortSignal;
		readonly tally: Tally;
	},
): Promise<boolean> {
	const { ref, copies, target, signal, tally } = options;
	const folder = bundleFolder(archive.dir, ref.kind);
	archive.files.makeFolder(folder);
	let problem = '';
	for (const copy of copies) {
		const file = archive.files.create(folder);
		try {
			await provedPieces(readBlob(target, { name: copy.name, signal }), ref, async (pieces) => {
				for await (const piece of pieces) file.write(piece);
			});
			file.commit(bundlePath(archive.dir, ref.kind, ref.id), { mode: 0o400, replace: true });
			return true;
		} catch (error) {
			if (!isPoorCopy(error)) throw error;
			problem = error.message;
		} finally {
			file.discard();
		}
	}
	tally.findings.push({
		code: 'target-bundle-damaged',
		severity: 'error',
		subject: ref.id,
		text: `The ${ref.kind} bundle ${ref.id} stays damaged here: its copy at "${target.store.place}" is damaged too: ${problem}`,
		hint: 'try another target',
	});
	return false;
}
