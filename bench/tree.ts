import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Composed, type Letter, openComposer } from './mail/compose.ts';
import { type FolderPlan, flagsOf, instantsOf, keywordTable, planFolders } from './mail/folder-plan.ts';
import { openLogos } from './mail/logos.ts';
import {
	baseName,
	createMessage,
	folderDirectory,
	formatUidList,
	makeMaildir,
	replaceFile,
	setTime,
	subscriptionLine,
	toEighth,
	type UidLine,
} from './mail/maildir.ts';
import { correspondent, makePopulation, type Population } from './mail/population.ts';
import { logNormal, openPrng, type Prng } from './mail/prng.ts';
import { openSupply, type Profile, type Supply } from './mail/profiles.ts';
import { openThreads, type ThreadPlace } from './mail/threads.ts';

export interface TreeOptions {
	/** Made where it is missing; must hold none of the accounts. */
	readonly root: string;
	readonly seed: number;
	readonly accounts: number;
	/** Of all accounts together, exactly. */
	readonly messages: number;
	readonly bytes?: Profile;
	/** Accounts are spread over several domains in turn. */
	readonly domain: string | readonly string[];
	/** Milliseconds since 1970; the mail is of the five years before. */
	readonly now: number;
	/** A third of what firms write has a signature with one or two small pictures; the rest of the tree is the same. */
	readonly logos?: boolean;
}

export interface Tree {
	readonly root: string;
	readonly accounts: readonly string[];
	readonly folders: number;
	readonly messages: number;
	readonly bytes: number;
	/** Of `bytes`, in base64. */
	readonly attachmentBytes: number;
}

const YEARS_BACK = 5;

interface Work {
	readonly options: TreeOptions;
	readonly people: Population;
	readonly supply: Supply;
	readonly signature: ReturnType<typeof openLogos>;
	readonly compose: (letter: Letter, prng: Prng) => Composed;
	messages: number;
	bytes: number;
	attachmentBytes: number;
}

interface Mailbox {
	readonly owner: number;
	readonly path: string;
	readonly prng: Prng;
	readonly place: (prng: Prng) => ThreadPlace;
	written: number;
}

/**
 * Writes `root/<user@domain>/Maildir` for each account as Dovecot leaves it: the same bytes, names, modes and times for
 * the same options, on any machine. Nothing looks at the clock.
 */
export function makeTree(options: TreeOptions): Tree {
	const { seed, accounts, messages } = options;
	const domains = typeof options.domain === 'string' ? [options.domain] : options.domain;
	const work: Work = {
		options,
		people: makePopulation({ seed, accounts, domains }),
		supply: openSupply({ seed, profile: options.bytes ?? 'real-life', messages }),
		signature: options.logos === true ? openLogos(seed) : () => undefined,
		compose: openComposer(),
		messages: 0,
		bytes: 0,
		attachmentBytes: 0,
	};
	mkdirSync(options.root, { recursive: true, mode: 0o700 });
	const shares = shareOut(messages, openPrng('accounts', seed), accounts);
	let folders = 0;
	for (const [owner, share] of shares.entries()) folders += writeAccount(work, { owner, messages: share });
	return {
		root: options.root,
		accounts: work.people.owners.map((person) => person.address),
		folders,
		messages: work.messages,
		bytes: work.bytes,
		attachmentBytes: work.attachmentBytes,
	};
}

/** Log-normal shares that sum to `total`. */
function shareOut(total: number, prng: Prng, parts: number): number[] {
	const weights = Array.from({ length: parts }, () => logNormal(prng.float(), { median: 1, sigma: 0.7 }));
	const sum = weights.reduce((all, weight) => all + weight, 0);
	let seen = 0;
	let given = 0;
	return weights.map((weight) => {
		seen += weight;
		const part = Math.round((total * seen) / sum) - given;
		given += part;
		return part;
	});
}

