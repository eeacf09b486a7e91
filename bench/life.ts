import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Letter, openComposer } from './mail/compose.ts';
import { changeFolders } from './mail/folder-changes.ts';
import {
	type Account,
	addUid,
	closeAccount,
	insertSorted,
	keywordsOf,
	lettersOf,
	type Mailbox,
	openAccounts,
	toggled,
} from './mail/mailbox.ts';
import { baseName, createMessage, toEighth } from './mail/maildir.ts';
import { accept, addKeyword, forget, relabel, sizesOf, transfer as transferAs } from './mail/message-changes.ts';
import { correspondent, makePopulation } from './mail/population.ts';
import { openPrng, type Prng } from './mail/prng.ts';
import { openSupply, type Profile } from './mail/profiles.ts';
import { openThreads } from './mail/threads.ts';
import type { Person } from './mail/words.ts';

export interface DayOptions {
	/** As makeTree was given it. */
	readonly root: string;
	/** With `day` it decides everything that happens. */
	readonly seed: number;
	readonly day: number;
	/** When the day ends, milliseconds since 1970; later than the last one's. */
	readonly now: number;
	/** Share of the messages that something happens to, deliveries included. */
	readonly churn: number;
	readonly bytes?: Profile;
}

const HAPPENINGS = ['delivered', 'sent', 'read', 'flagged', 'keyworded', 'moved', 'copied', 'trashed', 'expunged'] as const;
export type Happening = (typeof HAPPENINGS)[number];

/** How often each thing happened. */
export type DayReport = Record<Happening | 'foldersMade' | 'foldersRenamed' | 'foldersDeleted', number> & { deliveredBytes: number };

const SHARES: Readonly<Record<Happening, number>> = {
	delivered: 0.38,
	sent: 0.09,
	read: 0.2,
	flagged: 0.08,
	keyworded: 0.04,
	moved: 0.06,
	copied: 0.02,
	trashed: 0.08,
	expunged: 0.05,
};
const DAY = 86_400_000;
const NEW_KEYWORDS = ['urgent', 'später', '$Phishing', 'invoice', 'family', 'to-do'];
/** Kept by mail programs; everything else is the owner's own. */
const SPECIAL = new Set(['', '.Sent', '.Drafts', '.Trash', '.Junk']);

/**
 * Lets one day pass in a tree of makeTree: the tree alone is the state, and the same tree, seed and day give the same
 * tree again, times included. Files are made, renamed, linked and removed but never written to, so that a copy of hard
 * links can be lived in.
 */
export function liveOneDay(options: DayOptions): DayReport {
	const accounts = openAccounts(options.root);
	const day = openDay(accounts, options);
	for (let step = 0; step < day.steps; step++) day.happen(step);
	day.changeFolders();
	const lazy = openPrng('lazy', options.seed, options.day);
	for (const account of accounts) closeAccount(account, { at: toEighth(options.now), lazy: () => lazy.chance(0.5) });
	return day.report;
}

