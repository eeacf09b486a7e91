const LONGEST = 200;
/** Room for the number of a file whose name is taken: ` (99999)`. */
const NUMBER = 8;
const LONGEST_EXTENSION = 20;

// Control characters, halves of surrogate pairs and marks that turn the reading direction, as on a terminal; then what file
// systems that Windows knows refuse or take for something else (`x:y` is a stream of x).
const REPLACED = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff<>:"|?*]/gu;
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;

/**
 * A name under which a file from a stranger may be written into a folder: the base name, of at most 200 bytes of UTF-8, without
 * characters that file systems and terminals take for something else. Never empty, never hidden.
 */
export function safeFileName(name: string): string {
	const base = name.split(/[/\\]/).findLast((level) => level !== '') ?? '';
	// A program that is given the file's name would take one that begins with "-" for an option.
	const plain = trimEnd(base.replace(REPLACED, '_').replace(/^[. ]+/, '')).replace(/^-/, '_');
	if (plain === '') return 'attachment';
	const { stem, extension } = divide(DEVICE.test(plain) ? `_${plain}` : plain);
	return trimEnd(cut(stem, LONGEST - Buffer.byteLength(extension)) + extension);
}

/** What names that may come to share numbered names have in common: a stem with room for the number, and an extension. */
export function numberedStem(name: string): { readonly stem: string; readonly extension: string } {
	const { stem, extension } = divide(name);
	return { stem: cut(stem, LONGEST - NUMBER - Buffer.byteLength(extension)), extension };
}

function divide(name: string): { readonly stem: string; readonly extension: string } {
	const dot = name.lastIndexOf('.');
	const extension = dot > 0 ? name.slice(dot) : '';
	if (extension === '' || Buffer.byteLength(extension) > LONGEST_EXTENSION) return { stem: name, extension: '' };
	return { stem: name.slice(0, dot), extension };
}

/** The beginning of a text that takes at most so many bytes of UTF-8, never a part of a character. */
function cut(text: string, bytes: number): string {
	let room = bytes;
	let end = 0;
	for (const character of text) {
		room -= Buffer.byteLength(character);
		if (room < 0) break;
		end += character.length;
	}
	return text.slice(0, end);
}

/** Without the dots and blanks at its end; a pattern would look at a long run of them once for each of its characters. */
function trimEnd(text: string): string {
	let end = text.length;
	while (end > 0 && (text[end - 1] === '.' || text[end - 1] === ' ')) end--;
	return text.slice(0, end);
}
