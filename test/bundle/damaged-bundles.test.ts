import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openBundle, verifyEntries } from '../../src/bundle/index.ts';
import { MailsealError } from '../../src/domain/index.ts';
import { attachmentsBundle, damagedBundles, mixedBundle, soundBundle } from '../support/make-damaged-bundles.ts';
import { collect, sourceOf } from './sample-content.ts';

const FOLDER = new URL('../../fixtures/damaged/', import.meta.url);

if (process.env.UPDATE_FIXTURES !== undefined) {
	rmSync(FOLDER, { recursive: true, force: true });
	mkdirSync(FOLDER);
	for (const [name, bytes] of damagedBundles()) writeFileSync(new URL(name, FOLDER), bytes);
}

const NAMES = readdirSync(FOLDER).sort();

/** The code of the first damage that is found, or null for a sound bundle. */
async function firstDamage(bytes: Uint8Array, options: { readonly localHeaders: boolean }): Promise<string | null> {
	const source = sourceOf(bytes);
	try {
		const bundle = await openBundle(source, options);
		const found = await collect(verifyEntries(source, bundle, { decode: true, signal: new AbortController().signal }));
		return found[0]?.damage ?? null;
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
		expect(error.message).toMatch(/^Cannot .+: .+[^.]$/s);
		expect(error.hint).toBeDefined();
		return error.code === 'archive-damaged' ? String(error.details.damage) : error.code;
	}
}

describe('fixtures/damaged', () => {
	it('holds exactly what the generator makes', () => {
		const made = damagedBundles();
		expect(NAMES).toEqual([...made.keys()].sort());
		for (const [name, bytes] of made) expect(readFileSync(new URL(name, FOLDER)).equals(bytes), name).toBe(true);
	});

	it.each([
		['messages', soundBundle],
		['recipes and attachments', mixedBundle],
		['sealed attachments', attachmentsBundle],
	])('is made from a bundle of %s that is sound', async (_what, make) => {
		expect(await firstDamage(make(), { localHeaders: true })).toBeNull();
	});

	it.each(NAMES)('%s is refused with the code that it is named by', async (name) => {
		const bytes = readFileSync(new URL(name, FOLDER));
		expect(await firstDamage(bytes, { localHeaders: true })).toBe(name.slice(0, name.indexOf('.')));
	});

	it.each(NAMES)('%s is refused without a look at local headers, unless only they are wrong', async (name) => {
		const bytes = readFileSync(new URL(name, FOLDER));
		const code = name.slice(0, name.indexOf('.'));
		expect(await firstDamage(bytes, { localHeaders: false })).toBe(code.startsWith('local-') ? null : code);
	});
});
