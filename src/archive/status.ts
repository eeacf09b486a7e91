import type { BundleRef } from '../domain/index.ts';
import { confirmBundles } from './confirm.ts';
import { currentCatalog } from './current-catalog.ts';
import type { Archive } from './open-archive.ts';
import type { Outcome, StatusResult } from './results.ts';
import { snapshotNames } from './snapshots.ts';

const DAY = 24 * 3600 * 1000;

/** The archive at a glance. */
export async function status(archive: Archive, now: number): Promise<Outcome<StatusResult>> {
	const catalog = await currentCatalog(archive);
	try {
		const state = catalog.state();
		const bundles = catalog.bundles();
		const { findings } = confirmBundles(archive, catalog);
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
				next: nextSteps(state === null ? null : Date.parse(state.time), { now, isWhole: findings.length === 0 }),
			},
		};
	} finally {
		catalog.close();
	}
}

function summary(bundles: readonly BundleRef[], kind: BundleRef['kind']): { bundles: number; bytes: number } {
	const chosen = bundles.filter((ref) => ref.kind === kind);
	return { bundles: chosen.length, bytes: chosen.reduce((total, ref) => total + ref.size, 0) };
}

function nextSteps(last: number | null, { now, isWhole }: { readonly now: number; readonly isWhole: boolean }): string[] {
	if (last === null) return ['mailseal pack SOURCE'];
	if (now - last > 2 * DAY) return [`The last pack was ${Math.floor((now - last) / DAY)} days ago: run "mailseal pack" every night`];
	return isWhole ? [] : ['mailseal verify'];
}
