/** A text in a picture; `attributes` as they stand in the tag. */
export function text(x: number, y: number, words: string, attributes = ''): string {
	return `<text x="${fixed(x)}" y="${fixed(y)}" ${attributes}>${markup(words)}</text>`;
}

/** A length or place, to a tenth. */
export function fixed(value: number): string {
	return String(Math.round(value * 10) / 10);
}

export function markup(words: string): string {
	return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
