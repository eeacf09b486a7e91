const UNSPACED = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/u;
const UNSPACED_ALL = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/gu;

/** Text as the index takes it. Scripts written without spaces become one word a character, so that a part of a sentence is found. */
export function searchable(text: string | undefined): string | null {
	if (text === undefined) return null;
	return UNSPACED.test(text) ? text.replace(UNSPACED_ALL, ' $& ') : text;
}
