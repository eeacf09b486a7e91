import { type Finding, MailsealError, type SnapshotName } from '../domain/index.ts';
import { SNAPSHOT_MISSING } from './check-catalog.ts';
import { type ReadSnapshot, readSnapshot, snapshotNames } from './snapshots.ts';

/** Reads every snapshot and follows the chain of parents; gives those that can be read, oldest first. */
export function checkSnapshots(dir: string, report: { findings: Finding[]; damaged: Set<string>; missing: Set<string> }): ReadSnapshot[] {
	const read: ReadSnapshot[] = [];
	const hashes = new Map<SnapshotName, string>();
	const unreadable = new Set<SnapshotName>();
	for (const name of snapshotNames(dir)) {
		try {
			const one = readSnapshot(dir, name);
			read.push(one);
			hashes.set(name, one.sha256);
		} catch (error) {
			if (!(error instanceof MailsealError) || error.code === 'format-newer') throw error;
			unreadable.add(name);
			report.damaged.add(name);
			report.findings.push({
				code: 'snapshot-damaged',
				severity: 'error',
				subject: name,
				text: error.message,
				hint: error.hint ?? 'put the file back from a copy of the archive',
			});
		}
	}
	for (const { name, snapshot } of read) {
		const { parent } = snapshot;
		if (parent === null || unreadable.has(parent.name) || hashes.get(parent.name) === parent.sha256) continue;
		const gone = !hashes.has(parent.name);
		(gone ? report.missing : report.damaged).add(parent.name);
		report.findings.push({
			code: gone ? SNAPSHOT_MISSING : 'snapshot-chain',
			severity: 'error',
			subject: parent.name,
			text: gone
				? `Snapshot ${name} follows ${parent.name}, which is missing`
				: `Snapshot ${parent.name} is not the one that ${name} followed`,
			hint: 'put the file back from a copy of the archive',
		});
	}
	return read;
}
