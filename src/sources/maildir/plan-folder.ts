import { join } from 'node:path';
import type { ControlWord, Finding, FolderName, FolderWord, MessageId, PlacedWord } from '../../domain/index.ts';
import type { MaildirJob } from '../write-contract.ts';
import { lookAtFolder, ownerToGive } from '../write-destination.ts';
import { diskName, under } from './disk-name.ts';
import { baseOf } from './file-name.ts';
import { listMiddle, type SeenName } from './names.ts';
import { look, readSmallFile } from './small-file.ts';
import { parseUidlist } from './uidlist.ts';
import type { ControlPlan } from './write-controls.ts';
import { makeKeywordFile, readLetters } from './write-keywords.ts';
import { fileName, type NameLetters } from './write-names.ts';
import { formatUidlist, type UidLine } from './write-uidlist.ts';

/** One folder of an account, as the words describe it. */
export interface FolderMail {
	readonly folder: FolderName;
	readonly word: FolderWord | undefined;
	readonly placements: readonly PlacedWord[];
	/** The archived `dovecot-keywords`. */
	readonly keywords: ControlWord | undefined;
	/** True where index files are restored too, which hold the keywords that have no letter. */
	readonly index: boolean;
	/** Directory below the destination, level by level. */
	readonly levels: readonly string[];
	/** `account/folder`. */
	readonly shown: string;
}

export interface FolderPlan {
	readonly jobs: readonly MaildirJob[];
	readonly present: number;
	/** Files that the writer makes of the words: before the messages, so that a server that looks early knows the letters. */
	readonly before: readonly ControlPlan[];
	/** After the messages: a server drops lines of messages that it does not find. */
	readonly after: readonly ControlPlan[];
	readonly findings: readonly Finding[];
}

/** Control files larger than this are nothing that a mail server wrote. */
const LARGEST_CONTROL = 1 << 30;

/** The message of no bytes. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Where the messages that a folder has lie, by name and by base name; none where it does not exist. */
function placesIn(root: string, levels: readonly string[]): Map<string, SeenName> {
	const places = new Map<string, SeenName>();
	const directory = join(root, ...levels);
	for (const dir of ['new', 'cur'] as const) {
		for (const name of listMiddle(directory, dir)) {
			const place = { dir, name };
			places.set(name, place);
			const base = baseOf(name);
			if (!places.has(base)) places.set(base, place);
		}
	}
	return places;
}

/** Some file systems lose the bytes of a file in a power cut, and keep its name. */
function isEmptied(
	message: MessageId,
	{ root, levels, place }: { readonly root: string; readonly levels: readonly string[]; readonly place: SeenName },
): boolean {
	const stat = message === EMPTY ? undefined : look(under(join(root, ...levels, place.dir), diskName(place.name)));
	return stat?.isFile() === true && stat.size === 0n;
}

/** A control file of the destination: null where there is none, no bytes where it cannot be made sense of. */
function controlIn(root: string, mail: FolderMail, name: string): Buffer | null {
	if (lookAtFolder(root, mail.levels) !== 'folder') return null;
	const file = readSmallFile(join(root, ...mail.levels, name), LARGEST_CONTROL);
	return file.kind === 'absent' ? null : file.kind === 'file' ? file.bytes : Buffer.alloc(0);
}

/** Milliseconds since 1970, null for what is no date. */
export function dateOf(text: string): number | null {
	const date = Date.parse(text);
	return Number.isNaN(date) ? null : date;
}

