import { MailsealError } from '../domain/index.ts';
import { nameBytes } from './maildir/write-names.ts';
import { appendMessage } from './mbox/append-message.ts';
import type { MaildirJob, MessageWriter } from './write-contract.ts';
import { type HeldFolder, holdFolder } from './write-destination.ts';
import { createFile } from './write-file.ts';

type Box = MaildirJob['box'];

/** One folder that is being written to. */
interface HeldMaildir {
	readonly root: string;
	readonly levels: readonly string[];
	readonly staging: HeldFolder;
	readonly boxes: Map<Box, HeldFolder>;
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
	return one === other || (one.length === other.length && one.every((level, index) => level === other[index]));
}

/** Opens a writer of messages; each thread has its own. It keeps the folder of its last job open. */
export function openMessageWriter(): MessageWriter {
	let held: HeldMaildir | null = null;

	function hold({ root, levels }: MaildirJob): HeldMaildir {
		if (held !== null && held.root === root && isSame(held.levels, levels)) return held;
		close();
		held = { root, levels, staging: holdFolder(root, [...levels, 'tmp']), boxes: new Map() };
		return held;
	}

	function holdBox({ boxes, root, levels }: HeldMaildir, box: Box): HeldFolder {
		const known = boxes.get(box);
		if (known !== undefined) return known;
		const folder = holdFolder(root, [...levels, box]);
		boxes.set(box, folder);
		return folder;
	}

	function close(): void {
		const last = held;
		held = null;
		last?.staging[Symbol.dispose]();
		for (const folder of last?.boxes.values() ?? []) folder[Symbol.dispose]();
	}

	return {
		write(job, chunks) {
			if (job.kind === 'mbox') return appendMessage(job, chunks);
			const name = nameBytes(job.name);
			if (name === null) throw new MailsealError('usage', `Cannot write "${job.subject}": its name is not the name of one file`);
			const maildir = hold(job);
			const { staging } = maildir;
			const folder = holdBox(maildir, job.box);
			return createFile({ staging, folder, name, chunks, date: job.date, mode: job.mode, owner: job.owner });
		},
		close,
	};
}
