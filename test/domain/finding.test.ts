import { expect, it } from 'vitest';
import { type Finding, needsAttention } from '../../src/domain/index.ts';

const finding = { code: 'message-unreadable', subject: 'alice/INBOX/1', text: 'it cannot be read' };

it.each([
	['error', true],
	['warning', true],
	['note', false],
] as const)('needsAttention() of a finding that is an %s is %s', (severity, expected) => {
	expect(needsAttention({ ...finding, severity } satisfies Finding)).toBe(expected);
});
