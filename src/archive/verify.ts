import type { BundleId, BundleRef, Finding } from '../domain/index.ts';
import { monotonic, sizeOf } from '../platform/index.ts';
import { throwIfAborted } from './abort.ts';
import { SNAPSHOT_MISSING } from './chain.ts';
import { catalogFindings } from './check-catalog.ts';
import { type Material, recipeFindings } from './check-recipes.ts';
import { checkSnapshots } from './check-snapshots.ts';
import { isItsTurn } from './its-turn.ts';
import { bundlePath } from './layout.ts';
import type { Archive } from './open-archive.ts';
import { chainHere, openPrunedHere } from './pruned-here.ts';
import type { VerifyRequest } from './requests.ts';
import type { Outcome, VerifyResult } from './results.ts';
import type { Workers } from './workers.ts';

/** Looks at the archive and says what is wrong with it; changes nothing. */
export async function verify(archive: Archive, request: VerifyRequest, workers: Workers): Promise<Outcome<VerifyResult>> {
	const started = monotonic();
	const { dir } = archive;
	const findings: Finding[] = [];
	const damaged = new Set<string>();
	const missing = new Set<string>();
	const { isNamed } = openPrunedHere(dir, chainHere(dir));
	const snapshots = checkSnapshots(dir, { findings, damaged, missing });
	const bundles = new Map<BundleId, BundleRef>();
	for (const { snapshot } of snapshots) for (const ref of snapshot.bundles) bundles.set(ref.id, ref);

	let messages = 0;
	let bytes = 0;
	const offsite = new Set<BundleId>();
	function report(ref: BundleRef, code: string, text: string): void {
		if (!isNamed(ref.id)) return;
		const gone = code === 'bundle-missing';
		(gone ? missing : damaged).add(ref.id);
		findings.push({
			code: gone ? code : 'bundle-damaged',
			severity: 'error',
			subject: ref.id,
			text: gone ? `The ${ref.kind} bundle ${ref.id} is missing` : `The ${ref.kind} bundle ${ref.id} is damaged: ${text} (${code})`,
			hint: 'put the bundle back with "mailseal repair --from TARGET"',
		});
	}

	const turn = [...bundles.values()].filter(
		(ref) => request.mode !== 'sample' || isItsTurn(ref.id, { days: request.sample ?? 30, now: request.now }),
	);
	request.progress.step('verify', turn.length);
	const running = new Set<Promise<void>>();
	const material = new Map<BundleId, Material>();
	for (const ref of turn) {
		throwIfAborted(request.signal);
		const path = bundlePath(dir, ref.kind, ref.id);
		const size = sizeOf(path);
		if (size === null && archive.offsite.has(ref.id)) {
			offsite.add(ref.id);
			request.progress.advance(1);
			continue;
		}
		if (size === null) report(ref, 'bundle-missing', '');
		else if (size !== ref.size) report(ref, 'size', `it has ${size} bytes (${ref.size} are right)`);
		if (request.mode === 'quick' || size === null) {
			bytes += size ?? 0;
			request.progress.advance(1);
			continue;
		}
		const known = damaged.has(ref.id);
		const check = workers.run({ type: 'check', path, id: ref.id, depth: request.mode === 'deep' ? 'messages' : 'hash' }).then((result) => {
			bytes += result.bytes;
			material.set(ref.id, { ref, material: result.material });
			messages += result.messages;
			// A wrong size says all that a wrong hash could add.
			for (const damage of result.damages) if (!known || damage.code !== 'hash-mismatch') report(ref, damage.code, damage.text);
			request.progress.advance(1);
		});
		running.add(check);
		check.then(
			() => running.delete(check),
			() => running.delete(check),
		);
		if (running.size >= workers.width) await Promise.race(running);
	}
	await Promise.all(running);
	const isWhole = damaged.size === 0 && missing.size === 0;
	if (request.mode === 'deep') {
		const whole = turn.flatMap(({ id }) => material.get(id) ?? []);
		findings.push(...(await recipeFindings(whole, { dir, workers, signal: request.signal, lacksSome: offsite.size > 0 || isWhole })));
	}
	for (const finding of await catalogFindings(archive, isWhole ? (snapshots.at(-1) ?? null) : null, request)) {
		if (finding.code === SNAPSHOT_MISSING) missing.add(finding.subject);
		// With bundles missing, that the catalog is damaged too is the least of it.
		if (isWhole || finding.code === SNAPSHOT_MISSING) findings.push(finding);
	}
	return {
		findings,
		result: {
			mode: request.mode,
			snapshots: snapshots.length,
			bundles: turn.length - offsite.size,
			offsite: offsite.size,
			messages,
			bytes,
			damaged: [...damaged].sort(),
			missing: [...missing].sort(),
			seconds: (monotonic() - started) / 1000,
		},
	};
}
