import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeBundle, MAX_ITEMS, openBundle, verifyEntries } from '../../src/bundle/index.ts';
import { bundleOf, collect, mixedContentOf, oddContent, sourceOf, written } from './sample-content.ts';

const JUDGES = [
	['unzip', ['-tq']],
	['7z', ['t']],
	['python3', ['-c', 'import sys, zipfile; bad = zipfile.ZipFile(sys.argv[1]).testzip(); sys.exit(f"bad: {bad}" if bad else 0)']],
] as const;
const REWRITE = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as old, zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_STORED) as new:
    for name in old.namelist():
        new.writestr(zipfile.ZipInfo(name), old.read(name))
`;

function isMissing(program: string): boolean {
	const missing = spawnSync(program, ['--help']).error !== undefined;
	if (missing) console.warn(`skipped: needs ${program}`);
	return missing;
}

let folder = '';

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'mailseal-judges-'));
	const many = Array.from({ length: MAX_ITEMS }, (_value, index) => Buffer.from(`Subject: ${index}\n\n`.repeat(1 + (index % 7))));
	const attachments = Array.from({ length: 50 }, (_value, index) => Buffer.alloc(1 + index * 1000, `${index} `));
	const sealed = composeBundle({ kind: 'attachments', ...mixedContentOf({ attachments }) });
	writeFileSync(join(folder, 'odd.zip'), (await written(composeBundle({ kind: 'volatile', ...oddContent() }))).bytes);
	writeFileSync(join(folder, 'many.zip'), await bundleOf(many));
	writeFileSync(join(folder, 'attachments.zip'), (await written(sealed)).bytes);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(JUDGES)('%s', (program, args) => {
	it.skipIf(isMissing(program)).each(['odd', 'many', 'attachments'])('finds nothing wrong with %s.zip', (name) => {
		const { status, stdout, stderr } = spawnSync(program, [...args, join(folder, `${name}.zip`)], { encoding: 'utf8' });
		expect(`${status} ${status === 0 ? '' : stdout + stderr}`).toBe('0 ');
		expect(stdout + stderr).not.toMatch(/warning/i);
	});

	it.skipIf(isMissing(program))('finds a flipped bit', () => {
		const bytes = readFileSync(join(folder, 'odd.zip'));
		bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
		writeFileSync(join(folder, 'bad.zip'), bytes);
		expect(spawnSync(program, [...args, join(folder, 'bad.zip')]).status).not.toBe(0);
	});
});

describe('openBundle()', () => {
	it.skipIf(isMissing('python3'))('takes a bundle that Python wrote', async () => {
		execFileSync('python3', ['-c', REWRITE, join(folder, 'odd.zip'), join(folder, 'python.zip')]);
		const source = sourceOf(readFileSync(join(folder, 'python.zip')));
		const bundle = await openBundle(source);
		expect([bundle.messages.size, bundle.attachments.size]).toEqual([oddContent().messages.length, oddContent().attachments.length]);
		expect(await collect(verifyEntries(source, bundle, { decode: true, signal: new AbortController().signal }))).toEqual([]);
	});
});
