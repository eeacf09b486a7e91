import { expect, it } from 'vitest';
import { SeenTags } from '../../src/encryption/seen-tags.ts';
import { failureOf, plainOf } from './sample-files.ts';

it('SeenTags knows every tag again, however many there are', async () => {
	const seen = new SeenTags();
	const tags = plainOf(5000 * 16);
	const tag = (index: number): Uint8Array => tags.subarray(index * 16, (index + 1) * 16);
	for (let round = 0; round < 2; round++) {
		for (let index = 0; index < 5000; index++) seen.check(index, tag(index));
	}
	for (const index of [0, 1, 1023, 1024, 1025, 2047, 2048, 4999]) {
		expect(await failureOf(() => seen.check(index, tag(index === 0 ? 1 : 0)))).toBe('archive-damaged content-changed');
	}
});
