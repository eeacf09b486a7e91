import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { splitMessage } from '../../src/attachments/index.ts';
import { decodeBase64 } from '../../src/attachments/take-apart.ts';
import { sharedData } from '../support/shared-data.ts';
import { checkLaws } from './laws.ts';

/** Bytes of a leaf that counts. */
const LARGE = 1024;

describe('public mail', () => {
	const folder = sharedData('mail/eml');

	it.skipIf(folder === null)('is rebuilt byte for byte, and 99 of 100 large base64 leaves are stored decoded', () => {
		const reasons = new Map<string, number>();
		for (const name of readdirSync(folder ?? '')) {
			const message = readFileSync(join(folder ?? '', name));
			const { problem } = checkLaws(message, { minimum: LARGE, sizes: [60_000, 1, 77] });
			expect(problem).toBeNull();
			for (const { start, end, encoding } of splitMessage(message).leaves) {
				if (encoding !== 'base64' || end - start < LARGE) continue;
				const { text } = decodeBase64(message.subarray(start, end));
				const outcome = typeof text === 'string' ? text : 'decoded';
				reasons.set(outcome, (reasons.get(outcome) ?? 0) + 1);
			}
		}
		const all = [...reasons.values()].reduce((sum, count) => sum + count, 0);
		expect(all).toBeGreaterThan(300);
		expect((reasons.get('decoded') ?? 0) / all).toBeGreaterThanOrEqual(0.99);
	});
});
