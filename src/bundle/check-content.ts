import type { ManifestLine } from '../domain/index.ts';
import { isRecipeDue, MAX_PARTS } from './item-lines.ts';
import { MAX_ENTRIES } from './layout.ts';
import { allowsLine } from './marker.ts';
import type { BundleContent } from './writer.ts';

/** Messages and attachments that one bundle may hold together, beside the marker and the manifest. */
export const MAX_ITEMS = MAX_ENTRIES - 2;

/** Throws where a reader would refuse the bundle: that is a fault of the program, found before a byte is written. */
export function checkContent({ kind, messages, attachments, lines }: BundleContent): void {
	const items = messages.length + attachments.length;
	if (items > MAX_ITEMS) throw new Error(`Cannot compose bundle: it has ${items} messages and attachments (${MAX_ITEMS} at most)`);
	const forms = new Map<string, string>();
	function add(item: string, form: string): void {
		if (forms.has(item)) throw new Error(`Cannot compose bundle: ${item} is there twice`);
		forms.set(item, form);
	}
	for (const { id, codec, recipe } of messages) add(`message "${id}"`, recipe ? `recipe, ${codec}` : codec);
	for (const { id, codec } of attachments) add(`attachment "${id}"`, codec);
	for (const line of lines) {
		if (!allowsLine(kind, line)) throw new Error(`Cannot compose bundle: a line of type "${line.type}" is in a bundle of kind "${kind}"`);
		if (line.type !== 'message' && line.type !== 'attachment') continue;
		const item = `${line.type} "${line.id}"`;
		if (forms.get(item) !== (line.type === 'message' ? formOf(line) : line.codec)) {
			throw new Error(`Cannot compose bundle: the line for ${item} has no entry, has another codec or form, or is there twice`);
		}
		forms.delete(item);
	}
	for (const item of forms.keys()) throw new Error(`Cannot compose bundle: ${item} has no line in the manifest`);
}

function formOf(line: Extract<ManifestLine, { type: 'message' }>): string {
	if (line.attachments.length > MAX_PARTS || !isRecipeDue(line)) {
		throw new Error(
			`Cannot compose bundle: the line for message "${line.id}" lists more than ${MAX_PARTS} parts, or is a recipe without an attachment or the other way round`,
		);
	}
	return line.recipe === undefined ? line.codec : `recipe, ${line.codec}`;
}
