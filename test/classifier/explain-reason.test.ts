import { expect, it } from 'vitest';
import { explainReason } from '../../src/classifier/index.ts';
import type { Reason } from '../../src/domain/index.ts';

const REASONS = Object.keys({
	quiet: 0,
	recent: 0,
	'recently-changed': 0,
	unread: 0,
	'never-folder': 0,
	draft: 0,
	'deleted-marked': 0,
	'date-in-future': 0,
} satisfies Record<Reason, 0>) as Reason[];

it('explainReason() says something else for each reason, without a full stop or a line break', () => {
	const texts = REASONS.map(explainReason);
	expect(new Set(texts).size).toBe(REASONS.length);
	for (const text of texts) expect(text).toMatch(/^[a-z][^.\n]{15,100}$/);
});