function openDay(accounts: readonly Account[], options: DayOptions) {
	const prng = openPrng('day', options.seed, options.day);
	const compose = openComposer();
	const people = makePopulation({ seed: options.seed, accounts: 1, domains: ['mail.example.com'] });
	const total = accounts.reduce((sum, account) => sum + sizeOf(account), 0);
	const steps = Math.max(1, Math.round(total * options.churn));
	const supply = openSupply({
		seed: options.seed,
		profile: options.bytes ?? 'small',
		messages: Math.ceil(steps / 2),
		first: 1_000_000 * (options.day + 1),
	});
	const threads = openThreads('mail.example.com');
	const report: DayReport = {
		...{ delivered: 0, sent: 0, read: 0, flagged: 0, keyworded: 0, moved: 0, copied: 0, trashed: 0, expunged: 0 },
		...{ foldersMade: 0, foldersRenamed: 0, foldersDeleted: 0, deliveredBytes: 0 },
	};
	let at = 0;
	let made = 0;

	function freshName(sizes: { readonly size: number; readonly virtual: number }): string {
		return baseName({ at, micros: prng.int(1_000_000), pid: 40_000 + (made++ % 20_000), ...sizes });
	}

	function write(account: Account, sent: boolean): boolean {
		const self: Person = { address: account.address, header: account.address };
		const other = correspondent(people, { owner: made, prng });
		const when = prng.float();
		const letter: Letter = {
			from: sent ? self : other,
			to: [sent ? other : self],
			cc: [],
			...(sent ? {} : { deliveredTo: account.address }),
			date: at,
			...threads(prng),
			textBytes: supply.textBytes(made),
			files: supply.files({ n: made, when, prng }),
		};
		const { bytes, lines } = compose(letter, prng);
		const mailbox = sent ? account.folders.get('.Sent') : prng.chance(0.9) ? account.folders.get('') : deliverElsewhere(account, prng);
		if (!mailbox) return false;
		const base = freshName({ size: bytes.length, virtual: bytes.length + lines });
		const dir = sent ? 'cur' : 'new';
		const name = sent ? `${base}:2,S` : base;
		createMessage(join(mailbox.path, dir, name), { bytes, at });
		insertSorted(mailbox[dir], name);
		mailbox.touched.add(dir);
		addUid(mailbox, base);
		report.deliveredBytes += bytes.length;
		return true;
	}

	function read(account: Account): boolean {
		const mailbox = prng.pick([...account.folders.values()].filter((one) => one.new.length > 0).concat(inboxOf(account)));
		const chosen = mailbox.new.length > 0 ? prng.pick(mailbox.new) : undefined;
		if (chosen === undefined) {
			const unseen = mailbox.cur.filter((name) => !lettersOf(name).includes('S'));
			return unseen.length > 0 && relabel(mailbox, prng.pick(unseen), (letters) => toggled(letters, 'S'));
		}
		// A client that opens the folder empties new/, whatever its user then reads.
		const others = prng.chance(0.3) ? mailbox.new.filter((name) => name !== chosen) : [];
		for (const name of [chosen, ...others]) accept(mailbox, name, name === chosen ? 'S' : '');
		return true;
	}

	function keyword(account: Account): boolean {
		const mailbox = filledFolder(account, prng);
		if (!mailbox) return false;
		const names = keywordsOf(mailbox);
		if (names.length === 0 || prng.chance(0.1)) addKeyword(mailbox, prng.pick(NEW_KEYWORDS));
		const letter = String.fromCharCode(97 + prng.int(names.length));
		return relabel(mailbox, recentOf(mailbox.cur, prng), (letters) => toggled(letters, letter));
	}

	/** Into another folder, under a new name. */
	function transfer(from: Mailbox, options: { readonly to: Mailbox; readonly name: string; readonly keep: boolean }): boolean {
		transferAs(from, { ...options, base: freshName(sizesOf(options.name)) });
		return true;
	}

	function carry(account: Account, keep: boolean): boolean {
		const from = filledFolder(account, prng);
		const others = [...account.folders].filter(([directory, one]) => !SPECIAL.has(directory) && one !== from).map(([, one]) => one);
		if (!from || others.length === 0) return false;
		return transfer(from, { to: prng.pick(others), name: recentOf(from.cur, prng), keep });
	}

	function trash(account: Account): boolean {
		const from = filledFolder(account, prng);
		const to = account.folders.get('.Trash');
		if (!from || !to || from === to) return false;
		return transfer(from, { to, name: recentOf(from.cur, prng), keep: false });
	}

	function expunge(account: Account): boolean {
		const mailbox = account.folders.get(prng.chance(0.6) ? '.Trash' : '.Junk');
		if (!mailbox || mailbox.cur.length === 0) return false;
		const name = mailbox.cur[Math.floor(mailbox.cur.length * prng.float() ** 2)] ?? '';
		unlinkSync(join(mailbox.path, 'cur', name));
		forget(mailbox, name);
		return true;
	}

	function flag(account: Account): boolean {
		const mailbox = filledFolder(account, prng);
		if (!mailbox) return false;
		const letter = prng.pick(['F', 'F', 'R', 'R', 'P', 'S', 'T']);
		return relabel(mailbox, recentOf(mailbox.cur, prng), (letters) => toggled(letters, letter));
	}

	const acts: Readonly<Record<Happening, (account: Account) => boolean>> = {
		delivered: (account) => write(account, false),
		sent: (account) => write(account, true),
		read,
		flagged: flag,
		keyworded: keyword,
		moved: (account) => carry(account, false),
		copied: (account) => carry(account, true),
		trashed: trash,
		expunged: expunge,
	};

	return {
		steps,
		report,
		happen(step: number): void {
			at = toEighth(options.now - DAY + ((step + 1) * (DAY - 1000)) / (steps + 1));
			const account = prng.pick(accounts);
			const wanted = happening(prng.float());
			// An empty mailbox can at least be written to.
			const happened = acts[wanted](account) ? wanted : 'delivered';
			if (happened !== wanted) write(account, false);
			report[happened]++;
		},
		changeFolders(): void {
			const own = (directory: string) => !SPECIAL.has(directory) && !directory.startsWith('.Archive.');
			changeFolders(accounts, { prng, at: toEighth(options.now), own, report, largest: Math.max(50, steps) });
		},
	};
}

function happening(at: number): Happening {
	let below = 0;
	for (const one of HAPPENINGS) {
		below += SHARES[one];
		if (at < below) return one;
	}
	return 'delivered';
}

function sizeOf(account: Account): number {
	let size = 0;
	for (const mailbox of account.folders.values()) size += mailbox.cur.length + mailbox.new.length;
	return size;
}

function inboxOf(account: Account): Mailbox {
	const inbox = account.folders.get('');
	if (!inbox) throw new Error(`Cannot live in account "${account.address}": it has no INBOX`);
	return inbox;
}

/** Sieve files some mail on delivery. */
function deliverElsewhere(account: Account, prng: Prng): Mailbox | undefined {
	return account.folders.get(prng.chance(0.6) ? '.Junk' : '.Projects.Beta') ?? account.folders.get('');
}

/** INBOX, or now and then another folder that holds mail. */
function filledFolder(account: Account, prng: Prng): Mailbox | undefined {
	const inbox = inboxOf(account);
	if (inbox.cur.length > 0 && prng.chance(0.6)) return inbox;
	const filled = [...account.folders.values()].filter((mailbox) => mailbox.cur.length > 0);
	return filled.length === 0 ? undefined : prng.pick(filled);
}

/** Mostly one of the newest. */
function recentOf(names: readonly string[], prng: Prng): string {
	return names[names.length - 1 - Math.floor(names.length * prng.float() ** 4)] ?? '';
}
