import { lstatSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Letter, openComposer } from './compose.ts';
import { type Account, addUid, closeAccount, insertSorted, keywordsOf, lettersOf, type Mailbox, openAccounts, toggled } from './mailbox.ts';
import { baseName, createMessage, toEighth } from './maildir.ts';
import { accept, addKeyword, forget, relabel, sizesOf, transfer } from './message-changes.ts';
import { correspondent, makePopulation } from './population.ts';
import { logNormal, openPrng, type Prng } from './prng.ts';
import { openSupply } from './profiles.ts';
import { openThreads, type ThreadPlace } from './threads.ts';
import type { Person } from './words.ts';
import { type Act, openAgenda } from './year-agenda.ts';
import {
	ATTACHMENT_SHARE,
	HABITS,
	OLD_DELETED,
	OLD_MOVED,
	OLD_RELABELLED,
	SEVERAL,
	type Sort,
	SPREE_ACCOUNTS,
	SPREE_SHARE,
	SPREES,
	THROUGH_TRASH,
	TO_SEVERAL,
	TRASH_NIGHTS,
	WEEK,
} from './year-habits.ts';
import { isOld, type Mail, runOf, sampleOf, sortOf, type YearDay } from './year-mail.ts';

export interface YearOptions {
	/** As makeTree was given it; nothing else changes it while the year lasts. */
	readonly root: string;
	readonly seed: number;
	/** The instant of night 0, milliseconds since 1970. */
	readonly start: number;
	/** Sprees are spread over them; nothing else depends on how many there are. */
	readonly nights: number;
	/** Messages that come or are sent on an average day. */
	readonly deliveries: number;
}

export interface Year {
	/** Lets the day pass that ends with this night, 1 and up, one after another. */
	live(night: number): YearDay;
	/** All that the year has seen, the tree's own mail included. */
	readonly mails: readonly Mail[];
}

const DAY = 86_400_000;
const YEAR = 365;
const NEW_KEYWORDS = ['urgent', 'später', 'invoice', 'family', 'to-do'];
const NO_HOME = new Set(['.Trash', '.Junk', '.Drafts', '.Sent']);

