import { PROGRAM } from './mailseal.ts';
import type { FolderPlace, SftpPlace } from './servers.ts';
import { isInstalled, NOT_COPIED, RCLONE } from './tool.ts';

/** What lies on the mail server. */
export interface Sources {
	/** Mailboxes. */
	readonly tree: string;
	/** An archive that was packed of them. */
	readonly archive: string;
	/** A repository of restic's that holds them. */
	readonly repository: string;
	/** For restic's cache. */
	readonly cache: string;
	/** Recipient for mailseal, age1... */
	readonly recipient: string;
}

/** A program that brings a place up to date. */
export interface Shipper {
	readonly program: string;
	/** What has to be done on the mail server before. */
	readonly after: 'pack' | 'backup' | null;
	/** The command lines that ship, one after another; `first`: the place has nothing of it yet. */
	words(place: SftpPlace, options: { readonly name: string; readonly first: boolean }): readonly (readonly string[])[];
}

function mailseal({ archive }: Sources, target: readonly string[]): readonly string[] {
	return [process.execPath, PROGRAM, 'sync', '-a', archive, ...target];
}

/** Command line of `restic backup` on the mail server. */
export function backupWords(sources: Sources): readonly string[] {
	return [...restic(sources), 'backup', '--quiet', '--repo', sources.repository, sources.tree];
}

/** Command line that makes its repository. */
export function initWords(sources: Sources): readonly string[] {
	return [...restic(sources), 'init', '--quiet', '--repository-version', '2', '--repo', sources.repository];
}

function restic({ cache }: Sources): readonly string[] {
	return ['env', 'RESTIC_PASSWORD=bench', 'RESTIC_FROM_PASSWORD=bench', `RESTIC_CACHE_DIR=${cache}`, 'restic'];
}

/** To a folder: command lines of mailseal alone. */
export function folderWords(sources: Sources, place: FolderPlace, name: string): readonly string[] {
	return mailseal(sources, place.mailseal(name));
}

/** Everything that is installed and ships to an SSH server. */
export function sftpShippers(sources: Sources): Shipper[] {
	const { tree, archive, repository, recipient } = sources;
	const shippers: Shipper[] = [
		{ program: 'mailseal pack, sync', after: 'pack', words: (place, { name }) => [mailseal(sources, place.mailseal(name))] },
		{
			program: 'mailseal pack, sync --encrypt-to',
			after: 'pack',
			words: (place, { name }) => [mailseal(sources, [...place.mailseal(name), '--encrypt-to', recipient])],
		},
	];
	if (isInstalled('rclone')) {
		shippers.push({
			program: 'mailseal pack, rclone sync of the archive',
			after: 'pack',
			words: (place, { name }) => [[...RCLONE, 'sync', ...NOT_COPIED, archive, ...place.rclone(name)]],
		});
	}
	if (isInstalled('rsync')) {
		shippers.push({
			program: 'rsync -a --delete of the Maildirs',
			after: null,
			words: (place, { name }) => [['rsync', '-a', '--delete', `${tree}/`, ...place.rsync(name)]],
		});
	}
	if (isInstalled('restic')) {
		shippers.push({
			program: 'restic backup, copy',
			after: 'backup',
			words(place, { name, first }) {
				const ssh = ['ssh', '-p', String(place.port), ...place.options, place.login, '-s', 'sftp'].join(' ');
				const far = ['--quiet', '--repo', `sftp:${place.login}:${place.path(name)}`, '-o', `sftp.command=${ssh}`];
				const from = ['--from-repo', repository];
				const init = [...restic(sources), 'init', '--repository-version', '2', '--copy-chunker-params', ...from, ...far];
				return [...(first ? [init] : []), [...restic(sources), 'copy', ...from, ...far]];
			},
		});
	}
	return shippers;
}
