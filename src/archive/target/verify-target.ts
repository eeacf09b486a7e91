import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleId, BundleRef, Finding, SnapshotName } from '../../domain/index.ts';
import { monotonic } from '../../platform/index.ts';
import { checkSnapshots, PRUNE_UNFINISHED } from '../check-snapshots.ts';
import { currentCatalog } from '../current-catalog.ts';
import { openItemFetcher } from '../fetch-items.ts';
import { isItsTurn } from '../its-turn.ts';
import { CACHE_FOLDER } from '../layout.ts';
import { locate } from '../locate.ts';
import type { Archive } from '../open-archive.ts';
import { eachParallel } from '../parallel.ts';
import type { VerifyRequest } from '../requests.ts';
import type { Outcome, VerifyResult } from '../results.ts';
import type { Workers } from '../workers.ts';
import { standingOf } from './compare.ts';
import { downloadBundle } from './download.ts';
import { type BundleCopy, listBundles } from './listing.ts';
import type { Target } from './open-target.ts';
import { isPoorCopy } from './sealing.ts';
import { verifySnapshotCopies } from './verify-snapshot-copies.ts';

export interface VerifyTargetRequest extends VerifyRequest {
	readonly target: Target;
	/** What opening the archive found. */
	readonly opening: readonly Finding[];
	/** Bundles under way at once. */
	readonly transfers: number;
}

/**
 * Looks at what a target has of an archive, opened by openRemoteArchive() with all its snapshots, and changes nothing. Quick: names and sizes. Full and
 * sample: the target proves each bundle. Deep: each bundle is fetched, decrypted and opened, and every message rebuilt.
 */
export async function verifyTarget(archive: Archive, request: VerifyTargetRequest, workers: Workers): Promise<Outcome<VerifyResult>> {
	const started = monotonic();
	const { target, signal, progress, mode } = request;
	const findings: Finding[] = [...request.opening];
	const damaged = new Set<string>(request.opening.map(({ subject }) => subject));
	const missing = new Set<string>();
	const snapshots = checkSnapshots(archive.dir, { findings, damaged, missing });
	tellPruned(findings, target.store.place);
	const refs = new Map<BundleId, BundleRef>();
	for (const { snapshot } of snapshots) for (const ref of snapshot.bundles) refs.set(ref.id, ref);
	await verifySnapshotCopies(archive, { request, names: snapshots.map(({ name }) => name), findings, damaged, missing });
	const listed = await listBundles(target.store, signal);
	const turn = [...refs.values()].filter(({ id }) => mode !== 'sample' || isItsTurn(id, { days: request.sample ?? 30, now: request.now }));
	let bytes = 0;
	let messages = 0;

	function report(ref: BundleRef, state: 'missing' | 'damaged', text: string): void {
		(state === 'missing' ? missing : damaged).add(ref.id);
		findings.push({
			code: `bundle-${state}`,
			severity: 'error',
			subject: ref.id,
			text: `The ${ref.kind} bundle ${ref.id} is ${state} at "${target.store.place}"${text === '' ? '' : `: ${text}`}`,
			hint: 'the next "mailseal sync --check" of the archive ships it again, as long as the archive has it',
		});
	}

	progress.step('verify', turn.length);
	await eachParallel(turn, {
		width: request.transfers,
		signal,
		async work(ref, stop) {
			const problems: string[] = [];
			const copies = listed.get(ref.id) ?? [];
			let isGood = false;
			for (const copy of copies) {
				const found = await lookAt(ref, copy, { archive, request, workers, signal: stop });
				if (typeof found === 'string') problems.push(found);
				else {
					isGood = true;
					bytes += found.bytes;
					messages += found.messages;
					break;
				}
			}
			if (!isGood) report(ref, copies.length === 0 ? 'missing' : 'damaged', problems[0] ?? '');
			progress.advance(1);
		},
	});
	if (mode === 'deep' && damaged.size === 0 && missing.size === 0 && snapshots.length > 0) {
		findings.push(...(await incompleteMessages(archive, { request, workers, newest: snapshots.at(-1)?.name as SnapshotName })));
	}
	return {
		findings,
		result: {
			mode,
			snapshots: snapshots.length,
			bundles: turn.length,
			offsite: 0,
			messages,
			bytes,
			damaged: [...damaged].sort(),
			missing: [...missing].sort(),
			seconds: (monotonic() - started) / 1000,
		},
	};
}

