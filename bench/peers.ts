import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Effort, type Figure, openSteps, STEP_NAMES, STEPS } from './run/backup-steps.ts';
import { TOOL_NAMES, toolsNamed } from './run/backup-tools.ts';
import { stepTables } from './run/figure-tables.ts';
import { machineLine } from './run/machine.ts';
import { measureShell } from './run/measure.ts';
import { hasOption, namesOption, numberOption, readOptions, textOption } from './run/options.ts';
import { type CacheState, chillTrouble } from './run/page-cache.ts';
import { type Row, tableOf, writeRows } from './run/report.ts';
import { targetRows } from './run/speed-targets.ts';
import { drawSteps } from './run/step-chart.ts';
import { openTools } from './run/tool-field.ts';
import { openTree, openWorkplace } from './run/workplace.ts';

const TREES = { 'real-life': { large: 38_000, small: 400 }, small: { large: 286_000, small: 2000 } } as const;
type TreeName = keyof typeof TREES;

const options = readOptions(['small', 'dir', 'keep', 'trees', 'messages', 'tools', 'steps', 'runs', 'nights', 'cold', 'picture']);
const small = hasOption(options, 'small');
const effort: Effort = {
	runs: numberOption(options, 'runs', 1),
	repeats: small ? 1 : 5,
	nights: numberOption(options, 'nights', small ? 1 : 3),
	extracts: small ? 2 : 10,
	budget: 60,
	settle: !small,
};
const names = toolsNamed(textOption(options, 'tools', TOOL_NAMES.join(',')));
// The catalog is mailseal's alone: how long it takes to make it anew is asked by the bench of scale.
const steps = namesOption(options, 'steps', { all: STEP_NAMES, fallback: STEP_NAMES.filter((step) => step !== 'reindex') });
const treeNames = Object.keys(TREES) as TreeName[];
const trees = namesOption(options, 'trees', { all: treeNames, fallback: treeNames });
const figures: Figure[] = [];
const versions: Record<string, string> = {};
const missing: Record<string, string> = {};
const caches = cacheStates();

const workplace = openWorkplace(options);
try {
	for (const tree of trees) measureTree(tree);
	console.log(tableOf('Seconds and costs of each step', overview()));
	console.log(stepTables(figures, missing));
	console.log(tableOf('Targets', targetRows(figures, 'peers')));
	draw();
} finally {
	workplace.close();
}

function measureTree(bytes: TreeName): void {
	const messages = numberOption(options, 'messages', small ? TREES[bytes].small : TREES[bytes].large);
	const made = openTree(workplace, { bytes, messages, accounts: small ? 4 : 100 });
	const place = join(workplace.scratch, bytes);
	const [root, repositories] = [join(place, 'tree'), join(place, 'repositories')];
	mkdirSync(repositories, { recursive: true });
	// A copy of hard links would have some programs follow links.
	measureShell('cp -a "$1" "$2"', made.root, root);
	const opened = openTools(names, { tree: root, repositories });
	Object.assign(missing, opened.missing);
	for (const { name, version } of opened.tools) versions[name] = version;
	const field = openSteps({ name: bytes, root, messages, bytes, repositories, scratch: place, effort });
	for (const step of STEP_NAMES) {
		const asked = steps.includes(step);
		if (!asked && step !== 'first') continue;
		// Nothing can be asked of a repository without a first pack.
		for (const cache of asked ? caches : caches.slice(0, 1)) {
			console.error(`${bytes}: ${STEPS[step]}, ${cache}`);
			const found = field.run(step, opened.tools, cache);
			if (!asked) continue;
			figures.push(...found);
			checkpoint();
		}
	}
	if (!hasOption(options, 'keep')) rmSync(place, { recursive: true });
}

function overview(): Row[] {
	return Object.entries({
		...versions,
		...Object.fromEntries(Object.entries(missing).map(([tool, lacks]) => [tool, `needs ${lacks}`])),
	}).map(([tool, version]): Row => ({ tool, version }));
}

/** What is known so far, so that a run that is cut off is not lost. */
function checkpoint(): void {
	const command = ['node scripts/run-bench.mjs peers', ...process.argv.slice(2)].join(' ');
	writeRows('peers', {
		title: 'Backups of a mail store, step by step',
		command,
		versions,
		missing,
		effort,
		rows: targetRows(figures, 'peers'),
		figures,
	});
}

function draw(): void {
	const title = 'Seconds of each step, logarithmic';
	const footer = `bench/peers.ts, simulated mail, warm cache. ${machineLine()}`;
	const path = join('bench', 'out', 'peers.svg');
	writeFileSync(path, drawSteps({ title, footer, figures }));
	const copy = textOption(options, 'picture', path);
	if (copy === path) return;
	mkdirSync(dirname(copy), { recursive: true });
	copyFileSync(path, copy);
}

function cacheStates(): CacheState[] {
	if (!hasOption(options, 'cold')) return ['warm'];
	const trouble = chillTrouble();
	if (trouble === null) return ['warm', 'cold'];
	console.error(`cold is left out: ${trouble}`);
	return ['warm'];
}
