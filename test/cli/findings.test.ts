import { describe, expect, it } from 'vitest';
import { drawFinding, drawFindings } from '../../src/cli/findings.ts';
import type { Finding } from '../../src/domain/index.ts';

function finding(subject: string, code = 'message-unreadable'): Finding {
	return { code, severity: 'warning', subject, text: 'permission denied', hint: 'run as root' };
}

describe('drawFinding()', () => {
	it('tells severity, subject, case, advice and code in one line', () => {
		expect(drawFinding(finding('a/INBOX/1'), false)).toBe('warning: a/INBOX/1: permission denied; run as root [message-unreadable]');
	});

	it('colours the severity only where that is welcome, and escapes the rest', () => {
		expect(drawFinding(finding('a\u001b[0m'), true)).toBe(
			'\u001b[33mwarning\u001b[0m: a\\x1b[0m: permission denied; run as root [message-unreadable]',
		);
	});
});

describe('drawFindings()', () => {
	const many = Array.from({ length: 1234 }, (_, n) => finding(`m${n}`));

	it('shows ten of a kind and counts the rest', () => {
		const lines = [...drawFindings([...many, finding('x', 'other')], { lively: false, all: false })];
		expect(lines).toHaveLength(12);
		expect(lines.at(-2)).toContain('[other]');
		expect(lines.at(-1)).toBe('and 1,224 more of [message-unreadable]; --json lists all');
	});

	it('shows all where they are the result', () => {
		expect([...drawFindings(many, { lively: false, all: true })]).toHaveLength(1234);
	});
});
