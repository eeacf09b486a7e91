import type { AttachmentLine, ManifestLine, MessageLine } from '../domain/index.ts';
import { damaged } from './damage.ts';
import type { DirectoryEntry } from './directory.ts';
import { type ItemName, MANIFEST_NAME, MARKER_NAME, parseEntryName } from './entry-names.ts';
import { allowsLine, type ContentKind } from './marker.ts';
import type { OpenBundle } from './reader.ts';

type Items = Pick<OpenBundle, 'messages' | 'attachments'>;
type ItemLine = MessageLine | AttachmentLine;

/** Where messages and attachments lie by the names of their entries; what a bundle of this kind may not hold is damage. */
export function locateItems(directory: readonly DirectoryEntry[], kind: ContentKind): Items {
	const messages = new Map<MessageLine['id'], { offset: number; length: number; codec: MessageLine['codec']; recipe: boolean }>();
	const attachments = new Map<AttachmentLine['id'], { offset: number; length: number; codec: AttachmentLine['codec'] }>();
	for (const { name, offset, length } of directory) {
		const item = parseEntryName(name);
		if (item === null) {
			if (name === MARKER_NAME || name === MANIFEST_NAME) continue;
			throw damaged('unknown-entry', `Cannot open bundle: entry "${name}" is nothing that format 1 knows`);
		}
		checkEntry(item, { kind, messages, attachments });
		const { codec } = item;
		if (item.kind === 'message') messages.set(item.id, { offset, length, codec, recipe: item.recipe });
		else attachments.set(item.id, { offset, length, codec });
	}
	return { messages, attachments };
}

function checkEntry(item: ItemName, before: Items & { readonly kind: ContentKind }): void {
	const { kind, messages, attachments } = before;
	function refuse(damage: string, problem: string): never {
		throw damaged(damage, `Cannot open bundle: ${item.kind} "${item.id}" ${problem}`);
	}
	if (kind !== 'volatile' && kind !== `${item.kind}s`) refuse('wrong-kind', `is in a bundle of kind "${kind}" (must be "${item.kind}s")`);
	if (item.kind === 'attachment') {
		if (attachments.has(item.id)) refuse('duplicate-attachment', 'is there twice');
		return;
	}
	if (messages.has(item.id)) refuse('duplicate-message', 'is there twice');
	if (attachments.size > 0) refuse('wrong-order', 'lies behind an attachment (messages come first)');
}

/** Checks that lines and entries match one to one. */
export function checkManifest(lines: readonly ManifestLine[], bundle: Items & { readonly kind: ContentKind }): void {
	const { kind, messages, attachments } = bundle;
	const seen = { message: new Set<string>(), attachment: new Set<string>() };
	for (const line of lines) {
		if (!allowsLine(kind, line)) {
			throw damaged('wrong-kind', `Cannot open bundle: a manifest line of type "${line.type}" is in a bundle of kind "${kind}"`);
		}
		if (line.type !== 'message' && line.type !== 'attachment') continue;
		if (seen[line.type].has(line.id)) throw refusal(line, 'manifest-repeats', 'is in its manifest twice');
		seen[line.type].add(line.id);
		if (line.type === 'message') checkMessage(line, messages.get(line.id));
		else checkItem(line, { entry: attachments.get(line.id), size: line.size });
	}
	for (const id of seen.message.size === messages.size ? [] : messages.keys()) {
		if (!seen.message.has(id)) throw damaged('manifest-lacks-message', `Cannot open bundle: its manifest lacks message "${id}"`);
	}
	for (const id of seen.attachment.size === attachments.size ? [] : attachments.keys()) {
		if (!seen.attachment.has(id)) throw damaged('manifest-lacks-attachment', `Cannot open bundle: its manifest lacks attachment "${id}"`);
	}
}

function checkMessage(line: MessageLine, entry: { readonly length: number; readonly codec: string; readonly recipe: boolean } | undefined) {
	if (entry !== undefined && entry.recipe !== (line.recipe !== undefined)) {
		const [found, said] = entry.recipe ? ['a recipe', 'whole'] : ['whole', 'a recipe'];
		throw refusal(line, 'wrong-form', `is stored as ${found} (${said} by its manifest)`);
	}
	checkItem(line, { entry, size: line.recipe ?? line.size });
}

/** `size`: bytes of what is stored, before compression. */
function checkItem(
	line: ItemLine,
	item: { readonly entry: { readonly length: number; readonly codec: string } | undefined; readonly size: number },
): void {
	const { entry, size } = item;
	if (entry === undefined) throw refusal(line, 'entry-missing', 'is in its manifest but not among its entries');
	if (entry.codec !== line.codec) throw refusal(line, 'wrong-codec', `has codec ${entry.codec} (${line.codec} by its manifest)`);
	if (entry.codec === 'none' && entry.length !== size) {
		throw refusal(line, 'wrong-size', `has ${entry.length} bytes (${size} by its manifest)`);
	}
}

function refusal(line: ItemLine, damage: string, problem: string): Error {
	return damaged(damage, `Cannot open bundle: ${line.type} "${line.id}" ${problem}`);
}
