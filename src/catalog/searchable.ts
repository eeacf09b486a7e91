const UNSPACED = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/gu;
const BEYOND_ASCII = /[^\0-\x7f]/;
/** Only these: taking U+3099 from kana would make other letters of them. */
const COMBINING_MARKS = /[\u0300-\u036f]/g;

/**
 * Text as the index takes it. Scripts written without spaces become one word a character, so that a part of a sentence is found.
 * Diacritics go here, since the index knows only the Latin ones.
 */
export function searchable(text: string | undefined): string | null {
	if (text === undefined) return null;
	if (!BEYOND_ASCII.test(text)) return text;
	return text.normalize('NFKD').replace(COMBINING_MARKS, '').normalize('NFC').replace(UNSPACED, ' $& ');
}
