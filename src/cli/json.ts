import type { Finding } from '../domain/index.ts';

/** Version of the envelope that every object on standard output comes in. */
export const ENVELOPE = 1;

// JSON.stringify leaves C1 controls and direction marks as they are, and a terminal would obey them; as escapes they
// are the same JSON value.
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
const PIECE = 1000;

function encode(value: unknown): string {
	return JSON.stringify(value).replace(UNSAFE, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

function plainFindings(findings: readonly Finding[]): readonly unknown[] {
	return findings.map(({ code, severity, subject, text, hint }) => ({ code, severity, subject, text, hint: hint ?? null }));
}

function hasRows(value: object): value is { readonly rows: readonly unknown[] } {
	return 'rows' in value && Array.isArray(value.rows);
}

/** Pieces of a list, so that no string grows as long as a million rows. */
function* encodeList(list: readonly unknown[]): Generator<string> {
	yield '[';
	for (let i = 0; i < list.length; i += PIECE) {
		yield (i === 0 ? '' : ',') + encode(list.slice(i, i + PIECE)).slice(1, -1);
	}
	yield ']';
}

/** Seconds to the millisecond, also those of a result within it: the digits behind are what is left of a subtraction of clocks. */
function roundSeconds(value: object): object {
	const rounded = Object.entries(value).map(([key, part]) => {
		if (key === 'seconds' && typeof part === 'number') return [key, Math.round(part * 1000) / 1000];
		return [key, isPlain(part) ? roundSeconds(part) : part];
	});
	return Object.fromEntries(rounded);
}

function isPlain(value: unknown): value is object {
	return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function* encodeObject(value: object): Generator<string> {
	if (!hasRows(value)) return yield encode(value);
	const { rows, ...rest } = value;
	yield '{"rows":';
	yield* encodeList(rows);
	const tail = encode(rest);
	yield tail === '{}' ? '}' : `,${tail.slice(1)}`;
}

/** One object for programs, in pieces, with a line feed at its end. */
export function* drawJson(answer: {
	readonly command: string;
	readonly result: object;
	readonly findings: readonly Finding[];
}): Generator<string> {
	yield `{"mailseal":${ENVELOPE},"command":${encode(answer.command)},"result":`;
	yield* encodeObject(roundSeconds(answer.result));
	yield ',"findings":';
	yield* encodeList(plainFindings(answer.findings));
	yield '}\n';
}

/** The same for a call that failed. `command` is null where no command could be told. */
export function drawJsonError(failure: {
	readonly command: string | null;
	readonly code: string;
	readonly text: string;
	readonly hint: string | null;
	readonly findings: readonly Finding[];
}): string {
	const { command, code, text, hint } = failure;
	const findings = plainFindings(failure.findings);
	return `${encode({ mailseal: ENVELOPE, command, error: { code, text, hint }, findings })}\n`;
}
