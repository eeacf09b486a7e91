import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeManifest, decodeSnapshot, encodeManifest } from '../../src/bundle/index.ts';
import { EXIT_CODES } from '../../src/cli/exit-codes.ts';
import { parseSnapshotName } from '../../src/domain/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DOCUMENTS = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];

function read(path: string): string {
	return readFileSync(join(ROOT, path), 'utf8');
}

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
	return heading
		.toLowerCase()
		.replace(/[^\p{L}\p{N} _-]/gu, '')
		.replaceAll(' ', '-');
}

function anchorsIn(path: string): string[] {
	return [...read(path).matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1] ?? ''));
}

describe('documents', () => {
	it.each(DOCUMENTS)('%s links to files and headings that exist', (document) => {
		const links = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
		for (const link of links.filter((one) => !one.includes('://'))) {
			const [path = '', anchor] = link.split('#');
			const target = path === '' ? document : join(dirname(document), path);
			expect(existsSync(join(ROOT, target)), `${document} links to ${link}`).toBe(true);
			if (anchor !== undefined) expect(anchorsIn(target), `${document} links to ${link}`).toContain(anchor);
		}
	});

	it.each(DOCUMENTS)('%s names only files and folders of the project that exist', (document) => {
		const names = [...read(document).matchAll(/`((?:src|test|fixtures|scripts|bench|\.ci)\/[\w./-]+)`/g)].map((match) => match[1] ?? '');
		for (const name of names) expect(existsSync(join(ROOT, name)) || name.startsWith('bench/out/'), `${document} names ${name}`).toBe(true);
	});

	it.each(['README.md', 'CONTRIBUTING.md'])('%s names the packages that the gate installs', (document) => {
		const packages = (text: string): string[] => {
			const [, names = ''] = /^\s*apt-get install -y ((?:.*\\\n)*.*)$/m.exec(text) ?? [];
			return names
				.replace(/[<>].*/, '')
				.split(/[\s\\]+/)
				.filter((name) => /^[a-z0-9]/.test(name))
				.sort();
		};
		expect(packages(read('.ci/run'))).toContain('openssh-server');
		expect(packages(read(document))).toEqual(packages(read('.ci/run')));
	});

	it.each(['README.md', 'docs/cli.md'])('%s lists every exit code', (document) => {
		const rows = [...read(document).matchAll(/^\| ([0-9]+) \|/gm)].map((match) => Number(match[1]));
		expect(rows).toEqual(EXIT_CODES.map(([code]) => code));
	});
});

describe('docs/format.md', () => {
	const blocks = [...read('docs/format.md').matchAll(/```json\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
	const lines = blocks.flatMap((block) => block.split('\n')).filter((line) => line.startsWith('{"type":'));

	it('shows manifest lines of every type, as the program writes them', () => {
		const types = lines.map((line) => (JSON.parse(line) as { type: string }).type);
		const all = [
			'message',
			'attachment',
			'placed',
			'removed',
			'folder',
			'folder-removed',
			'account',
			'account-removed',
			'control',
			'control-removed',
		];
		expect([...new Set(types)].sort()).toEqual(all.sort());
		const parsed = encodeManifest(decodeManifest(encodeManifest(lines.map((line) => JSON.parse(line)))));
		expect(gunzipSync(parsed).toString('utf8')).toBe(`${lines.join('\n')}\n`);
	});

	it('shows a recipe as it lies in a bundle', () => {
		const recipes = blocks.filter((block) => block.startsWith('{"recipe":'));
		expect(recipes).toHaveLength(1);
		expect(readFileSync(join(ROOT, 'fixtures', 'bundles', 'recipe-format-1.zip')).includes(recipes[0] ?? '-')).toBe(true);
	});

	it('shows a snapshot that the program reads', () => {
		const text = blocks.find((block) => block.startsWith('{\n"format"')) ?? '';
		const time = /"time":"(.*?)\.000Z"/.exec(text)?.[1]?.replaceAll(/[-:]/g, '') ?? '';
		const bytes = Buffer.from(text);
		const name = parseSnapshotName(`${time}Z-${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}`);
		expect(decodeSnapshot(name, bytes).snapshot.bundles).toHaveLength(2);
	});

	it('lists every code by which a damaged bundle is refused', () => {
		const codes = new Set(readdirSync(join(ROOT, 'fixtures', 'damaged')).map((name) => name.slice(0, name.indexOf('.'))));
		const text = read('docs/format.md');
		for (const code of codes) expect(text).toContain(`\`${code}\``);
	});
});
