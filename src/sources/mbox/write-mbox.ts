import { randomBytes } from 'node:crypto';
import { closeSync, constants, fchmodSync, fchownSync, fsyncSync, lstatSync, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type AccountName, type Finding, type FolderName, type Owner, type PlacedWord, systemCode } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import type { AccountMail, AccountPlan, MailboxWriter, MboxJob } from '../write-contract.ts';
import { holdFolder, lookAtFolder, makeFolder, ownerToGive } from '../write-destination.ts';
import { nameFile } from '../write-file.ts';

/** Writes each folder of an account as one mboxrd file: `to/<account>/<folder>.mbox`. Flags, keywords and UIDs have no place there. */
export function mboxWriter(options: { readonly to: string }): MailboxWriter {
	const root = resolve(options.to);
	let noted = false;
	return {
		order: 'planned',
		plan(mail) {
			const lossy = !noted && mail.placements.some(({ flags, keywords }) => flags.length > 0 || keywords.length > 0);
			noted ||= lossy;
			return planAccount(root, { mail, lossy });
		},
	};
}

interface MboxFile {
	readonly folder: FolderName;
	/** Directory below the destination, level by level. */
	readonly levels: readonly string[];
	readonly name: string;
	readonly temporary: string;
	readonly owner: Owner | null;
}

/**
 * Where the mbox of a folder lies. Files end in `.mbox` and directories never do: a folder level that ends so gets `.d` as a
 * directory, and so does one that would then look alike.
 */
export function mboxPath(folder: FolderName): { readonly parents: readonly string[]; readonly name: string } {
	const levels = folder.split('/');
	const parents = levels.slice(0, -1).map((level) => (/\.mbox(?:\.d)*$/i.test(level) ? `${level}.d` : level));
	return { parents, name: `${levels.at(-1) ?? ''}.mbox` };
}

function planAccount(root: string, options: { readonly mail: AccountMail; readonly lossy: boolean }): AccountPlan {
	const { mail, lossy } = options;
	const { account } = mail.account;
	const findings: Finding[] = lossy ? [lostFlags(account)] : [];
	const owners = new Map(mail.folders.map((word) => [word.folder, ownerToGive(word.owner)]));
	const placements = new Map<FolderName, PlacedWord[]>(mail.folders.map((word) => [word.folder, []]));
	for (const placement of mail.placements) {
		const those = placements.get(placement.folder);
		if (those === undefined) placements.set(placement.folder, [placement]);
		else those.push(placement);
	}
	const files: MboxFile[] = [];
	const jobs: MboxJob[] = [];
	for (const folder of [...placements.keys()].sort()) {
		const { parents, name } = mboxPath(folder);
		const file = { folder, levels: [account, ...parents], name, temporary: temporaryName(), owner: owners.get(folder) ?? null };
		const words = placements.get(folder) ?? [];
		const obstacle = obstacleOf(root, file);
		if (obstacle !== null) {
			findings.push(refusedFile(`${account}/${folder}`, { obstacle, count: words.length }));
			continue;
		}
		files.push(file);
		for (const word of words.sort(inOrder)) {
			const date = Date.parse(word.date);
			jobs.push({
				kind: 'mbox',
				message: word.message,
				subject: `${account}/${folder}/${word.key}`,
				root,
				levels: file.levels,
				date: Number.isNaN(date) ? null : date,
				temporary: file.temporary,
			});
		}
	}
	const folders = missingFolders(root, files);
	return {
		account,
		folders: files.length,
		creates: [...folders.keys(), ...files.map((file) => [...file.levels, file.name].join('/'))],
		present: 0,
		jobs,
		findings,
		begin() {
			try {
				mkdirSync(root, { recursive: true });
			} catch (error) {
				throw asMailsealError(error, 'make folder', root);
			}
			for (const [path, owner] of folders) makeFolder(root, path.split('/'), { mode: 0o700, owner });
			for (const file of files) startFile(root, file);
		},
		finish: () => files.filter((file) => finishFile(root, file) === 'present').map((file) => appeared(account, file)),
		abandon() {
			for (const file of files) removeTemporary(root, file);
		},
	};
}

