// Builds the published program and the library. The program is one CommonJS file: it starts in half the time of ES
// modules read one by one, and in less beside the code that V8 made of it. Of better-sqlite3 the compiled part stays outside; the
// library leaves all of it there, since the program around it may use it too.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { buildChunks, chunksApart } from './chunks.mjs';
import { insteadOf } from './instead-of.mjs';
import { licencesOf } from './licences.mjs';
import { noSubprograms } from './no-subprograms.mjs';
import { sqliteInside } from './sqlite-inside.mjs';
import { V8_FLAGS } from './v8-flags.mjs';

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');

const shared = {
	bundle: true,
	metafile: true,
	platform: 'node',
	target: 'node20',
	...insteadOf,
	loader: { '.py': 'text' },
	legalComments: 'none',
	logLevel: 'warning',
	plugins: [chunksApart],
};
const chunks = await buildChunks('dist');
const starter = await build({
	...shared,
	entryPoints: ['src/cli/start.ts'],
	outfile: 'dist/mailseal.cjs',
	format: 'cjs',
	define: { V8_FLAGS: JSON.stringify(V8_FLAGS) },
	minifySyntax: true,
	banner: { js: '#!/usr/bin/env node' },
});
const program = await build({
	...shared,
	entryPoints: ['src/cli/bin.ts'],
	outfile: 'dist/program.cjs',
	format: 'cjs',
	plugins: [chunksApart, noSubprograms, sqliteInside],
	// Compiled code that is taken from a file cannot import: V8 keeps no way back to who runs it. The chunks are CommonJS anyway.
	supported: { 'dynamic-import': false },
	minifySyntax: true,
	banner: { js: '(function (exports, require, module, __filename, __dirname) {' },
	footer: { js: '})' },
});
execFileSync(process.execPath, ['scripts/compile-program.mjs', 'dist'], { stdio: ['ignore', 'ignore', 'inherit'] });
const library = await build({
	...shared,
	entryPoints: ['src/index.ts'],
	outfile: 'dist/index.js',
	format: 'esm',
	external: ['better-sqlite3'],
	// yauzl is CommonJS and calls require for Node's own modules.
	banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
});
writeFileSync('dist/LICENCES.txt', licencesOf([...chunks, ...[starter, program, library].map(({ metafile }) => metafile)]));

chmodSync('dist/mailseal.cjs', 0o755);
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json'], { stdio: 'inherit' });
