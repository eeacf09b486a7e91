import type { Finding } from '../domain/index.ts';
import { readChain, SNAPSHOT_CHAIN, SNAPSHOT_MISSING } from './chain.ts';
import type { ReadSnapshot } from './snapshots.ts';

/** Code of a note about a snapshot that was pruned and is still there. */
export const PRUNE_UNFINISHED = 'prune-unfinished';

/** Reads every snapshot and holds it against what the newest says of it; gives those that can be read and were not pruned, oldest first. */
export function checkSnapshots(
	dir: string,
	report: { findings: Finding[]; damaged: Set<string>; missing: Set<string> },
): readonly ReadSnapshot[] {
	const { snapshots, unreadable, leftovers, faults } = readChain(dir);
	for (const [name, error] of unreadable) {
		report.damaged.add(name);
		report.findings.push({
			code: 'snapshot-damaged',
			severity: 'error',
			subject: name,
			text: error.message,
			hint: error.hint ?? 'put the file back from a copy of the archive',
		});
	}
	for (const fault of faults) {
		if (fault.code === SNAPSHOT_MISSING) report.missing.add(fault.subject);
		else if (fault.code === SNAPSHOT_CHAIN || fault.code === 'snapshot-unknown') report.damaged.add(fault.subject);
		report.findings.push(fault);
	}
	for (const name of leftovers) {
		report.findings.push({
			code: PRUNE_UNFINISHED,
			severity: 'note',
			subject: name,
			text: `Snapshot ${name} was pruned and is still there`,
			hint: 'the next pack or prune removes it',
		});
	}
	return snapshots;
}
