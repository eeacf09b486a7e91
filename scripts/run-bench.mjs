// Runs one file of bench/: node scripts/run-bench.mjs NAME [options]. Node 20 does not run TypeScript itself.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { insteadOf } from './instead-of.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const parts = new Set(['tree', 'life']);
const names = readdirSync(join(root, 'bench'))
	.filter((file) => file.endsWith('.ts'))
	.map((file) => file.slice(0, -3))
	.filter((name) => !parts.has(name));
const [name, ...options] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
	console.error(`usage: node scripts/run-bench.mjs NAME [options]; NAME is one of: ${names.join(', ')}`);
	process.exit(2);
}

// A bundle of certificates that Node reads at each start, in longer than the start itself: it is of the machine, not of what is measured.
delete process.env.NODE_EXTRA_CA_CERTS;

// Inside the project, where packages that cannot be bundled are found.
const out = join(root, 'bench', 'out');
mkdirSync(out, { recursive: true });
const folder = mkdtempSync(join(out, 'run-'));
try {
	const program = join(folder, `${name}.mjs`);
	await build({
		absWorkingDir: root,
		bundle: true,
		platform: 'node',
		target: 'node20',
		external: ['better-sqlite3'],
		...insteadOf,
		legalComments: 'none',
		logLevel: 'warning',
		entryPoints: [`bench/${name}.ts`],
		outfile: program,
		format: 'esm',
		banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
	});
	const { status, signal } = spawnSync(process.execPath, [program, ...options], { cwd: root, stdio: 'inherit' });
	process.exitCode = status ?? 128 + (constants.signals[signal] ?? 0);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
