import type { RepairResult, SyncResult } from '../../src/archive/index.ts';
import { countFiles } from './bytes.ts';
import { runMailseal } from './mailseal.ts';
import { type Cost, measureShell } from './measure.ts';
import type { FolderPlace, Place, S3Place, SftpPlace } from './servers.ts';
import { isInstalled, RCLONE, runTool } from './tool.ts';

/** Bundles that are to be moved. */
export interface Load {
	/** The archive that has them, and nothing else of any size. */
	readonly archive: string;
	/** Where they lie in it. */
	readonly folder: string;
	/** Their paths below that folder. */
	readonly files: readonly string[];
	readonly bytes: number;
	readonly recipient: string;
	/** File with the key of the recipient. */
	readonly identity: string;
}

/** A program that moves them, and flushes what it writes to a disk. */
export interface Mover {
	readonly program: string;
	/** To the place, where it has none. */
	up(): Cost;
	/** From there into a folder that does not exist yet. */
	down(to: string): Cost;
}

/** First argument of the process that runs `runPlainS3()`. */
export const PLAIN_S3 = 'plain-s3';

let sites = 0;

/** mailseal at a place, plain and encrypted. */
export function mailsealMovers(place: Place, load: Load): Mover[] {
	// An archive remembers its targets, and takes one that is empty again for a disk that is not mounted.
	const site = sites++;
	function mover(
		program: string,
		options: { readonly name: string; readonly up: readonly string[]; readonly down: readonly string[] },
	): Mover {
		const words = place.mailseal(`${options.name}-${site}`);
		return {
			program,
			up() {
				const { result, cost } = runMailseal<SyncResult>(['sync', '-a', load.archive, ...words, ...options.up]);
				if (result.shipped !== load.files.length) throw new Error(`Cannot go on: mailseal shipped ${JSON.stringify(result)}`);
				return cost;
			},
			down(to) {
				const { result, cost } = runMailseal<RepairResult>(['repair', '-a', to, '--from', ...words, ...options.down]);
				if (result.repaired < load.files.length) throw new Error(`Cannot go on: mailseal fetched ${JSON.stringify(result)}`);
				return cost;
			},
		};
	}
	return [
		mover('mailseal', { name: 'plain', up: [], down: [] }),
		mover('mailseal, encrypted', { name: 'age', up: ['--encrypt-to', load.recipient], down: ['--identity', load.identity] }),
	];
}

/** Makes sure that a program brought everything back. */
function checked(mover: Mover, load: Load): Mover {
	return {
		...mover,
		down(to) {
			const cost = mover.down(to);
			const { files, bytes } = countFiles(to);
			if (files !== load.files.length || bytes !== load.bytes) {
				throw new Error(
					`Cannot go on: ${mover.program} brought ${files} files of ${bytes} bytes (${load.files.length} of ${load.bytes} are right)`,
				);
			}
			return cost;
		},
	};
}

export function folderMovers(place: FolderPlace, load: Load): Mover[] {
	const copy = 'cp -r "$1" "$2"; sync -f "$2"';
	const cp: Mover = {
		program: 'cp -r, sync -f',
		up: () => measureShell(copy, load.folder, place.path('cp')),
		down: (to) => measureShell(copy, place.path('cp'), to),
	};
	if (!isInstalled('openssl')) return [checked(cp, load)];
	// mailseal compares what it moves with its SHA-256: whoever copies and does the same has to read once more.
	const hash = 'find "$1" -name "*.zip" -exec openssl dgst -sha256 -r {} + >/dev/null';
	const hashed: Mover = {
		program: 'openssl dgst, cp -r, sync -f',
		up: () => measureShell(`${hash}; ${copy}`, load.folder, place.path('hashed')),
		down: (to) => measureShell(`${hash}; ${copy}`, place.path('hashed'), to),
	};
	return [checked(cp, load), checked(hashed, load)];
}

export function sftpMovers(place: SftpPlace, load: Load): Mover[] {
	const { port, login, options } = place;
	const far = place.path('copy');
	const words = ['-q', '-P', String(port), ...options];
	const scp: Mover = {
		program: 'scp -r, sync -f',
		up: () =>
			measureShell(
				'from="$1"; to="$2"; at="$3"; shift 3; scp -r "$@" "$from" "$to"; sync -f "$at"',
				load.folder,
				`${login}:${far}`,
				far,
				...words,
			),
		down: (to) => measureShell('from="$1"; to="$2"; shift 2; scp -r "$@" "$from" "$to"; sync -f "$to"', `${login}:${far}`, to, ...words),
	};
	const batch = 'batch="$1"; at="$2"; login="$3"; shift 3; printf "$batch" | sftp -b - "$@" "$login"; sync -f "$at"';
	const sftp: Mover = {
		program: 'sftp -b, sync -f',
		up: () => measureShell(batch, `mkdir ${far}\\nput -r ${load.folder} ${far}\\n`, far, login, ...words),
		down: (to) => measureShell(batch, `lmkdir ${to}\\nget -r ${far} ${to}\\n`, to, login, ...words),
	};
	return [checked(scp, load), checked(sftp, load)];
}

export function s3Movers(place: S3Place, load: Load): Mover[] {
	const self = process.argv[1] ?? '';
	const sdk = (what: string, folder: string): Cost =>
		runTool([process.execPath, self, PLAIN_S3, what, place.endpoint, place.bucket, folder, ...load.files]);
	const movers: Mover[] = [
		{ program: 'SDK: PutObject, GetObject', up: () => sdk('put', load.folder), down: (to) => sdk('get', to) },
		{ program: 'SDK: multipart, GetObject', up: () => sdk('multipart', load.folder), down: (to) => sdk('get', to) },
	];
	if (isInstalled('rclone')) {
		const [where = '', ...options] = place.rclone('copy');
		movers.push({
			program: 'rclone copy, sync -f',
			up: () => runTool([...RCLONE, 'copy', ...options, load.folder, where]),
			down: (to) => measureShell('to="$1"; shift; "$@" "$to"; sync -f "$to"', to, ...RCLONE, 'copy', ...options, where),
		});
	}
	return movers.map((mover) => checked(mover, load));
}
