import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Archive, ExtractedMessage } from '../../archive/index.ts';
import { type Finding, MailsealError, systemCode } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import { type Answer, type Call, withArchive } from '../call.ts';
import { addExamples } from '../examples.ts';
import { type ExitCode, exitOf } from '../exit-codes.ts';
import { placePath } from '../paths.ts';
import { printable, printablePieces } from '../text.ts';

interface ExtractOptions {
	readonly output?: string;
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
				'are there already stay. On a terminal, control characters are shown as escapes.',
		)
		.argument('<message...>', 'an id (8 digits or more), a <Message-ID> in angle brackets, or account/folder/key')
		.option('-o, --output <dir>', 'the folder to write files into; made where it is missing')
		.option('--at <moment>', 'as of a snapshot, a date, an instant, or an age such as 3d (default: latest)');
	addExamples(command, [
		['mailseal extract 5f1d0c3a9b27 > message.eml', 'by the start of its id'],
		["mailseal extract '<20261123.42@mail.example.org>' | less", 'by Message-ID'],
		["mailseal extract --at 30d '<20261023.7@mail.example.org>'", 'one that was deleted since'],
		['mailseal extract -o found 5f1d0c3a9b27 alice@example.org/INBOX/1763863200.M1P2.host', 'several, into a folder'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const { output } = call.options<ExtractOptions>();
	const references = call.arguments;
	const [first = ''] = references;
	if (output === undefined && references.length > 1) {
		throw new MailsealError('usage', `Cannot write ${references.length} messages to standard output: it takes one`, {
			hint: 'name a folder with -o DIR',
		});
	}
	if (output === undefined && call.json) {
		throw new MailsealError('usage', 'Cannot write a message to standard output with --json: it takes the JSON', {
			hint: 'name a folder with -o DIR',
		});
	}
	return await withArchive(call, {
		work: async (archive) => {
			if (output === undefined) return await toStandardOutput(call, { archive, reference: first });
			return await toFolder(call, { archive, references, folder: placePath(output, call.io) });
		},
	});
}

function momentOf(call: Call): { readonly at?: string; readonly now: number } {
	const { at } = call.options<ExtractOptions>();
	return { ...(at === undefined ? {} : { at }), now: call.io.now() };
}

async function toStandardOutput(call: Call, from: { readonly archive: Archive; readonly reference: string }): Promise<Answer> {
	const { stdout, signal } = call.io;
	const message = await call.services.extract(from.archive, from.reference, momentOf(call));
	// A terminal obeys escape sequences, and anyone can send some; a file or a pipe gets the exact bytes.
	const pieces = stdout.terminal ? printablePieces(message.chunks()) : message.chunks();
	for (const piece of pieces) {
		signal.throwIfAborted();
		if (stdout.closed) break;
		await stdout.write(piece);
	}
	return { result: { id: message.id, size: message.size }, findings: [], lines: [] };
}

async function toFolder(
	call: Call,
	what: { readonly archive: Archive; readonly references: readonly string[]; readonly folder: string },
): Promise<Answer> {
	const messages: ExtractedFile[] = [];
	const findings: Finding[] = [];
	let exit: ExitCode | undefined;
	call.services.files.makeFolder(what.folder);
	call.progress.step('extract', what.references.length);
	for (const reference of what.references) {
		call.io.signal.throwIfAborted();
		try {
			const message = await call.services.extract(what.archive, reference, momentOf(call));
			messages.push(writeFile(call, { message, folder: what.folder }));
		} catch (error) {
			if (!(error instanceof MailsealError) || !SKIPPED.has(error.code) || what.references.length === 1) throw error;
			findings.push(findingOf(error, reference));
			exit = Math.max(exit ?? 0, exitOf(error.code)) as ExitCode;
		}
		call.progress.advance(1);
	}
	const lines = messages.map(({ file, written }) => `${printable(file)}${written ? '' : ' (there already)'}`);
	return { result: { messages }, findings, lines, ...(exit === undefined ? {} : { exit }) };
}

/** What does not keep the other messages from being written. */
const SKIPPED: ReadonlySet<string> = new Set(['usage', 'not-found', 'archive-damaged']);

function findingOf(error: MailsealError, reference: string): Finding {
	const finding = { code: error.code, severity: 'error', subject: reference, text: error.message } as const;
	return error.hint === undefined ? finding : { ...finding, hint: error.hint };
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

/** SHA-256 of a file in lower-case hex; null where there is none. */
function hashFile(path: string): string | null {
	let descriptor: number;
	try {
		descriptor = openSync(path, 'r');
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return null;
		throw asMailsealError(error, 'read', path);
	}
	try {
		const hash = createHash('sha256');
		const buffer = Buffer.allocUnsafe(64 * 1024);
		for (let got = -1; got !== 0; ) {
			got = readSync(descriptor, buffer);
			hash.update(buffer.subarray(0, got));
		}
		return hash.digest('hex');
	} catch (error) {
		throw asMailsealError(error, 'read', path);
	} finally {
		closeSync(descriptor);
	}
}