/** Gives the number of its folders. */
function writeAccount(work: Work, options: { readonly owner: number; readonly messages: number }): number {
	const { owner } = options;
	const { seed, now } = work.options;
	const address = work.people.owners[owner]?.address ?? '';
	const path = join(work.options.root, address, 'Maildir');
	const prng = openPrng('account', seed, owner);
	const plans = planFolders({ prng, messages: options.messages, now });
	const born = toEighth(now - YEARS_BACK * 366 * 86_400_000);
	const mailbox: Mailbox = { owner, path, prng, place: openThreads(address.slice(address.indexOf('@') + 1)), written: 0 };

	// The top comes first, so that the folders below it can be made.
	makeMaildir(path);
	let latest = born;
	for (const [index, plan] of plans.entries()) {
		latest = Math.max(latest, writeFolder(work, { mailbox, plan, validity: Math.floor(born / 1000) + index, born }));
	}
	const highest = (Math.floor(born / 1000) + plans.length - 1).toString(16).padStart(8, '0');
	replaceFile(join(path, 'dovecot-uidvalidity'), { text: highest, at: born });
	replaceFile(join(path, `dovecot-uidvalidity.${highest}`), { text: '', at: born });
	const subscribed = plans.filter((plan) => plan.name !== 'INBOX').map((plan) => `${subscriptionLine(plan.name)}\n`);
	replaceFile(join(path, 'subscriptions'), { text: `V\t2\n\n${subscribed.join('')}`, at: born });
	setTime(path, latest);
	setTime(join(work.options.root, address), born);
	return plans.length;
}

/** Gives the instant of the folder's last change. */
function writeFolder(
	work: Work,
	options: { readonly mailbox: Mailbox; readonly plan: FolderPlan; readonly validity: number; readonly born: number },
): number {
	const { mailbox, plan, validity, born } = options;
	const { prng } = mailbox;
	const directory = folderDirectory(plan.name);
	const path = join(mailbox.path, directory);
	if (directory !== '') {
		makeMaildir(path);
		replaceFile(join(path, 'maildirfolder'), { text: '', at: born });
	}
	const keywords = keywordTable(prng);
	const lines: UidLine[] = [];
	let uid = 0;
	let latest = born;
	for (const instant of instantsOf(plan, { prng, now: work.options.now })) {
		const { bytes, virtual } = composeNext(work, { mailbox, plan, date: instant.date });
		latest = Math.max(latest, instant.named);
		const pid = 1000 + (mailbox.written++ % 30_000);
		const base = baseName({ at: instant.named, micros: prng.int(1_000_000), pid, size: bytes.length, virtual });
		const age = work.options.now - instant.date;
		const { dir, letters } = flagsOf(plan, { prng, age, keywords: keywords.length });
		const info = dir === 'new' ? '' : `:2,${letters}`;
		createMessage(`${path}/${dir}/${base}${info}`, { bytes, at: instant.date });
		// Expunged messages leave gaps.
		uid += prng.chance(0.15) ? 1 + prng.int(6) : 1;
		lines.push({ uid, base });
	}
	if (keywords.length > 0) {
		replaceFile(join(path, 'dovecot-keywords'), { text: keywords.map((name, letter) => `${letter} ${name}\n`).join(''), at: latest });
	}
	replaceFile(join(path, 'dovecot-uidlist'), {
		text: formatUidList({ validity, next: uid + 1, guid: prng.hex(4), lines }),
		at: latest,
	});
	for (const name of ['cur', 'new', 'tmp', '']) setTime(join(path, name), name === 'tmp' ? born : latest);
	return latest;
}

function composeNext(
	work: Work,
	options: { readonly mailbox: Mailbox; readonly plan: FolderPlan; readonly date: number },
): { readonly bytes: Buffer; readonly virtual: number } {
	const { mailbox, plan, date } = options;
	const { prng, owner } = mailbox;
	const self = work.people.owners[owner] ?? prng.pick(work.people.owners);
	const other = correspondent(work.people, { owner, prng });
	const n = work.messages++;
	const when = Math.min(0.999999, Math.max(0, 1 - (work.options.now - date) / (YEARS_BACK * 366 * 86_400_000)));
	const files = work.supply.files({ n, when: when ** 3, prng });
	const cc = prng.chance(0.2) ? Array.from({ length: 1 + prng.int(4) }, () => correspondent(work.people, { owner, prng })) : [];
	const from = plan.own ? self : other;
	const signature = work.signature({ n, from, when });
	const letter: Letter = {
		from,
		to: [plan.own ? other : self],
		cc,
		...(plan.own ? {} : { deliveredTo: self.address }),
		date,
		...mailbox.place(prng),
		textBytes: work.supply.textBytes(n),
		files,
		...(signature === undefined ? {} : { signature }),
	};
	const { bytes, lines } = work.compose(letter, prng);
	work.bytes += bytes.length;
	for (const file of files) work.attachmentBytes += file.encoded.length;
	for (const { file } of signature?.logos ?? []) work.attachmentBytes += file.encoded.length;
	return { bytes, virtual: bytes.length + lines };
}
