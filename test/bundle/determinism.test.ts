import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insteadOf } from '../../scripts/instead-of.mjs';
import { composeBundle, decodeItem, openBundle } from '../../src/bundle/index.ts';
import { type AttachmentId, parseAccountName, parseAttachmentId, parseFolderName } from '../../src/domain/index.ts';
import { contentOf, oddContent, sourceOf, written } from './sample-content.ts';
import { rebuildSample, SAMPLE_MESSAGE, sampleRecipeContent } from './sample-recipe.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FIXTURES = new URL('../../fixtures/bundles/', import.meta.url);
let folder = '';

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'mailseal-determinism-'));
	await build({
		stdin: {
			contents: `
				import { composeBundle } from './src/bundle/index.ts';
				import { oddContent } from './test/bundle/sample-content.ts';
				const draft = composeBundle({ kind: 'volatile', ...oddContent() });
				draft.write(() => {}, new AbortController().signal).then((id) => process.stdout.write(id));
			`,
			resolveDir: ROOT,
		},
		absWorkingDir: ROOT,
		bundle: true,
		platform: 'node',
		format: 'cjs',
		...insteadOf,
		outfile: join(folder, 'compose.cjs'),
		logLevel: 'error',
	});
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The fixture; one that is missing is made of `bytes` where fixtures are to be updated, one that is there never changes. */
function fixtureOf(name: string, bytes: Uint8Array): Buffer {
	const file = new URL(name, FIXTURES);
	if (process.env.UPDATE_FIXTURES !== undefined && !existsSync(file)) writeFileSync(file, bytes);
	return readFileSync(file);
}

describe('a bundle', () => {
	it.each(['Asia/Tokyo', 'America/New_York', 'Pacific/Apia', 'UTC'])('has the same bytes in %s, built as it is published', async (zone) => {
		const { id } = await written(composeBundle({ kind: 'volatile', ...oddContent() }));
		const env = { ...process.env, TZ: zone, LANG: 'de_DE.UTF-8' };
		expect(execFileSync(process.execPath, [join(folder, 'compose.cjs')], { env, encoding: 'utf8' })).toBe(id);
	});

	it('has the bytes that format 1 always had', async () => {
		const content = contentOf([Buffer.from('Subject: one\n\nOne.\n'), Buffer.from('Subject: two\n\nTwo.\n'.repeat(30))]);
		const account = parseAccountName('ann@example.org');
		const [message] = content.messages;
		if (message === undefined) throw new Error('no content');
		content.lines.push({
			type: 'placed',
			account,
			folder: parseFolderName('Projects/Über'),
			key: '1700000000.M1P2.host',
			message: message.id,
			flags: ['flagged', 'seen'],
			keywords: ['$Important'],
			date: '2026-11-23T02:15:00.000Z',
			uid: 7,
			dir: 'cur',
			info: ':2,FS',
			owner: [1000, 1000],
		});
		const { bytes } = await written(composeBundle({ kind: 'volatile', ...content }));
		expect(bytes.equals(fixtureOf('volatile-libdeflate-format-1.zip', bytes))).toBe(true);
		for (const name of ['volatile-format-1.zip', 'volatile-libdeflate-format-1.zip']) {
			expect((await openBundle(sourceOf(fixtureOf(name, bytes)))).lines).toEqual(content.lines);
		}
	});

	it('with a recipe and its attachments has the bytes that it always had', async () => {
		const content = sampleRecipeContent();
		const { bytes } = await written(composeBundle({ kind: 'volatile', ...content }));
		expect(bytes.equals(fixtureOf('recipe-libdeflate-format-1.zip', bytes))).toBe(true);
	});

	it.each(['recipe-format-1.zip', 'recipe-libdeflate-format-1.zip'])('gives back the message with its attachments: %s', async (name) => {
		const content = sampleRecipeContent();
		const fixture = fixtureOf(name, Buffer.alloc(0));
		const bundle = await openBundle(sourceOf(fixture));
		expect(bundle.lines).toEqual(content.lines);
		const attachments = new Map<AttachmentId, Buffer>();
		for (const line of bundle.lines) {
			const place = line.type === 'attachment' ? bundle.attachments.get(line.id) : undefined;
			if (line.type !== 'attachment' || place === undefined) continue;
			attachments.set(line.id, Buffer.from(decodeItem(fixture.subarray(place.offset, place.offset + place.length), line)));
		}
		const recipe = [...bundle.messages.values()].find((place) => place.recipe);
		if (recipe === undefined) throw new Error('no recipe');
		const rebuilt = rebuildSample(
			fixture.subarray(recipe.offset, recipe.offset + recipe.length),
			(id) => attachments.get(parseAttachmentId(id)) ?? Buffer.alloc(0),
		);
		expect(rebuilt.equals(SAMPLE_MESSAGE)).toBe(true);
	});
});