function temporaryName(): string {
	return `.tmp-${randomBytes(8).toString('hex')}`;
}

/** By uid, then date, then key; messages without a uid come last. */
function inOrder(a: PlacedWord, b: PlacedWord): number {
	const [first, second] = [a.uid ?? Number.POSITIVE_INFINITY, b.uid ?? Number.POSITIVE_INFINITY];
	if (first !== second) return first < second ? -1 : 1;
	if (a.date !== b.date) return a.date < b.date ? -1 : 1;
	return a.key < b.key ? -1 : 1;
}

function obstacleOf(root: string, file: MboxFile): string | null {
	const path = [...file.levels, file.name].join('/');
	if ([...file.levels, file.name].some((level) => Buffer.byteLength(level) > 255)) return 'its name is too long for one on disk';
	if (lookAtFolder(root, file.levels) === 'obstructed') return `"${file.levels.join('/')}" is, or lies behind, a symbolic link or a file`;
	try {
		lstatSync(join(root, path));
		return `"${path}" is there already (an existing mbox is never changed)`;
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return null;
		throw asMailsealError(error, 'look at', join(root, path));
	}
}

/** Directories that are missing, each after the one it lies in, with their owners. */
function missingFolders(root: string, files: readonly MboxFile[]): ReadonlyMap<string, Owner | null> {
	const missing = new Map<string, Owner | null>();
	for (const { levels, owner } of files) {
		for (let depth = 1; depth <= levels.length; depth++) {
			const place = levels.slice(0, depth);
			if (!missing.has(place.join('/')) && lookAtFolder(root, place) === 'absent') missing.set(place.join('/'), owner);
		}
	}
	return missing;
}

function startFile(root: string, file: MboxFile): void {
	using folder = holdFolder(root, file.levels);
	try {
		closeSync(openSync(folder.path(file.temporary), 'wx', 0o600));
	} catch (error) {
		throw asMailsealError(error, 'write', join(folder.shown, file.name));
	}
}

function finishFile(root: string, file: MboxFile): 'written' | 'present' {
	using folder = holdFolder(root, file.levels);
	const temporary = folder.path(file.temporary);
	try {
		const descriptor = openSync(temporary, constants.O_RDONLY | constants.O_NOFOLLOW);
		try {
			if (file.owner !== null) fchownSync(descriptor, ...file.owner);
			fchmodSync(descriptor, 0o600);
			fsyncSync(descriptor);
		} finally {
			closeSync(descriptor);
		}
		const name = Buffer.from(file.name);
		const outcome = nameFile({ folder, name, date: null, mode: 0o600, owner: file.owner }, temporary);
		unlinkSync(temporary);
		fsyncSync(folder.descriptor);
		return outcome;
	} catch (error) {
		throw asMailsealError(error, 'write', join(folder.shown, file.name));
	}
}

function removeTemporary(root: string, file: MboxFile): void {
	if (lookAtFolder(root, file.levels) !== 'folder') return;
	using folder = holdFolder(root, file.levels);
	try {
		unlinkSync(folder.path(file.temporary));
	} catch (error) {
		if (systemCode(error) !== 'ENOENT') throw asMailsealError(error, 'remove', join(folder.shown, file.temporary));
	}
}

function lostFlags(account: AccountName): Finding {
	return {
		code: 'restore-flags-lost',
		severity: 'note',
		subject: account,
		text: 'Flags, keywords and UIDs are not restored: an mbox that keeps messages byte for byte has no place for them',
		hint: 'restore as maildir to keep them',
	};
}

function refusedFile(subject: string, options: { readonly obstacle: string; readonly count: number }): Finding {
	return {
		code: 'restore-folder-refused',
		severity: 'error',
		subject,
		text: `Cannot restore the folder and its ${options.count} messages: ${options.obstacle}`,
		hint: 'restore into an empty folder',
	};
}

function appeared(account: AccountName, file: MboxFile): Finding {
	return refusedFile(`${account}/${file.folder}`, { obstacle: `"${file.name}" appeared while it was written`, count: 0 });
}
