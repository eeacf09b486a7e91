import type { PlacedWord, PlacementFacts, Policy } from '../domain/index.ts';
import { classify } from './classify.ts';

const END_OF_TIME = Number.MAX_SAFE_INTEGER;

/** When a placement is due for sealing (milliseconds since 1970), or null where nothing but a change can make it due. */
export function dueAt(facts: PlacementFacts, policy: Policy): number | null {
	return classify(facts, policy, END_OF_TIME).dueAt;
}

/** The same for a placed word. */
export function dueOf(word: PlacedWord, policy: Policy): number | null {
	const { folder, flags, since } = word;
	return dueAt({ folder, flags, date: Date.parse(word.date), ...(since === undefined ? {} : { since: Date.parse(since) }) }, policy);
}
