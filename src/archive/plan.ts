import { classify } from '../classifier/index.ts';
import { type Finding, formatInstant, MailsealError, type PlacementFacts, type Policy, type Reason } from '../domain/index.ts';
import { throwIfAborted } from './abort.ts';
import type { PlanRequest } from './requests.ts';
import type { Outcome, PlanResult, PlanRow } from './results.ts';

const DAY = 24 * 3600 * 1000;

/** The quiet periods that a plan compares. Days. */
const PERIODS = [7, 14, 30, 60, 90];

interface Seen {
	readonly facts: PlacementFacts;
	readonly size: number;
}

/** What a first pack of these sources would seal, and why: reads names, sizes and dates, never a message. */
export async function plan(request: PlanRequest): Promise<Outcome<PlanResult>> {
	const findings: Finding[] = [];
	const seen: Seen[] = [];
	let accounts = 0;
	let folders = 0;
	request.progress.step('look');
	for (const source of request.sources) {
		const list = await source.accounts(request.signal);
		findings.push(...list.findings);
		for (const root of list.accounts) {
			accounts++;
			const look = await source.look(root);
			findings.push(...look.findings);
			for (const folderLook of look.folders) {
				throwIfAborted(request.signal);
				try {
					const listing = await source.listFolder(root, folderLook);
					findings.push(...listing.findings);
					folders++;
					for (const { path, flags } of listing.placements.values()) {
						const measured = source.measure(path);
						if (measured !== null) seen.push({ facts: { folder: folderLook.folder, flags, date: measured.date }, size: measured.size });
					}
				} catch (error) {
					if (!(error instanceof MailsealError) || error.code === 'usage') throw error;
					const subject = `${root.account}/${folderLook.folder}`;
					findings.push({
						code: 'folder-unreadable',
						severity: 'error',
						subject,
						text: error.message,
						...(error.hint === undefined ? {} : { hint: error.hint }),
					});
				}
				request.progress.advance(1);
			}
		}
	}
	const { policy, now } = request;
	const result: PlanResult = {
		now: formatInstant(now),
		accounts,
		folders,
		messages: seen.length,
		bytes: seen.reduce((total, one) => total + one.size, 0),
		rows: PERIODS.map((days) => planRow(seen, { ...policy, quietPeriod: days * DAY }, now)),
		reasons: reasons(seen, policy, now),
		policy: { quietPeriod: policy.quietPeriod, unreadPeriod: policy.unreadPeriod, never: policy.never },
	};
	return { result, findings };
}

function planRow(seen: readonly Seen[], policy: Policy, now: number): PlanRow {
	const row = { quietPeriod: policy.quietPeriod, sealedMessages: 0, sealedBytes: 0, volatileMessages: 0, volatileBytes: 0 };
	for (const { facts, size } of seen) {
		if (classify(facts, policy, now).seal) {
			row.sealedMessages++;
			row.sealedBytes += size;
		} else {
			row.volatileMessages++;
			row.volatileBytes += size;
		}
	}
	return row;
}

function reasons(seen: readonly Seen[], policy: Policy, now: number): PlanResult['reasons'] {
	const groups = new Map<Reason, { reason: Reason; seal: boolean; messages: number; bytes: number }>();
	for (const { facts, size } of seen) {
		const { reason, seal } = classify(facts, policy, now);
		const group = groups.get(reason) ?? { reason, seal, messages: 0, bytes: 0 };
		group.messages++;
		group.bytes += size;
		groups.set(reason, group);
	}
	return [...groups.values()].sort((a, b) => b.messages - a.messages);
}
