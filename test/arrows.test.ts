import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from './support/maildir.ts';

const ROOT = join(import.meta.dirname, '..');
const BIOME = join(ROOT, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');

const TOOLS = ['platform', 'bundle', 'attachments', 'classifier', 'encryption'];
const STORES = ['sources', 'remote', 'catalog'];
const BELOW_ARCHIVE = ['domain', ...TOOLS, ...STORES];

/** The rooms that each room may import from: domain, then the tools, then the stores, then archive, then the shells. */
const MAY: Readonly<Record<string, readonly string[]>> = {
	domain: [],
	...Object.fromEntries(TOOLS.map((room) => [room, ['domain']])),
	...Object.fromEntries(STORES.map((room) => [room, ['domain', ...TOOLS]])),
	archive: BELOW_ARCHIVE,
	watch: [...BELOW_ARCHIVE, 'archive'],
	web: [...BELOW_ARCHIVE, 'archive'],
	cli: [...BELOW_ARCHIVE, 'archive', 'watch', 'web'],
};
/** Shells stand side by side; the command line starts the others, so that its arrows to them are not judged here. */
const NOT_JUDGED = new Set(['cli watch', 'cli web']);

const ROOMS = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
	.filter((entry) => entry.isDirectory())
	.map((entry) => entry.name);

/** A tree with the project's own lint rules, in which every room has a door and one thing behind it. */
function plantTree(files: Readonly<Record<string, string>>): string {
	const root = temporaryDirectory();
	copyFileSync(join(ROOT, 'biome.json'), join(root, 'biome.json'));
	const rooms = Object.keys(MAY).flatMap((room) => [
		[`src/${room}/index.ts`, "export { thing } from './thing.ts';\n"],
		[`src/${room}/thing.ts`, "export const thing = 'thing';\n"],
	]);
	for (const [path, text] of [...rooms, ['src/index.ts', "export { thing } from './cli/index.ts';\n"], ...Object.entries(files)]) {
		const file = join(root, String(path));
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(file, String(text));
	}
	return root;
}

/** What the linter says of a tree: the rules that each file breaks, and whether it passed. */
function lint(root: string): { readonly passed: boolean; readonly broken: ReadonlyMap<string, ReadonlySet<string>> } {
	const broken = new Map<string, Set<string>>();
	let output = '';
	let passed = true;
	try {
		output = execFileSync(process.execPath, [BIOME, 'lint', '--colors=off', '--max-diagnostics=none', '--reporter=github'], {
			cwd: root,
			encoding: 'utf8',
			stdio: ['ignore', 'pipe', 'pipe'],
		});
	} catch (error) {
		passed = false;
		output = String((error as { stdout?: string }).stdout ?? '');
	}
	for (const [, rule = '', file = ''] of output.matchAll(/^::error title=lint\/\w+\/(\w+),file=([^,]+),/gm)) {
		const name = relative(root, resolve(root, file));
		broken.set(name, (broken.get(name) ?? new Set()).add(rule));
	}
	return { passed, broken };
}

const importing = (path: string): string => `import { thing } from '${path}';\n\nexport const other = thing;\n`;

test('a tree that keeps to the arrows passes', () => {
	const files: Record<string, string> = {};
	for (const [room, targets] of Object.entries(MAY)) {
		for (const target of targets.filter((name) => ROOMS.includes(name))) {
			files[`src/${room}/to-${target}.ts`] = importing(`../${target}/index.ts`);
			files[`src/${room}/below/to-${target}.ts`] = importing(`../../${target}/index.ts`);
		}
		files[`src/${room}/inside.ts`] = importing('./thing.ts');
	}
	expect(lint(plantTree(files))).toEqual({ passed: true, broken: new Map() });
});

test('an import upward or sideways fails, from every room to every other, at any depth', () => {
	const files: Record<string, string> = {};
	for (const room of ROOMS) {
		for (const target of Object.keys(MAY)) {
			if (target === room || MAY[room]?.includes(target) || NOT_JUDGED.has(`${room} ${target}`)) continue;
			files[`src/${room}/to-${target}.ts`] = importing(`../${target}/index.ts`);
			files[`src/${room}/below/to-${target}.ts`] = importing(`../../${target}/index.ts`);
		}
		if (room !== 'cli') files[`src/${room}/to-door.ts`] = importing('../index.ts');
	}
	const { passed, broken } = lint(plantTree(files));
	expect(passed).toBe(false);
	expect([...broken.keys()].sort()).toEqual(Object.keys(files).sort());
	for (const [file, rules] of broken) expect([...rules], file).toEqual(['noRestrictedImports']);
});

test('an import past another room’s index.ts fails, also where the room itself is allowed', () => {
	const files: Record<string, string> = {};
	for (const room of ROOMS) {
		for (const target of ROOMS.filter((name) => name !== room)) {
			files[`src/${room}/to-${target}.ts`] = importing(`../${target}/thing.ts`);
			files[`src/${room}/below/to-${target}.ts`] = importing(`../../${target}/thing.ts`);
		}
	}
	const { passed, broken } = lint(plantTree(files));
	expect(passed).toBe(false);
	expect([...broken.keys()].sort()).toEqual(Object.keys(files).sort());
});

test('an import cycle fails, within a room and through its index.ts', () => {
	const cycles = {
		'src/bundle/hen.ts': "import { egg } from './egg.ts';\n\nexport const hen = () => egg;\n",
		'src/bundle/egg.ts': "import { hen } from './hen.ts';\n\nexport const egg = () => hen;\n",
		'src/catalog/index.ts': "export { inner } from './inner.ts';\nexport { thing } from './thing.ts';\n",
		'src/catalog/inner.ts': "import { thing } from './index.ts';\n\nexport const inner = () => thing;\n",
	};
	const { passed, broken } = lint(plantTree(cycles));
	expect(passed).toBe(false);
	expect([...broken].map(([file, rules]) => [file, ...rules]).sort()).toEqual(
		Object.keys(cycles)
			.map((file) => [file, 'noImportCycles'])
			.sort(),
	);
});

test('no other way of importing gets past the arrows', () => {
	const files = {
		'src/domain/as-type.ts': "import type { thing } from '../archive/index.ts';\n\nexport type Thing = typeof thing;\n",
		'src/domain/as-export.ts': "export { thing } from '../archive/index.ts';\n",
		'src/domain/as-star.ts': "export * from '../archive/index.ts';\n",
		'src/domain/for-effect.ts': "import '../archive/index.ts';\n",
		'src/domain/later.ts': "export const later = () => import('../archive/index.ts');\n",
	};
	const { broken } = lint(plantTree(files));
	expect([...broken.keys()].sort()).toEqual(Object.keys(files).sort());
});
