import type { Finding, Severity } from '../domain/index.ts';
import { formatCount, printable } from './text.ts';

const COLOUR: Readonly<Record<Severity, string>> = { error: '\u001b[31m', warning: '\u001b[33m', note: '\u001b[2m' };
const PLAIN = '\u001b[0m';
const EACH_KIND = 10;

/** One line: severity, what it is about, what is the case, what to do, and the code. */
export function drawFinding(finding: Finding, lively: boolean): string {
	const severity = lively ? `${COLOUR[finding.severity]}${finding.severity}${PLAIN}` : finding.severity;
	const hint = finding.hint === undefined ? '' : `; ${printable(finding.hint)}`;
	return `${severity}: ${printable(finding.subject)}: ${printable(finding.text)}${hint} [${printable(finding.code)}]`;
}

/** Findings for people: the first ten of each code, and how many more there are. `all` shows every one. */
export function* drawFindings(
	findings: readonly Finding[],
	options: { readonly lively: boolean; readonly all: boolean },
): Generator<string> {
	const seen = new Map<string, number>();
	for (const finding of findings) {
		const before = seen.get(finding.code) ?? 0;
		seen.set(finding.code, before + 1);
		if (options.all || before < EACH_KIND) yield drawFinding(finding, options.lively);
	}
	if (options.all) return;
	for (const [code, count] of seen) {
		if (count > EACH_KIND) yield `and ${formatCount(count - EACH_KIND)} more of [${printable(code)}]; --json lists all`;
	}
}
