import { readFileSync } from 'node:fs';
import type { Finding, SnapshotName } from '../../domain/index.ts';
import { sha256 } from '../hash.ts';
import { isItsTurn } from '../its-turn.ts';
import { snapshotPath } from '../layout.ts';
import type { Archive } from '../open-archive.ts';
import { eachParallel } from '../parallel.ts';
import { isDamage } from '../read-stored.ts';
import { isStoredAs, sizeProblem } from './compare.ts';
import { listSnapshotCopies, type SnapshotCopy } from './listing.ts';
import { readSnapshotBlob } from './remote-archive.ts';
import type { VerifyTargetRequest } from './verify-target.ts';

/** A snapshot that was read once is kept here: what lies at the target is looked at all the same. */
export async function verifySnapshotCopies(
	archive: Archive,
	given: {
		readonly request: VerifyTargetRequest;
		readonly names: readonly SnapshotName[];
		readonly findings: Finding[];
		readonly damaged: Set<string>;
		readonly missing: Set<string>;
	},
): Promise<void> {
	const { request, findings, damaged, missing } = given;
	const { target, mode, transfers, signal } = request;
	const { snapshots, heads } = await listSnapshotCopies(target.store, { archive: archive.id, signal });
	const listed = snapshots.get(archive.id) ?? new Map<SnapshotName, readonly SnapshotCopy[]>();
	const isTurn = (name: SnapshotName): boolean =>
		mode !== 'sample' || name === given.names.at(-1) || isItsTurn(name.slice(-8), { days: request.sample ?? 30, now: request.now });
	if (!heads.has(archive.id)) {
		missing.add(archive.id);
		findings.push(
			snapshotFinding('archive-head-missing', archive.id, `The head of archive ${archive.id} is missing at "${target.store.place}"`),
		);
	}
	await eachParallel(given.names.filter(isTurn), {
		width: transfers,
		signal,
		async work(name, stop) {
			const bytes = readFileSync(snapshotPath(archive.dir, name));
			const copies = listed.get(name) ?? [];
			const problems: string[] = [];
			for (const copy of copies) {
				const problem = await snapshotProblem(copy, { bytes, name, request, signal: stop });
				if (problem === null) return;
				problems.push(problem);
			}
			const state = copies.length === 0 ? 'missing' : 'damaged';
			(copies.length === 0 ? missing : damaged).add(name);
			const why = copies.length === 0 ? '' : `: ${problems[0]}`;
			findings.push(snapshotFinding(`snapshot-${state}`, name, `Snapshot ${name} is ${state} at "${target.store.place}"${why}`));
		},
	});
}

function snapshotFinding(code: string, subject: string, text: string): Finding {
	return {
		code,
		severity: 'error',
		subject,
		text,
		hint: 'the next "mailseal sync --check" of the archive ships it again, as long as the archive has it',
	};
}

/** What a look at one copy of a snapshot found; null for nothing. */
async function snapshotProblem(
	copy: SnapshotCopy,
	{ bytes, name, request, signal }: { bytes: Uint8Array; name: SnapshotName; request: VerifyTargetRequest; signal: AbortSignal },
): Promise<string | null> {
	const { target, mode } = request;
	if (!isStoredAs(copy, target.encryption)) return 'it is not stored as this target stores snapshots';
	const problem = sizeProblem(copy, bytes.length);
	if (problem !== null || mode === 'quick') return problem;
	if (mode === 'deep') {
		try {
			const found = await readSnapshotBlob(target, { name, copies: [copy], signal });
			return Buffer.compare(found, bytes) === 0 ? null : 'it is another than the one that was read before';
		} catch (error) {
			if (!isDamage(error)) throw error;
			return error.message;
		}
	}
	const proof = await target.store.prove(copy.name, { size: copy.size, sha256: copy.sealedHash ?? sha256(bytes), md5: null }, signal);
	if (proof.state === 'damaged') return proof.text;
	return proof.state === 'missing' ? 'it vanished meanwhile' : null;
}
