import type { Codec, ManifestLine } from '../domain/index.ts';
import { isRecipeDue, MAX_PARTS } from './item-lines.ts';
import { MAX_ENTRIES } from './layout.ts';
import { allowsLine } from './marker.ts';
import type { BundleContent } from './writer.ts';

/** Messages and attachments that one bundle may hold together, beside the marker and the manifest. */
export const MAX_ITEMS = MAX_ENTRIES - 2;

const RECIPE: Readonly<Record<Codec, string>> = { none: 'recipe', gzip: 'recipe, gzip' };

/** Throws where a reader would refuse the bundle: that is a fault of the program, found before a byte is written. */
export function checkContent({ kind, messages, attachments, lines }: BundleContent): void {
	const items = messages.length + attachments.length;
	if (items > MAX_ITEMS) throw new Error(`Cannot compose bundle: it has ${items} messages and attachments (${MAX_ITEMS} at most)`);
	const forms = { message: new Map<string, string>(), attachment: new Map<string, string>() };
	function add(item: { readonly type: 'message' | 'attachment'; readonly id: string }, form: string): void {
		const { type, id } = item;
		if (forms[type].has(id)) throw new Error(`Cannot compose bundle: ${type} "${id}" is there twice`);
		forms[type].set(id, form);
	}
	for (const { id, codec, recipe } of messages) add({ type: 'message', id }, recipe ? RECIPE[codec] : codec);
	for (const { id, codec } of attachments) add({ type: 'attachment', id }, codec);
	for (const line of lines) {
		if (!allowsLine(kind, line)) throw new Error(`Cannot compose bundle: a line of type "${line.type}" is in a bundle of kind "${kind}"`);
		if (line.type !== 'message' && line.type !== 'attachment') continue;
		const { type, id } = line;
		if (forms[type].get(id) !== (line.type === 'message' ? formOf(line) : line.codec)) {
			throw new Error(`Cannot compose bundle: the line for ${type} "${id}" has no entry, has another codec or form, or is there twice`);
		}
		forms[type].delete(id);
	}
	for (const type of ['message', 'attachment'] as const) {
		for (const id of forms[type].keys()) throw new Error(`Cannot compose bundle: ${type} "${id}" has no line in the manifest`);
	}
}

function formOf(line: Extract<ManifestLine, { type: 'message' }>): string {
	if (line.attachments.length > MAX_PARTS || !isRecipeDue(line)) {
		throw new Error(
			`Cannot compose bundle: the line for message "${line.id}" lists more than ${MAX_PARTS} parts, or is a recipe without an attachment or the other way round`,
		);
	}
	return line.recipe === undefined ? line.codec : RECIPE[line.codec];
}
