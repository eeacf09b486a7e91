import type { Catalog } from '../catalog/index.ts';
import { dueAt } from '../classifier/index.ts';
import type { PlacedWord, Policy, Tenant, Word } from '../domain/index.ts';
import type { Incoming } from './arrive.ts';
import type { BundleSettings } from './requests.ts';
import type { NewPlacement, Scan, ScannedAccount, ScannedFolder } from './scan.ts';

/** Quiet mail of one tenant: placements that wait in volatile bundles, and new ones still in their store. */
export interface QuietMail {
	readonly tenant: Tenant;
	readonly waiting: readonly PlacedWord[];
	/** In the order of byPlace. Made anew by each iteration, since all of it may not fit into memory. */
	readonly incoming: Iterable<Incoming>;
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

interface FolderPlace {
	readonly account: ScannedAccount;
	readonly folder: ScannedFolder;
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
	const due = new Map<Tenant, { places: FolderPlace[]; bytes: number; oldestDue: number }>();
	let bytes = 0;
	/** When new mail is due; null for what is not sealed tonight. */
	function dueTonight({ folder }: ScannedFolder, { listed, date, known }: NewPlacement): number | null {
		const when = dueAt({ folder, flags: listed.flags, date }, policy);
		return when === null || when > now || known !== null ? null : when;
	}

	function* quietOf(places: readonly FolderPlace[]): Generator<Incoming> {
		for (const { account, folder } of places) {
			const incoming: Incoming[] = [];
			for (const placement of folder.added) if (dueTonight(folder, placement) !== null) incoming.push({ account, folder, placement });
			yield* incoming.sort(byPlace);
		}
	}

	for (const account of seen.accounts) {
		for (const folder of account.folders) {
			const place = { account, folder };
			for (const placement of folder.added) {
				bytes += placement.size;
				const when = dueTonight(folder, placement);
				if (when === null) {
					volatile.push({ account, folder, placement });
					continue;
				}
				// Old mail that comes into a known account one by one waits like any other, or it would get bundles of its own.
				const since = account.isNew ? when : now;
				const group = due.get(account.tenant) ?? { places: [], bytes: 0, oldestDue: since };
				if (group.places.at(-1)?.folder !== folder) group.places.push(place);
				group.bytes += placement.size;
				group.oldestDue = Math.min(group.oldestDue, since);
				due.set(account.tenant, group);
			}
		}
	}
	for (const { tenant, bytes: waiting, oldestDue } of catalog.pack.waiting(now)) {
		const group = due.get(tenant) ?? { places: [], bytes: 0, oldestDue };
		due.set(tenant, { ...group, bytes: group.bytes + waiting, oldestDue: Math.min(group.oldestDue, oldestDue) });
	}
	const changed = changedPlacements(seen);
	const quiet: QuietMail[] = [];
	for (const [tenant, group] of [...due].sort(([a], [b]) => (a < b ? -1 : 1))) {
		const lingered = group.oldestDue + bundles.linger <= now;
		if (lingered || group.bytes >= bundles.target) {
			// What changed tonight is news for the volatile bundle, and quiet no more.
			const waiting = catalog.pack.due(tenant, now).filter((word) => !changed.has(nameOf(word)));
			quiet.push({ tenant, waiting, incoming: { [Symbol.iterator]: () => quietOf(group.places) }, lingered });
		} else for (const one of quietOf(group.places)) volatile.push(one);
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
