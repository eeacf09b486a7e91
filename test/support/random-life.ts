import { fileBytes, mailWith, wrappingOf } from './attached-mail.ts';
import { DAY, type MailStore, makeMailStore } from './mail-store.ts';

/** Decides by chance, and always the same for the same seed. */
export interface Dice {
	/** A whole number from 0 on, less than `end`. */
	below(end: number): number;
	pick<T>(from: readonly T[]): T;
	/** True in so many of a hundred throws. */
	happens(percent: number): boolean;
}

export function openDice(seed: number): Dice {
	let state = (Math.imul(seed, 2_654_435_761) ^ 0x5eed) >>> 0 || 1;
	function next(): number {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		state >>>= 0;
		return state;
	}
	// Seeds that lie side by side begin alike.
	for (let round = 0; round < 16; round++) next();
	const below = (end: number): number => Math.floor((next() / 2 ** 32) * end);
	return {
		below,
		pick<T>(from: readonly T[]): T {
			const picked = from[below(from.length)];
			if (picked === undefined) throw new RangeError('there is nothing to pick from');
			return picked;
		},
		happens: (percent) => below(100) < percent,
	};
}

/** Three tenants, two of them with two accounts. */
const ACCOUNTS = ['anna@one.example', 'ben@one.example', 'carl@two.example', 'dora@two.example', 'emil@three.example'];
/** Mail in the last one is never sealed. */
const FOLDERS = ['INBOX', 'INBOX', 'Archive', 'Trash'];
/** Unread in `new`, unread in `cur`, read, flagged. */
const STATES = ['', ':2,', ':2,S', ':2,S', ':2,S', ':2,FS'];
const EVENTS_OF_FIRST_DAY = 14;
const EVENTS_OF_A_DAY = 8;

interface Mail {
	readonly content: Buffer;
	/** By which a diary tells it from others. */
	readonly subject: string;
	readonly at: number;
}

/** A mail store that lives: mail comes, goes, moves between accounts and comes back, and the same files travel through all of it. */
export interface RandomLife {
	readonly store: MailStore;
	/** One day's events; `now` is its evening, milliseconds since 1970. */
	liveOneDay(now: number): void;
	/** A message comes into some INBOX, unread, perhaps one that was there before. */
	deliver(now: number): void;
}