/** What is a prune cut off in an archive is at a target what no sync was told to remove. */
function tellPruned(findings: Finding[], place: string): void {
	const left = findings.filter(({ code }) => code === PRUNE_UNFINISHED);
	const last = left.at(-1);
	if (last === undefined) return;
	const others = findings.filter(({ code }) => code !== PRUNE_UNFINISHED);
	findings.splice(0, findings.length, ...others, {
		...last,
		code: 'pruned-at-target',
		text: `${left.length} snapshots that were pruned still lie at "${place}", the last is ${last.subject}; bundles that only they need were not looked at`,
		hint: '"mailseal sync --prune" of the archive removes them',
	});
}

interface Context {
	readonly archive: Archive;
	readonly request: VerifyTargetRequest;
	readonly workers: Workers;
	readonly signal: AbortSignal;
}

/** What a look at one copy found: what is wrong, or how much was seen. */
async function lookAt(
	ref: BundleRef,
	copy: BundleCopy,
	context: Context,
): Promise<string | { readonly bytes: number; readonly messages: number }> {
	const { archive, request, workers, signal } = context;
	const { target } = request;
	const standing = standingOf(ref, { copies: [copy], known: undefined, encryption: target.encryption });
	if (standing.state === 'absent') return 'it is not stored as this target stores bundles';
	if (standing.state === 'damaged') return standing.text;
	if (request.mode === 'quick') return { bytes: 0, messages: 0 };
	if (request.mode !== 'deep') {
		const proof = await target.store.prove(copy.name, { size: copy.size, sha256: copy.sealedHash ?? ref.id, md5: null }, signal);
		if (proof.state === 'damaged') return proof.text;
		return proof.state === 'missing' ? 'it vanished meanwhile' : { bytes: copy.size, messages: 0 };
	}
	const path = join(archive.dir, CACHE_FOLDER, `whole-${ref.id}`);
	try {
		await downloadBundle(target, { ref, copy, path, signal });
		const { damages, messages } = await workers.run({ type: 'check', path, id: ref.id, depth: 'messages' });
		const [first] = damages;
		return first === undefined ? { bytes: copy.size, messages } : `${first.text} (${first.code})`;
	} catch (error) {
		if (isPoorCopy(error)) return error.message;
		throw error;
	} finally {
		rmSync(path, { force: true });
	}
}

/** Messages handed to a thread at once. */
const BATCH = 64;

/** Rebuilds every message of the newest snapshot, each from ranges of its bundles. */
async function incompleteMessages(
	archive: Archive,
	{ request, workers, newest }: { readonly request: VerifyTargetRequest; readonly workers: Workers; readonly newest: SnapshotName },
): Promise<Finding[]> {
	const catalog = await currentCatalog(archive, request);
	try {
		const fetcher = openItemFetcher(archive, { catalog, signal: request.signal });
		const ids = catalog.read.placedMessages();
		request.progress.step('rebuild', ids.length);
		const problems: string[] = [];
		for (let start = 0; start < ids.length; start += BATCH) {
			const messages = ids.slice(start, start + BATCH).map((id) => locate(catalog, id));
			const fetched = await fetcher.fetch(messages);
			try {
				const { problems: found } = await workers.run({ type: 'prove', dir: archive.dir, messages });
				problems.push(...found.filter((problem) => problem !== null));
			} finally {
				fetched.release();
			}
			request.progress.advance(messages.length);
		}
		const [first] = problems;
		if (first === undefined) return [];
		return [
			{
				code: 'messages-incomplete',
				severity: 'error',
				subject: newest,
				text: `${problems.length} messages of snapshot ${newest} cannot be rebuilt from what is at "${request.target.store.place}"; the first: ${first}`,
				hint: 'an older snapshot, or the archive itself, may have them',
			},
		];
	} finally {
		catalog.close();
	}
}
