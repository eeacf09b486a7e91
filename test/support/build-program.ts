import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll } from 'vitest';
import { buildChunks, chunksApart } from '../../scripts/chunks.mjs';
import { insteadOf } from '../../scripts/instead-of.mjs';
import { noSubprograms } from '../../scripts/no-subprograms.mjs';
import { sqliteInside } from '../../scripts/sqlite-inside.mjs';

const ROOT = join(import.meta.dirname, '..', '..');

/** Compiled modules stay outside of what is built, and are found here. */
export const NODE_PATH = join(ROOT, 'node_modules');

/**
 * Builds `entry` (relative to the repository) as scripts/build.mjs builds the program, for the time of a test file: what runs is
 * never older than the source, and no other build can take it away meanwhile. `chunks`: with the packages that reach targets and
 * encrypt, which take a second to build.
 */
export function builtFile(entry: string, { chunks = false }: { readonly chunks?: boolean } = {}): { readonly path: string } {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-built-'));
	const path = join(folder, 'built.cjs');
	beforeAll(async () => {
		await build({
			entryPoints: [join(ROOT, entry)],
			outfile: path,
			bundle: true,
			platform: 'node',
			target: 'node20',
			format: 'cjs',
			...insteadOf,
			loader: { '.py': 'text' },
			minifySyntax: true,
			supported: { 'dynamic-import': false },
			logLevel: 'error',
			plugins: [chunksApart, noSubprograms, sqliteInside],
		});
		if (chunks) await buildChunks(folder);
	});
	afterAll(() => rmSync(folder, { recursive: true, force: true }));
	return { path };
}