/** A life in a new store below `root`; `note` is told of each event. */
export function openRandomLife(root: string, { dice, note }: { readonly dice: Dice; readonly note: (event: string) => void }): RandomLife {
	const store = makeMailStore(root);
	const contents = makeContents(dice);
	/** Every message that ever was, and where those are that are there, by key. */
	const known = new Map<string, Mail>();
	const places = new Map<string, string>();
	let days = 0;
	let keys = 0;

	const newKey = (): string => `${++keys}.k`;
	const placeOf = (key: string, { account = dice.pick(ACCOUNTS), folder = dice.pick(FOLDERS) } = {}): string =>
		`${account}/${folder}/${key}${dice.pick(STATES)}`;
	const pickKey = (): string => dice.pick([...places.keys()]);

	function put(key: string, place: string, mail: Mail): void {
		store.put(place, mail);
		known.set(key, mail);
		places.set(key, place);
		note(`put ${mail.subject} into ${place}`);
	}

	function rename(from: string, to: { readonly key: string; readonly place: string }): void {
		const mail = known.get(from);
		const place = places.get(from);
		if (mail === undefined || place === undefined || place === to.place) return;
		store.rename(place, to.place);
		places.delete(from);
		known.set(to.key, mail);
		places.set(to.key, to.place);
		note(`rename ${place} to ${to.place}`);
	}

	function forgetBelow(prefix: string): void {
		for (const [key, place] of places) if (place.startsWith(prefix)) places.delete(key);
		note(`remove ${prefix}`);
	}

	/** Mail of the past comes too, and is sealed at once. */
	function receive(now: number): void {
		const key = newKey();
		put(key, placeOf(key), { ...dice.pick(contents), at: now - dice.pick([0, 0, 1, 5, 100]) * DAY });
	}

	function receiveInEveryAccount(now: number): void {
		const mail = { ...dice.pick(contents), at: now - dice.pick([0, 10]) * DAY };
		for (const account of ACCOUNTS) {
			const key = newKey();
			put(key, placeOf(key, { account }), mail);
		}
	}

	function comeBack(): void {
		const key = dice.pick([...known.keys()]);
		const mail = known.get(key);
		if (mail !== undefined && !places.has(key)) put(key, placeOf(key, { folder: 'INBOX' }), mail);
	}

	function removeKey(key: string): void {
		const place = places.get(key);
		if (place === undefined) return;
		store.remove(place);
		places.delete(key);
		note(`remove ${place}`);
	}

	function removeEverywhere(): void {
		const subject = known.get(pickKey())?.subject;
		for (const key of [...places.keys()]) if (known.get(key)?.subject === subject) removeKey(key);
	}

	const remove = (): void => removeKey(pickKey());

	/** To any folder of any account, under its name or a new one. */
	function move(): void {
		const from = pickKey();
		const key = dice.happens(50) ? from : newKey();
		rename(from, { key, place: placeOf(key) });
	}

	function changeState(): void {
		const key = pickKey();
		const [account, folder] = places.get(key)?.split('/') ?? [];
		if (account !== undefined && folder !== undefined) rename(key, { key, place: placeOf(key, { account, folder }) });
	}

	function subscribe(): void {
		const [account] = places.get(pickKey())?.split('/') ?? [];
		store.write(`${account}/INBOX/subscriptions`, `${FOLDERS.slice(0, 1 + dice.below(FOLDERS.length)).join('\n')}\n`);
		note(`subscribe ${account}`);
	}

	function removeFolder(): void {
		const [account = '', folder = ''] = places.get(pickKey())?.split('/') ?? [];
		if (folder === 'INBOX') return;
		store.removeFolder(account, folder);
		forgetBelow(`${account}/${folder}/`);
	}

	/** Never the last one: a store without accounts looks like one that is not mounted. */
	function removeAccount(): void {
		const accounts = [...new Set([...places.values()].map((place) => place.split('/')[0] ?? ''))];
		if (accounts.length < 2) return;
		const account = dice.pick(accounts);
		store.removeAccount(account);
		forgetBelow(`${account}/`);
	}

	/** As often as each stands here. */
	const events: readonly ((now: number) => void)[] = [
		...[receive, receive, receive, receive, receive, receive, receive, receive, receive, receive],
		...[remove, remove, remove, remove, removeEverywhere, removeEverywhere],
		...[move, move, move, comeBack, comeBack, comeBack, changeState, changeState],
		...[receiveInEveryAccount, removeFolder, subscribe],
	];

	return {
		store,
		liveOneDay(now) {
			const count = days++ === 0 ? EVENTS_OF_FIRST_DAY : dice.below(EVENTS_OF_A_DAY + 1);
			for (let event = 0; event < count; event++) (places.size === 0 ? receive : dice.pick(events))(now);
			if (places.size > 0 && dice.happens(7)) removeAccount();
		},
		deliver(now) {
			const key = newKey();
			put(key, `${dice.pick(ACCOUNTS)}/INBOX/${key}`, { ...dice.pick(contents), at: now });
		},
	};
}

/** Messages with up to three files of a small stock, so that the same file comes in many of them, and in more than one form of base64. */
function makeContents(dice: Dice): readonly Omit<Mail, 'at'>[] {
	const stock = Array.from({ length: 3 + dice.below(dice.pick([6, 25])) }, (_, index) =>
		dice.happens(30)
			? Buffer.from(`line ${index} of a text that compresses\n`.repeat(3 + dice.below(60)))
			: fileBytes(`file ${index}`, 20 + dice.below(dice.pick([200, 1500, 5000]))),
	);
	return Array.from({ length: 10 + dice.below(20) }, (_, index) => {
		const files = Array.from({ length: dice.pick([0, 1, 1, 1, 2, 3]) }, () => {
			const at = dice.below(stock.length);
			return { name: dice.happens(80) ? `file-${at}.pdf` : `copy-${index}.pdf`, bytes: stock[at] ?? Buffer.alloc(0) };
		});
		const text = 'See the file. '.repeat(1 + dice.below(dice.happens(20) ? 100 : 4));
		const subject = `mail ${index}`;
		return { subject, content: mailWith(files, { subject, wrapping: wrappingOf(dice.below(8)), text }) };
	});
}
