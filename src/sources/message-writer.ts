import { join } from 'node:path';
import { MailsealError } from '../domain/index.ts';
import { nameBytes } from './maildir/write-names.ts';
import { appendMessage } from './mbox/append-message.ts';
import type { MaildirJob, MessageWriter } from './write-contract.ts';
import { type HeldFolder, holdFolder } from './write-destination.ts';
import { createFile } from './write-file.ts';

interface HeldMaildir {
	readonly path: string;
	readonly staging: HeldFolder;
	readonly folder: HeldFolder;
}

/** Opens a writer of messages; each thread has its own. It keeps the folder of its last job open. */
export function openMessageWriter(): MessageWriter {
	let held: HeldMaildir | null = null;

	function hold(job: MaildirJob): HeldMaildir {
		const path = join(job.root, ...job.levels, job.box);
		if (held?.path === path) return held;
		close();
		const staging = holdFolder(job.root, [...job.levels, 'tmp']);
		try {
			held = { path, staging, folder: holdFolder(job.root, [...job.levels, job.box]) };
		} catch (error) {
			staging[Symbol.dispose]();
			throw error;
		}
		return held;
	}

	function close(): void {
		const last = held;
		held = null;
		last?.staging[Symbol.dispose]();
		last?.folder[Symbol.dispose]();
	}

	return {
		write(job, chunks) {
			if (job.kind === 'mbox') return appendMessage(job, chunks);
			const name = nameBytes(job.name);
			if (name === null) throw new MailsealError('usage', `Cannot write "${job.subject}": its name is not the name of one file`);
			const { staging, folder } = hold(job);
			return createFile({ staging, folder, name, chunks, date: job.date, mode: job.mode, owner: job.owner });
		},
		close,
	};
}
