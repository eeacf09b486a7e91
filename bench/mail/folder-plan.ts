import { toEighth } from './maildir.ts';
import type { Prng } from './prng.ts';

const DAY = 86_400_000;

/** One folder of an account, before anything of it is written. */
export interface FolderPlan {
	readonly name: string;
	readonly messages: number;
	/** Written by the owner. */
	readonly own: boolean;
	/** Moved here some time after delivery, so that the name is younger than the message. */
	readonly moved: boolean;
	readonly kind: 'inbox' | 'sent' | 'drafts' | 'trash' | 'junk' | 'archive' | 'other';
	/** Age in days of a message, from a number in [0, 1). */
	readonly age: (at: number) => number;
}

/** Keywords that mail programs set. */
export const KEYWORDS: readonly string[] = ['$Forwarded', '$label1', 'NonJunk', '$MDNSent', 'Wichtig', 'todo'];

/** The folders of an account whose messages sum to `messages`. */
export function planFolders(options: { readonly prng: Prng; readonly messages: number; readonly now: number }): FolderPlan[] {
	const { prng, messages, now } = options;
	// Mail grows from year to year, so that half of it is of the last one.
	const recentFirst = (at: number) => 1825 * at ** 2.4;
	const plain = { own: false, moved: false, age: recentFirst };
	const sorts: (Omit<FolderPlan, 'messages'> & { readonly share: number })[] = [
		{ ...plain, name: 'Sent', share: 0.18, kind: 'sent', own: true },
		{ ...plain, name: 'Drafts', share: 0.006, kind: 'drafts', own: true, age: (at) => 120 * at },
		{ ...plain, name: 'Trash', share: 0.04, kind: 'trash', moved: true, age: (at) => 30 * at },
		{ ...plain, name: 'Junk', share: 0.05, kind: 'junk', age: (at) => 45 * at },
		{ ...plain, name: 'Projects/Alpha', share: 0.06, kind: 'other', moved: true },
		{ ...plain, name: 'Projects/Beta', share: 0.03, kind: 'other', moved: true },
		{ ...plain, name: 'Entwürfe & Ideen', share: 0.03, kind: 'other', moved: true },
	];
	const thisYear = new Date(now).getUTCFullYear();
	for (let year = thisYear - 4; year < thisYear; year++) {
		const youngest = (now - Date.UTC(year + 1, 0, 1)) / DAY;
		sorts.push({ ...plain, name: `Archive/${year}`, share: 0.06, kind: 'archive', moved: true, age: (at) => youngest + 365 * at });
	}
	let left = messages;
	const plans = sorts.map(({ share, ...sort }): FolderPlan => {
		const wanted = messages * share;
		const count = Math.min(left, Math.floor(wanted) + (prng.chance(wanted - Math.floor(wanted)) ? 1 : 0));
		left -= count;
		return { ...sort, messages: count };
	});
	return [{ ...plain, name: 'INBOX', kind: 'inbox', messages: left }, ...plans];
}

/** Internal date of each message and the instant in its name, milliseconds since 1970, in the order of the names. */
export function instantsOf(
	plan: FolderPlan,
	options: { readonly prng: Prng; readonly now: number },
): { readonly date: number; readonly named: number }[] {
	const { prng, now } = options;
	const instants = Array.from({ length: plan.messages }, () => {
		const age = plan.age(prng.float()) * DAY;
		const date = toEighth(now - age - 1000);
		return { date, named: plan.moved ? toEighth(date + age * prng.float()) : date };
	});
	return instants.sort((left, right) => left.named - right.named || left.date - right.date);
}

/** Keyword names of a folder, in the order of their letters. */
export function keywordTable(prng: Prng): string[] {
	const start = prng.int(KEYWORDS.length);
	return Array.from({ length: 1 + prng.int(4) }, (_, n) => KEYWORDS[(start + n) % KEYWORDS.length] ?? '');
}

/** Flags by folder and age (milliseconds), in the order of ASCII, which is how Dovecot writes them. */
export function flagsOf(
	plan: FolderPlan,
	options: { readonly prng: Prng; readonly age: number; readonly keywords: number },
): { readonly dir: 'cur' | 'new'; readonly letters: string } {
	const { prng, age, keywords } = options;
	if (plan.own) return { dir: 'cur', letters: plan.kind === 'drafts' ? 'DS' : 'S' };
	const days = age / DAY;
	const unread = plan.kind === 'junk' ? 0.8 : days < 2 ? 0.5 : days < 30 ? 0.1 : 0.025;
	if (prng.chance(unread)) return { dir: days < 3 && prng.chance(0.5) ? 'new' : 'cur', letters: '' };
	let letters = '';
	if (prng.chance(0.04)) letters += 'F';
	if (prng.chance(0.03)) letters += 'P';
	if (prng.chance(0.15)) letters += 'R';
	letters += 'S';
	if (plan.kind === 'trash' && prng.chance(0.1)) letters += 'T';
	if (keywords > 0 && prng.chance(0.05)) letters += String.fromCharCode(97 + prng.int(keywords));
	return { dir: 'cur', letters };
}
