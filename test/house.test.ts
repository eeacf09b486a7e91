import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

function filesIn(folder: string): string[] {
	return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

function text(path: string): string {
	return readFileSync(join(ROOT, path), 'utf8');
}

function lineOf(whole: string, index: number): number {
	return whole.slice(0, index).split('\n').length;
}

/** Text without comments and quoted text, line for line. */
function codeOf(path: string): string {
	const blank = (match: string): string => match.replace(/[^\n]/g, ' ');
	return text(path).replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, blank);
}

test('no source file is longer than 400 lines', () => {
	const long = ['src', 'bench', 'scripts']
		.flatMap(filesIn)
		.filter((path) => /\.(ts|mjs|py)$/.test(path))
		.map((path) => ({ path, lines: text(path).split('\n').length - 1 }))
		.filter(({ lines }) => lines > 400);
	expect(long).toEqual([]);
});

test('no file is a drawer: none is named util, helper, manager or common', () => {
	const drawers = ['src', 'bench', 'scripts', 'test']
		.flatMap(filesIn)
		.filter((path) => /(^|[/.-])(util|helper|manager|common)s?([/.-]|$)/i.test(path));
	expect(drawers).toEqual([]);
});

test('files are named in kebab-case', () => {
	const odd = ['src', 'bench', 'scripts', 'test']
		.flatMap(filesIn)
		.map((path) => path.split('/').at(-1) ?? '')
		.filter((name) => /\.(ts|mjs|cjs|py)$/.test(name) && !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)+$/.test(name));
	expect(odd).toEqual([]);
});

test('every room of src has a door', () => {
	const rooms = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== 'cli');
	expect(rooms.length).toBeGreaterThan(5);
	for (const { name } of rooms) expect(filesIn(join('src', name))).toContain(`src/${name}/index.ts`);
});

test('the lock file names no place to download from: whoever installs asks the registry that is set', () => {
	const lock = JSON.parse(text('package-lock.json')) as { packages: Record<string, { resolved?: string; integrity?: string }> };
	const packages = Object.entries(lock.packages).filter(([name]) => name !== '');
	expect(packages.length).toBeGreaterThan(10);
	expect(packages.filter(([, { resolved }]) => resolved !== undefined).map(([name]) => name)).toEqual([]);
	expect(packages.filter(([, { integrity }]) => integrity === undefined).map(([name]) => name)).toEqual([]);
});

test('the environment, the console and the way out belong to the command line', () => {
	const found: string[] = [];
	for (const path of filesIn('src').filter((name) => name.endsWith('.ts') && !name.startsWith('src/cli/'))) {
		const code = codeOf(path);
		for (const match of code.matchAll(/\bprocess\s*\.\s*(env|exit|argv|stdout|stderr|stdin)\b|\bconsole\b|from '(node:)?process'/g)) {
			found.push(`${path}:${lineOf(code, match.index)} ${match[0]}`);
		}
	}
	expect(found).toEqual([]);
});

test('what is pure touches no clock, no randomness and no files', () => {
	const found: string[] = [];
	for (const path of ['domain', 'bundle', 'attachments', 'classifier'].flatMap((room) => filesIn(join('src', room)))) {
		if (!path.endsWith('.ts')) continue;
		const code = codeOf(path);
		for (const match of code.matchAll(/\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.now\b/g)) {
			found.push(`${path}:${lineOf(code, match.index)} ${match[0]}`);
		}
		for (const match of text(path).matchAll(/from '(node:)?(fs|fs\/promises|os|child_process|net|http)'/g))
			found.push(`${path} ${match[0]}`);
	}
	expect(found).toEqual([]);
});
