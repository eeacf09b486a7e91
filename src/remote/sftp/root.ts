import { posix } from 'node:path';
import { MailsealError } from '../../domain/index.ts';
import { rootGone, rootMissing } from '../folder-failure.ts';
import { isAbsent } from './errors.ts';
import type { Requests } from './requests.ts';

/** The folder of a store at its server, over all connections of one run. */
export interface Root {
	/** Finds out where it is, with each connection. Gives the absolute path; the folder itself need not be there, what is above it must. */
	find(requests: Requests): Promise<string>;
	/** Asks again, where nothing was found in it: `unreachable` where the folder itself was there and is gone, since a disk that was unmounted is not empty. */
	require(requests: Requests): Promise<void>;
	/** Called when something was written in it. */
	seen(): void;
}

/** `path` is relative to where the server lets a user start, where it does not begin with `/`. */
export function openRoot(path: string, place: string): Root {
	let known: string | null = null;
	let seen = false;

	/** False where nothing is there. */
	async function look(requests: Requests, folder: string): Promise<boolean> {
		try {
			if ((await requests.stat(folder)).isDirectory()) return true;
		} catch (error) {
			if (isAbsent(error)) return false;
			throw error;
		}
		throw new MailsealError('io', `Cannot use "${place}": "${folder}" is no folder there (a folder was expected)`, {
			hint: 'move it out of the way, or name another target',
		});
	}

	return {
		async find(requests) {
			known ??= posix.resolve('/', posix.isAbsolute(path) ? '/' : await requests.realPath('.'), path);
			if (await look(requests, known)) seen = true;
			else if (seen) throw rootGone(place);
			else if (!(await look(requests, posix.dirname(known)))) throw rootMissing(place, posix.dirname(known));
			return known;
		},
		async require(requests) {
			if (seen && known !== null && !(await look(requests, known))) throw rootGone(place);
		},
		seen() {
			seen = true;
		},
	};
}