/** Plans one folder of a Maildir, whose directory must be absent or a real directory. */
export function planFolder(root: string, mail: FolderMail): FolderPlan {
	const { levels, placements, shown, word } = mail;
	const owner = ownerToGive(word?.owner);
	const findings: Finding[] = [];
	const there = placesIn(root, levels);
	const letters = chooseLetters(root, mail);
	const jobs: MaildirJob[] = [];
	const lines: PlannedUid[] = [];
	const taken = new Set<string>();
	const lost = new Set<string>();
	let present = 0;
	for (const placement of placements) {
		const subject = `${shown}/${placement.key}`;
		const file = fileName(placement, letters);
		const box = placement.dir === 'new' ? 'new' : 'cur';
		if (file === null || taken.has(`${box}/${file.name}`)) {
			findings.push(refusedName(subject, { key: placement.key, twice: file !== null }));
			continue;
		}
		taken.add(`${box}/${file.name}`);
		const place = there.get(file.identity);
		const written = place === undefined;
		if (placement.uid !== undefined) {
			lines.push({ uid: placement.uid, fields: placement.uidlist, base: diskName(baseOf(file.name)), text: baseOf(file.name), written });
		}
		if (!written) {
			present++;
			if (isEmptied(placement.message, { root, levels, place })) findings.push(emptyFile(subject));
			continue;
		}
		for (const keyword of file.lost) lost.add(keyword);
		jobs.push({
			kind: 'maildir',
			message: placement.message,
			subject,
			root,
			levels,
			date: dateOf(placement.date),
			box,
			name: file.name,
			mode: placement.mode ?? 0o600,
			owner: ownerToGive(placement.owner ?? word?.owner),
		});
	}
	if (lost.size > 0 && !(mail.index && letters.exact)) findings.push(lostKeywords(shown, [...lost]));
	const generated = { base: levels, parents: [], link: null, date: null, mode: 0o600, owner };
	const before =
		letters.generated === null
			? []
			: [{ ...generated, name: 'dovecot-keywords', content: letters.generated, subject: `${shown}/dovecot-keywords` }];
	const after: ControlPlan[] = [];
	const uidlist = controlIn(root, mail, 'dovecot-uidlist');
	if (uidlist === null) {
		const content = word === undefined ? null : formatUidlist(word, lines);
		if (content !== null) after.push({ ...generated, name: 'dovecot-uidlist', content, subject: `${shown}/dovecot-uidlist` });
	} else {
		const known = parseUidlist(uidlist);
		const same = known !== null && known.uidValidity === word?.uidValidity;
		const changed = lines.filter((line) => line.written && !(same && known.entries.get(line.text)?.uid === line.uid));
		if (changed.length > 0) findings.push(lostUids(shown, changed.length));
	}
	return { jobs, present, before, after, findings };
}

interface PlannedUid extends UidLine {
	readonly text: string;
	/** False where the message is there already, with a uid of its own. */
	readonly written: boolean;
}

interface Letters extends NameLetters {
	/** Content of the keyword file to make, null where there is one. */
	readonly generated: Buffer | null;
}

/** The destination's own letters rule; else the archived ones; else new ones. */
function chooseLetters(root: string, mail: FolderMail): Letters {
	const archived = mail.keywords?.content === undefined ? null : Buffer.from(mail.keywords.content, 'base64');
	const there = controlIn(root, mail, 'dovecot-keywords');
	if (there !== null) return { letters: readLetters(there), exact: archived?.equals(there) ?? false, generated: null };
	if (archived !== null) return { letters: readLetters(archived), exact: true, generated: null };
	const generated = makeKeywordFile(mail.placements);
	return { letters: generated === null ? new Map() : readLetters(generated), exact: true, generated };
}

function emptyFile(subject: string): Finding {
	return {
		code: 'message-not-restored',
		severity: 'error',
		subject,
		text: 'a file of its name is there and is empty (a power cut may have left it so); it stays as it is',
		hint: 'remove the file and run the command again',
	};
}

function refusedName(subject: string, options: { readonly key: string; readonly twice: boolean }): Finding {
	const text = options.twice ? 'another message of the folder has this file name' : 'it is not the name of one file';
	return {
		code: 'restore-name-refused',
		severity: 'error',
		subject,
		text: `Cannot restore the message with key ${JSON.stringify(options.key)}: ${text}`,
		hint: 'write it to a file with mailseal extract',
	};
}

function lostKeywords(shown: string, lost: readonly string[]): Finding {
	return {
		code: 'restore-keywords-lost',
		severity: 'warning',
		subject: shown,
		text: `Cannot restore ${lost.length} keywords: the folder has no letter for ${lost
			.slice(0, 5)
			.map((name) => JSON.stringify(name))
			.join(', ')}${lost.length > 5 ? ', ...' : ''}`,
		hint: 'a Maildir folder names 26 keywords at most, and those of a folder that exists are not changed; restore into an empty folder',
	};
}

function lostUids(shown: string, count: number): Finding {
	return {
		code: 'restore-uids-lost',
		severity: 'note',
		subject: shown,
		text: `${count} restored messages get new UIDs: the folder has a dovecot-uidlist, which is not changed`,
	};
}
