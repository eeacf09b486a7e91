import type { Catalog } from '../catalog/index.ts';
import { dueAt } from '../classifier/index.ts';
import type { PlacedWord, Policy, Tenant, Word } from '../domain/index.ts';
import type { Incoming } from './arrive.ts';
import type { BundleSettings } from './requests.ts';
import type { Scan } from './scan.ts';

/** Quiet mail of one tenant: placements that wait in volatile bundles, and new ones still in their store. */
export interface QuietMail {
	readonly tenant: Tenant;
	readonly waiting: readonly PlacedWord[];
	readonly incoming: readonly Incoming[];
	/** True where some of it has waited long enough: then all of it is sealed, however little it is. */
	readonly lingered: boolean;
}

export interface Division {
	/** Tenants whose quiet mail is sealed tonight, in order of name. */
	readonly quiet: readonly QuietMail[];
	/** New placements for tonight's volatile bundle. */
	readonly volatile: Incoming[];
	/** Stored bytes of all new placements. */
	readonly bytes: number;
}

/** Divides new and waiting mail into what is sealed tonight and what stays volatile. */
export function divide(
	seen: Scan,
	{
		catalog,
		policy,
		bundles,
		now,
	}: { readonly catalog: Catalog; readonly policy: Policy; readonly bundles: BundleSettings; readonly now: number },
): Division {
	const volatile: Incoming[] = [];
	const due = new Map<Tenant, { incoming: Incoming[]; bytes: number; oldestDue: number }>();
	let bytes = 0;
	for (const account of seen.accounts) {
		for (const folder of account.folders) {
			for (const placement of folder.added) {
				const incoming = { account, folder, placement };
				bytes += placement.size;
				const when = dueAt({ folder: folder.folder, flags: placement.listed.flags, date: placement.date }, policy);
				if (when === null || when > now || placement.known !== null) {
					volatile.push(incoming);
					continue;
				}
				// Old mail that comes into a known account one by one waits like any other, or it would get bundles of its own.
				const since = account.isNew ? when : now;
				const group = due.get(account.tenant) ?? { incoming: [], bytes: 0, oldestDue: since };
				group.incoming.push(incoming);
				group.bytes += placement.size;
				group.oldestDue = Math.min(group.oldestDue, since);
				due.set(account.tenant, group);
			}
		}
	}
	for (const { tenant, bytes: waiting, oldestDue } of catalog.pack.waiting(now)) {
		const group = due.get(tenant) ?? { incoming: [], bytes: 0, oldestDue };
		due.set(tenant, { ...group, bytes: group.bytes + waiting, oldestDue: Math.min(group.oldestDue, oldestDue) });
	}
	const changed = changedPlacements(seen);
	const quiet: QuietMail[] = [];
	for (const [tenant, group] of [...due].sort(([a], [b]) => (a < b ? -1 : 1))) {
		const lingered = group.oldestDue + bundles.linger <= now;
		if (lingered || group.bytes >= bundles.target) {
			// What changed tonight is news for the volatile bundle, and quiet no more.
			const waiting = catalog.pack.due(tenant, now).filter((word) => !changed.has(nameOf(word)));
			quiet.push({ tenant, waiting, incoming: group.incoming, lingered });
		} else for (const one of group.incoming) volatile.push(one);
	}
	return { quiet, volatile, bytes };
}

function nameOf(word: Pick<PlacedWord, 'account' | 'folder' | 'key'>): string {
	return `${word.account}\0${word.folder}\0${word.key}`;
}

function changedPlacements(seen: Scan): Set<string> {
	const names = new Set<string>();
	function note(words: readonly Word[]): void {
		for (const word of words) if (word.type === 'placed' || word.type === 'removed') names.add(nameOf(word));
	}
	for (const account of seen.accounts) note(account.words);
	note(seen.words);
	return names;
}

/** By account, folder, date, key: mail that is read together lies together. */
export function byPlace(a: Incoming, b: Incoming): number {
	if (a.folder.account !== b.folder.account) return a.folder.account < b.folder.account ? -1 : 1;
	if (a.folder.folder !== b.folder.folder) return a.folder.folder < b.folder.folder ? -1 : 1;
	if (a.placement.date !== b.placement.date) return a.placement.date - b.placement.date;
	return a.placement.listed.key < b.placement.listed.key ? -1 : 1;
}
