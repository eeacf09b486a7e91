import { join } from 'node:path';
import type { Command } from 'commander';
import type { ExtractedMessage, Extractor } from '../../archive/index.ts';
import { MailsealError } from '../../domain/index.ts';
import type { Answer, Call } from '../call.ts';
import { eachMessage } from '../each-message.ts';
import { addExamples } from '../examples.ts';
import { attachmentsToFolder, attachmentToStandardOutput } from '../extract-attachments.ts';
import { hashFile } from '../file-hash.ts';
import { refuseNoFolder } from '../output-folder.ts';
import { placePath } from '../paths.ts';
import { addFromTarget, type FromTargetOptions } from '../target-options.ts';
import { printable, printablePieces } from '../text.ts';
import { wantedFor, withReadable } from '../with-target.ts';

interface ExtractOptions extends FromTargetOptions {
	readonly output?: string;
	readonly attachment?: string;
	readonly at?: string;
}

interface ExtractedFile {
	readonly id: string;
	readonly size: number;
	readonly file: string;
	/** False where the file was there already, with the same bytes. */
	readonly written: boolean;
}

const FILE_MODE = 0o600;

export function describe(command: Command): void {
	command
		.description(
			'Writes the exact bytes of messages: one to standard output, or any number as <id>.eml files into a folder. Files that ' +
				'are there already stay. With --attachment, writes parts of the messages, such as attached files, decoded, under their own names. ' +
				'On a terminal, control characters are shown as escapes.',
		)
		.argument('<message...>', 'an id (8 digits or more), a <Message-ID> in angle brackets, or account/folder/key')
		.option('-o, --output <dir>', 'the folder to write files into; made where it is missing')
		.option(
			'--attachment <name>',
			'the attached files of this name instead of the message; in any case, * for any characters, part-2 for the second part',
		)
		.option('--at <moment>', 'as of a snapshot, a date, an instant, or an age such as 3d (default: latest)');
	addFromTarget(command);
	addExamples(command, [
		['mailseal extract 5f1d0c3a9b27 > message.eml', 'by the start of its id'],
		["mailseal extract '<20261123.42@mail.example.org>' | less", 'by Message-ID'],
		["mailseal extract --at 30d '<20261023.7@mail.example.org>'", 'one that was deleted since'],
		['mailseal extract -o found 5f1d0c3a9b27 alice@example.org/INBOX/1763863200.M1P2.host', 'several, into a folder'],
		['mailseal extract 5f1d0c3a9b27 --attachment invoice.pdf > invoice.pdf', 'a file that came with it'],
		["mailseal extract -o found 5f1d0c3a9b27 be9d587d0f4f --attachment '*.pdf'", 'every PDF of two messages'],
		[
			"mailseal extract --target s3://bucket/mail '<20261123.42@mail.example.org>' > message.eml",
			'from far away: only its own bytes are fetched',
		],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<ExtractOptions>();
	const { output, attachment, at } = options;
	const [reference = ''] = call.arguments;
	if (output === undefined) refuseStandardOutput(call, attachment !== undefined);
	const folder = output === undefined ? null : placePath(output, call.io);
	if (folder !== null) refuseNoFolder(folder);
	return await withReadable(call, {
		options,
		wanted: wantedFor(call, at),
		work: async (archive) => {
			const { now, signal } = call.io;
			const extractor = await call.services.openExtractor(archive, {
				...(at === undefined ? {} : { at }),
				now: now(),
				progress: call.progress,
				signal,
			});
			try {
				if (attachment !== undefined) {
					if (folder === null) return await attachmentToStandardOutput(call, { extractor, reference, name: attachment });
					return await attachmentsToFolder(call, { extractor, folder, name: attachment });
				}
				if (folder === null) return await toStandardOutput(call, { extractor, reference });
				return await toFolder(call, { extractor, folder });
			} finally {
				extractor.close();
			}
		},
	});
}

/** Throws `usage` where standard output cannot take what the call asks for. */
function refuseStandardOutput(call: Call, attachment: boolean): void {
	const count = call.arguments.length;
	const hint = 'name a folder with -o DIR';
	if (count > 1) {
		const what = attachment ? `attachments of ${count} messages` : `${count} messages`;
		throw new MailsealError('usage', `Cannot write ${what} to standard output: it takes one`, { hint });
	}
	if (call.json) {
		const what = attachment ? 'an attachment' : 'a message';
		throw new MailsealError('usage', `Cannot write ${what} to standard output with --json: it takes the JSON`, { hint });
	}
}

async function toStandardOutput(call: Call, from: { readonly extractor: Extractor; readonly reference: string }): Promise<Answer> {
	const { stdout, signal } = call.io;
	const message = await from.extractor.extract(from.reference);
	// The bar would stand amid the message.
	call.progress.end();
	// A terminal obeys escape sequences, and anyone can send some; a file or a pipe gets the exact bytes.
	const pieces = stdout.terminal ? printablePieces(message.chunks()) : message.chunks();
	for (const piece of pieces) {
		signal.throwIfAborted();
		if (stdout.closed) break;
		await stdout.write(piece);
	}
	return { result: { id: message.id, size: message.size }, findings: [], lines: [] };
}

async function toFolder(call: Call, what: { readonly extractor: Extractor; readonly folder: string }): Promise<Answer> {
	call.services.files.makeFolder(what.folder);
	const { items, ...rest } = await eachMessage<ExtractedFile>(call, async (reference) => {
		const message = await what.extractor.extract(reference);
		return [writeFile(call, { message, folder: what.folder })];
	});
	const lines = items.map(({ file, written }) => `${printable(file)}${written ? '' : ' (there already)'}`);
	return { result: { messages: items }, lines, ...rest };
}

function writeFile(call: Call, what: { readonly message: ExtractedMessage; readonly folder: string }): ExtractedFile {
	const { message, folder } = what;
	const file = join(folder, message.fileName);
	const facts = { id: message.id, size: message.size, file };
	const present = hashFile(file);
	if (present === message.id) return { ...facts, written: false };
	if (present !== null) {
		throw new MailsealError('usage', `Cannot write "${file}": a file of that name is there already, with other bytes`, {
			hint: 'move it away, or name another folder with -o',
		});
	}
	const pending = call.services.files.create(folder);
	try {
		for (const chunk of message.chunks()) pending.write(chunk);
		pending.commit(file, { mode: FILE_MODE });
	} finally {
		pending.discard();
	}
	return { ...facts, written: true };
}
