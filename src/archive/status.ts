import type { BundleRef } from '../domain/index.ts';
import { confirmBundles } from './confirm.ts';
import { currentCatalog } from './current-catalog.ts';
import type { Archive } from './open-archive.ts';
import type { Outcome, StatusResult, TargetStatus } from './results.ts';
import { snapshotNames } from './snapshots.ts';
import { readRecords } from './target/record.ts';

const DAY = 24 * 3600 * 1000;

/** The archive at a glance. */
export async function status(archive: Archive, now: number): Promise<Outcome<StatusResult>> {
	const catalog = await currentCatalog(archive);
	try {
		const state = catalog.state();
		const bundles = catalog.bundles();
		const confirmed = confirmBundles(archive, catalog);
		const findings = [...catalog.lacks(), ...confirmed.findings];
		const targets = targetsOf(archive);
		const { attachments, bytes, sharedBytes } = catalog.attachmentTotals();
		return {
			findings,
			result: {
				archive: archive.dir,
				id: archive.id,
				snapshot: state === null ? null : { name: state.name, time: state.time },
				snapshots: snapshotNames(archive.dir).length,
				accounts: catalog.read.countAccounts(),
				folders: catalog.read.countFolders(),
				...catalog.totals(),
				sealed: summary(bundles, 'sealed'),
				volatile: summary(bundles, 'volatile'),
				sharedBytes: catalog.read.sharedBytes(),
				attachments: { total: attachments, bytes, sharedBytes },
				targets,
				next: nextSteps(state === null ? null : Date.parse(state.time), { now, isWhole: findings.length === 0, targets }),
			},
		};
	} finally {
		catalog.close();
	}
}

function targetsOf({ dir }: Archive): TargetStatus[] {
	const names = snapshotNames(dir);
	return readRecords(dir)
		.map(({ address, synced, dropped }) => ({
			target: address.url,
			synced,
			behind: names.filter((name) => synced === null || name > synced.snapshot).length,
			dropped: { bundles: dropped.size, bytes: [...dropped.values()].reduce((total, size) => total + size, 0) },
		}))
		.sort((a, b) => ((a.synced?.time ?? '') < (b.synced?.time ?? '') ? 1 : -1));
}

function summary(bundles: readonly BundleRef[], kind: BundleRef['kind']): { bundles: number; bytes: number } {
	const chosen = bundles.filter((ref) => ref.kind === kind);
	return { bundles: chosen.length, bytes: chosen.reduce((total, ref) => total + ref.size, 0) };
}

function nextSteps(
	last: number | null,
	{ now, isWhole, targets }: { readonly now: number; readonly isWhole: boolean; readonly targets: readonly TargetStatus[] },
): string[] {
	if (last === null) return ['mailseal pack SOURCE'];
	if (now - last > 2 * DAY) return [`The last pack was ${Math.floor((now - last) / DAY)} days ago: run "mailseal pack" every night`];
	if (!isWhole) return ['mailseal verify'];
	return targets
		.filter(({ synced }) => synced === null || now - Date.parse(synced.time) > 2 * DAY)
		.map(({ target }) => `mailseal sync ${target}`);
}
