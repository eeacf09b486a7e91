import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { insteadOf } from './scripts/instead-of.mjs';

// .ci/run counts the tests from the runner's own report.
const report = process.env.MAILSEAL_TEST_REPORT;

export default defineConfig({
	resolve: { alias: insteadOf.alias },
	plugins: [
		{
			// recover.py is embedded as text, as in the published program.
			name: 'python-as-text',
			load(id) {
				return id.endsWith('.py') ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))};` : null;
			},
		},
	],
	test: {
		include: ['test/**/*.test.ts'],
		testTimeout: 60_000,
		hookTimeout: 60_000,
		pool: 'forks',
		// One for each core of a small machine: the tests wait for child processes and disks as often as they compute.
		maxWorkers: 2,
		reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
	},
});
