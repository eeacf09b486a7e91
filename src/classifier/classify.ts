import type { Decision, PlacementFacts, Policy } from '../domain/index.ts';
import { isNeverFolder } from './never-folder.ts';

/** Decides whether a placement is sealed at `now` (milliseconds since 1970), and if not, from when on it would be. */
export function classify(facts: PlacementFacts, policy: Policy, now: number): Decision {
	if (isNeverFolder(facts.folder, policy.never)) return { seal: false, reason: 'never-folder', dueAt: null };
	if (facts.flags.includes('draft')) return { seal: false, reason: 'draft', dueAt: null };
	if (facts.flags.includes('deleted')) return { seal: false, reason: 'deleted-marked', dueAt: null };

	const unread = !facts.flags.includes('seen');
	const changed = facts.since !== undefined && facts.since > facts.date;
	const quietSince = changed ? facts.since : facts.date;
	const dueAt = quietSince + (unread ? policy.unreadPeriod : policy.quietPeriod);
	// Also where the period is zero: a date that the clock has not reached yet is no proof of age.
	if (facts.date > now) return { seal: false, reason: 'date-in-future', dueAt };
	if (now >= dueAt) return { seal: true, reason: 'quiet', dueAt };
	if (unread) return { seal: false, reason: 'unread', dueAt };
	return { seal: false, reason: changed ? 'recently-changed' : 'recent', dueAt };
}
