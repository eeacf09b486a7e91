import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawJson, drawJsonError } from '../../src/cli/json.ts';
import type { Finding } from '../../src/domain/index.ts';

const finding: Finding = { code: 'message-unreadable', severity: 'warning', subject: 'a/INBOX/1', text: 'permission denied' };

describe('drawJson()', () => {
	it('wraps result and findings in the envelope, with every key of a finding', () => {
		const text = [...drawJson({ command: 'pack', result: { snapshot: null }, findings: [finding, { ...finding, hint: 'chmod' }] })].join(
			'',
		);
		expect(text).toBe(
			'{"mailseal":1,"command":"pack","result":{"snapshot":null},"findings":[' +
				'{"code":"message-unreadable","severity":"warning","subject":"a/INBOX/1","text":"permission denied","hint":null},' +
				'{"code":"message-unreadable","severity":"warning","subject":"a/INBOX/1","text":"permission denied","hint":"chmod"}]}\n',
		);
	});

	it('gives a long list in pieces that together are the same object', () => {
		const result = { rows: Array.from({ length: 2500 }, (_, n) => ({ n })), more: true };
		const pieces = [...drawJson({ command: 'ls', result, findings: [] })];
		expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(20_000);
		expect(JSON.parse(pieces.join(''))).toEqual({ mailseal: 1, command: 'ls', result, findings: [] });
	});

	it('gives what stands beside the rows too', () => {
		const result = { rows: [{ n: 1 }], more: false, bundles: [{ id: 'ab' }, { id: 'cd' }] };
		expect([...drawJson({ command: 'ls', result, findings: [] })].join('')).toBe(
			'{"mailseal":1,"command":"ls","result":{"rows":[{"n":1}],"more":false,"bundles":[{"id":"ab"},{"id":"cd"}]},"findings":[]}\n',
		);
	});

	it('gives seconds to the millisecond, and leaves other numbers and the order of keys alone', () => {
		const result = { bytes: 0.1 + 0.2, seconds: 0.023444996000000003, dryRun: false };
		expect([...drawJson({ command: 'restore', result, findings: [] })].join('')).toContain(
			'"result":{"bytes":0.30000000000000004,"seconds":0.023,"dryRun":false}',
		);
	});

	it('gives the seconds of a result within the result to the millisecond too', () => {
		const result = { seconds: 1.23456, sync: { seconds: 0.1 + 0.2, damaged: [] }, parent: null };
		expect([...drawJson({ command: 'pack', result, findings: [] })].join('')).toContain(
			'"result":{"seconds":1.235,"sync":{"seconds":0.3,"damaged":[]},"parent":null}',
		);
	});

	it('gives lists of no rows and results of rows alone', () => {
		for (const result of [{ rows: [] }, { rows: [1] }, { rows: [], more: false }]) {
			expect(JSON.parse([...drawJson({ command: 'ls', result, findings: [] })].join('')).result).toEqual(result);
		}
	});

	it('says the same value without any character that a terminal obeys', () => {
		fc.assert(
			fc.property(fc.string({ unit: 'binary', maxLength: 50 }), (subject) => {
				const text = [...drawJson({ command: 'search', result: { rows: [{ subject }], more: false }, findings: [] })].join('');
				expect(text.slice(0, -1)).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u);
				expect(JSON.parse(text).result.rows[0].subject).toBe(subject);
			}),
			{ numRuns: process.env.SLOW === undefined ? 300 : 20_000, seed: 3 },
		);
	});
});

describe('drawJsonError()', () => {
	it('wraps a failure in the envelope', () => {
		const text = drawJsonError({ command: 'status', code: 'not-found', text: 'Cannot open it', hint: null, findings: [] });
		expect(text).toBe('{"mailseal":1,"command":"status","error":{"code":"not-found","text":"Cannot open it","hint":null},"findings":[]}\n');
	});
});