/** The same nights one after another give the same trees, times included, for the same tree and options. */
export function openYear(options: YearOptions): Year {
	const { seed, start } = options;
	const mails: Mail[] = [];
	const agenda = openAgenda();
	const compose = openComposer();
	const people = makePopulation({ seed, accounts: 1, domains: ['mail.example.com'] });
	const supply = openSupply({
		seed,
		profile: 'real-life',
		messages: Math.round(options.deliveries * YEAR * (HABITS.letter.share + HABITS.sent.share)),
		first: 1_000_000,
		attachmentShare: ATTACHMENT_SHARE,
	});
	const threads = new Map<string, (prng: Prng) => ThreadPlace>();
	const weights: { readonly address: string; readonly upTo: number }[] = [];
	let letters = 0;
	let made = 0;
	const spreeNights = new Set(SPREES.map((part) => Math.max(1, Math.floor(part * options.nights))));
	meetTree();

	/** What the tree has is taken over; the young part of it has a future. */
	function meetTree(): void {
		const prng = openPrng('year-before', seed);
		let upTo = 0;
		for (const account of openAccounts(options.root)) {
			for (const [directory, mailbox] of account.folders) {
				for (const dir of ['new', 'cur'] as const) {
					for (const name of mailbox[dir]) {
						const base = name.split(':', 1)[0] ?? '';
						const { size, mtimeMs } = lstatSync(join(mailbox.path, dir, name));
						const came = Math.ceil((mtimeMs - start) / DAY);
						const mail: Mail = {
							...{ sort: 'before', came, bytes: size, deleted: undefined, inSpree: false },
							...{ account: account.address, place: { directory, base } },
						};
						mails.push(mail);
						agenda.foresee(mail, { prng, directory, unread: dir === 'new' });
					}
				}
			}
			upTo += sizeOf(account);
			weights.push({ address: account.address, upTo });
			threads.set(account.address, openThreads(account.address.slice(account.address.indexOf('@') + 1)));
		}
	}

	function live(night: number): YearDay {
		const now = start + night * DAY;
		const prng = openPrng('year', seed, night);
		const accounts = new Map(openAccounts(options.root).map((account) => [account.address, account]));
		const day: YearDay = {
			...{ delivered: 0, deliveredBytes: 0, read: 0, relabelled: 0, moved: 0 },
			...{ deleted: 0, deletedBytes: 0, expunged: 0, spree: spreeNights.has(night) },
		};
		const count = Math.max(
			1,
			Math.round(options.deliveries * (WEEK[new Date(now - DAY / 2).getUTCDay()] ?? 1) * (0.85 + 0.3 * prng.float())),
		);
		let at = now - DAY;

		function freshName(sizes: { readonly size: number; readonly virtual: number }): string {
			return baseName({ at, micros: prng.int(1_000_000), pid: 40_000 + (made++ % 20_000), ...sizes });
		}

		function folderOf(mail: Mail, directory: string): Mailbox | undefined {
			return accounts.get(mail.account)?.folders.get(directory);
		}

		/** Of a message that lies in `cur`; where it is still in `new`, a client has now seen it. */
		function find(mail: Mail): { readonly mailbox: Mailbox; readonly directory: string; readonly name: string } | undefined {
			const { place } = mail;
			const mailbox = place && folderOf(mail, place.directory);
			if (!place || !mailbox) return undefined;
			const fresh = mailbox.new.find((name) => name === place.base);
			if (fresh !== undefined) accept(mailbox, fresh, '');
			const name = mailbox.cur.find((one) => one.startsWith(`${place.base}:`));
			if (name === undefined) throw new Error(`Cannot live on: message "${place.base}" of ${mail.account} is not in "${place.directory}"`);
			return { mailbox, directory: place.directory, name };
		}

		function deliver(sort: Sort, serial: number): number {
			const habit = HABITS[sort];
			const several = sort === 'letter' && prng.chance(TO_SEVERAL) ? 2 + prng.int(SEVERAL - 1) : 1;
			const addresses = new Set(Array.from({ length: several }, () => pickAccount(prng)));
			const [first = ''] = addresses;
			const other = correspondent(people, { owner: made, prng });
			const when = Math.min(0.999999, (night - 1 + serial / count) / YEAR);
			const n = habit.text === null ? letters++ : 0;
			const place = threads.get(first)?.(prng);
			if (!place) throw new Error(`Cannot deliver to "${first}": it has no mailbox`);
			const self = (address: string): Person => ({ address, header: address });
			const letter: Omit<Letter, 'deliveredTo'> = {
				from: habit.where === '.Sent' ? self(first) : other,
				to: habit.where === '.Sent' ? [other] : [...addresses].map(self),
				cc: [],
				date: at,
				...place,
				textBytes: habit.text === null ? supply.textBytes(n) : Math.round(logNormal(prng.float(), habit.text)),
				files: habit.text === null ? supply.files({ n, when, prng }) : [],
			};
			for (const address of addresses) {
				// The same stream for each of them: copies of one letter differ in their trace only.
				const { bytes, lines } = compose(
					{ ...letter, ...(habit.where === '.Sent' ? {} : { deliveredTo: address }) },
					openPrng('year-letter', seed, night, serial),
				);
				store({ sort, address, bytes, lines });
			}
			return addresses.size;
		}

		function store(one: { readonly sort: Sort; readonly address: string; readonly bytes: Buffer; readonly lines: number }): void {
			const { sort, address, bytes, lines } = one;
			const account = accounts.get(address);
			const wanted = HABITS[sort].where;
			const directory = account?.folders.has(wanted) === true ? wanted : '';
			const mailbox = account?.folders.get(directory);
			if (!mailbox) throw new Error(`Cannot deliver to "${address}": it has no INBOX`);
			const base = freshName({ size: bytes.length, virtual: bytes.length + lines });
			const dir = wanted === '.Sent' ? 'cur' : 'new';
			const name = dir === 'cur' ? `${base}:2,S` : base;
			createMessage(join(mailbox.path, dir, name), { bytes, at });
			insertSorted(mailbox[dir], name);
			mailbox.touched.add(dir);
			addUid(mailbox, base);
			const mail: Mail = {
				...{ sort, came: night, bytes: bytes.length, deleted: undefined, inSpree: false },
				...{ account: address, place: { directory, base } },
			};
			mails.push(mail);
			day.delivered++;
			day.deliveredBytes += bytes.length;
			agenda.decide(mail, { sort, prng });
		}

		function relabelled(mail: Mail, letter: string): void {
			const found = find(mail);
			if (!found) return;
			relabel(found.mailbox, found.name, (present) => toggled(present, letter));
			day.relabelled++;
		}

		function carry(mail: Mail, directory: string): boolean {
			const found = find(mail);
			const to = folderOf(mail, directory);
			if (!found || !to || found.mailbox === to) return false;
			const base = freshName(sizesOf(found.name));
			transfer(found.mailbox, { to, name: found.name, base, keep: false });
			mail.place = { directory, base };
			return true;
		}

		function expunge(mail: Mail): void {
			const found = find(mail);
			if (!found) return;
			unlinkSync(join(found.mailbox.path, 'cur', found.name));
			forget(found.mailbox, found.name);
			mail.place = undefined;
			day.expunged++;
		}

		function remove(mail: Mail, throughTrash: boolean): void {
			if (!mail.place || mail.deleted !== undefined || mail.place.directory === '.Trash') return;
			mail.deleted = night;
			day.deleted++;
			day.deletedBytes += mail.bytes;
			if (throughTrash && carry(mail, '.Trash')) agenda.plan(night + TRASH_NIGHTS, 'purge', mail);
			else expunge(mail);
		}

		function move(mail: Mail): void {
			if (!mail.place || NO_HOME.has(mail.place.directory)) return;
			const folders = [...(accounts.get(mail.account)?.folders.keys() ?? [])].filter((one) => one !== '' && !NO_HOME.has(one));
			if (folders.length > 0 && carry(mail, prng.pick(folders))) day.moved++;
		}

		const acts: Readonly<Record<Act, (mail: Mail) => void>> = {
			read(mail) {
				const found = find(mail);
				if (!found || lettersOf(found.name).includes('S')) return;
				relabel(found.mailbox, found.name, (present) => toggled(present, 'S'));
				day.read++;
			},
			answer: (mail) => relabelled(mail, 'R'),
			flag: (mail) => relabelled(mail, 'F'),
			keyword(mail) {
				const mailbox = mail.place && folderOf(mail, mail.place.directory);
				if (!mailbox) return;
				const names = keywordsOf(mailbox);
				if (names.length === 0 || prng.chance(0.05)) addKeyword(mailbox, prng.pick(NEW_KEYWORDS));
				relabelled(mail, String.fromCharCode(97 + prng.int(names.length)));
			},
			move,
			delete: (mail) => remove(mail, prng.chance(THROUGH_TRASH)),
			purge(mail) {
				// What expires without having been deleted by hand.
				if (mail.place && mail.deleted === undefined) {
					mail.deleted = night;
					day.deleted++;
					day.deletedBytes += mail.bytes;
				}
				expunge(mail);
			},
		};

		/** Little happens to old mail, but it happens. */
		function touchOld(): void {
			for (const mail of mails) {
				if (!isOld(mail, night)) continue;
				const luck = prng.float() * YEAR;
				if (luck < OLD_DELETED) remove(mail, prng.chance(THROUGH_TRASH));
				else if (luck < OLD_DELETED + OLD_RELABELLED) relabelled(mail, prng.pick(['F', 'F', 'R', 'S']));
				else if (luck < OLD_DELETED + OLD_RELABELLED + OLD_MOVED) move(mail);
			}
		}

		function cleanUp(): void {
			const left = weights.map(({ address }) => address);
			for (let more = Math.max(1, Math.round(left.length * SPREE_ACCOUNTS)); more > 0; more--) {
				const address = left.splice(prng.int(left.length), 1)[0];
				const old = mails.filter((mail) => mail.account === address && isOld(mail, night));
				const wanted = Math.round(old.length * SPREE_SHARE);
				const throughTrash = prng.chance(0.5);
				// One goes through a time, another through everything.
				const chosen = prng.chance(0.5) ? runOf(old, { wanted, prng }) : sampleOf(old, { wanted, prng });
				for (const mail of chosen) {
					mail.inSpree = true;
					remove(mail, throughTrash);
				}
			}
		}

		for (let serial = 0; serial < count; ) {
			at = toEighth(now - DAY + ((serial + 1) * (DAY / 2)) / (count + 1));
			serial += deliver(sortOf(prng.float()), serial);
		}
		const events = agenda.of(night);
		for (const [index, { act, mail }] of events.entries()) {
			at = toEighth(now - DAY / 2 + ((index + 1) * (DAY / 4)) / (events.length + 1));
			acts[act](mail);
		}
		at = toEighth(now - DAY / 8);
		touchOld();
		if (day.spree) cleanUp();
		const lazy = openPrng('year-lazy', seed, night);
		for (const account of accounts.values()) closeAccount(account, { at: toEighth(now), lazy: () => lazy.chance(0.5) });
		return day;
	}

	function pickAccount(prng: Prng): string {
		const drawn = prng.float() * (weights.at(-1)?.upTo ?? 0);
		return (weights.find(({ upTo }) => drawn < upTo) ?? weights[0])?.address ?? '';
	}

	return { live, mails };
}

function sizeOf(account: Account): number {
	let size = 0;
	for (const mailbox of account.folders.values()) size += mailbox.cur.length + mailbox.new.length;
	return size;
}
