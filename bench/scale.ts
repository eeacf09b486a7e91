import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { manifestBytes } from './run/archive-facts.ts';
import { type Effort, type Figure, openSteps, STEPS, type Step } from './run/backup-steps.ts';
import { archiveIn, toolsNamed } from './run/backup-tools.ts';
import { countFiles, MEGA } from './run/bytes.ts';
import { OWN, stepTables } from './run/figure-tables.ts';
import { type Growing, growthRows } from './run/growth.ts';
import { measureShell } from './run/measure.ts';
import { hasOption, numberOption, readOptions, textOption } from './run/options.ts';
import { type Row, tableOf, writeRows } from './run/report.ts';
import { targetRows } from './run/speed-targets.ts';
import { folderOf, openTools } from './run/tool-field.ts';
import { openTree, openWorkplace } from './run/workplace.ts';

/** So that folders are as large in every tree. */
const MESSAGES_PER_ACCOUNT = 5000;
/** On a disk at most, for a message: in two trees, a copy, what is restored, and the repositories; in bytes and in files. */
const ROOM = { bytes: 24_000, files: 4.5 };
const TOGETHER: readonly Step[] = ['first', 'no-change', 'next-day', 'churn'];
const ALONE: readonly Step[] = ['reindex', 'extract', 'restore-all'];
const MEASURES = {
	seconds: (figure: Figure) => figure.wall,
	'CPU s': (figure: Figure) => figure.cpu,
	'peak MB': (figure: Figure) => figure.peak / MEGA,
	'written MB': (figure: Figure) => figure.written / MEGA,
} as const;

/** What an archive has after the first pack. */
interface Held {
	readonly messages: number;
	readonly archiveBytes: number;
	readonly files: number;
	readonly catalogBytes: number;
	readonly manifestBytes: number;
	readonly snapshotBytes: number;
}

const options = readOptions(['small', 'dir', 'keep', 'sizes', 'peers', 'runs', 'nights']);
const small = hasOption(options, 'small');
const sizes = textOption(options, 'sizes', small ? '1000,2000' : '10000,100000,1000000')
	.split(',')
	.map(Number);
const names = toolsNamed(`${OWN},${textOption(options, 'peers', 'rsync,restic,borg')}`);
const effort: Effort = {
	runs: numberOption(options, 'runs', 1),
	repeats: small ? 1 : 3,
	nights: numberOption(options, 'nights', 1),
	extracts: small ? 2 : 10,
	budget: 60,
	settle: !small,
};
const figures: Figure[] = [];
const held: Held[] = [];
const versions: Record<string, string> = {};
const missing: Record<string, string> = {};

const workplace = openWorkplace(options);
try {
	const most = Math.max(...sizes);
	if (sizes.some((size) => !Number.isInteger(size) || size < 1))
		throw new Error(`Cannot read option "--sizes": it is "${sizes.join(',')}"`);
	needRoom(most);
	for (const size of sizes) await measureSize(size);
	console.log(tableOf('What each step costs, by number of messages', overview()));
	console.log(stepTables(figures, missing));
	console.log(tableOf('How the figures of mailseal grow', growthRows(growing(), sizes)));
	console.log(tableOf('How the seconds of the others grow', growthRows(growingOthers(), sizes)));
	console.log(tableOf('Targets', targetRows(figures, 'scale')));
} finally {
	workplace.close();
}

async function measureSize(messages: number): Promise<void> {
	const made = openTree(workplace, { bytes: 'tiny', messages, accounts: Math.max(1, Math.round(messages / MESSAGES_PER_ACCOUNT)) });
	const place = join(workplace.scratch, `tiny-${messages}`);
	const [root, repositories] = [join(place, 'tree'), join(place, 'repositories')];
	mkdirSync(repositories, { recursive: true });
	measureShell('cp -a "$1" "$2"', made.root, root);
	const opened = openTools(names, { tree: root, repositories });
	Object.assign(missing, opened.missing);
	for (const { name, version } of opened.tools) versions[name] = version;
	const steps = openSteps({ name: 'tiny', root, messages, bytes: 'tiny', repositories, scratch: place, effort });

	for (const step of TOGETHER) {
		measureStep(step, opened.tools);
		if (step === 'first') held.push(await heldBy(repositories, messages));
	}
	for (const name of names) if (name !== OWN) rmSync(folderOf(name, repositories), { recursive: true, force: true });
	const own = opened.tools.filter(({ name }) => name === OWN);
	for (const step of ALONE) measureStep(step, own);
	if (!hasOption(options, 'keep')) rmSync(place, { recursive: true });

	function measureStep(step: Step, tools: typeof opened.tools): void {
		console.error(`${messages.toLocaleString('en')} messages: ${STEPS[step]}`);
		const found = steps.run(step, tools, 'warm');
		for (const { tool, wall, cpu } of found) console.error(`\t${tool}: ${wall.toFixed(2)} s, CPU ${cpu.toFixed(2)} s`);
		figures.push(...found);
		checkpoint();
	}
}

async function heldBy(repositories: string, messages: number): Promise<Held> {
	const archive = archiveIn(folderOf(OWN, repositories));
	const own = figures.find((figure) => figure.tool === OWN && figure.messages === messages && figure.step === 'first')?.sizes;
	return {
		messages,
		archiveBytes: own?.bytes ?? Number.NaN,
		files: own?.files ?? Number.NaN,
		catalogBytes: own?.cacheBytes ?? Number.NaN,
		manifestBytes: await manifestBytes(archive),
		snapshotBytes: countFiles(join(archive, 'snapshots')).bytes,
	};
}

function growing(): Growing[] {
	const ofSteps = [...TOGETHER, ...ALONE].flatMap((step) =>
		Object.entries(MEASURES).map(([measure, value]) => ({
			what: `${STEPS[step]}: ${measure}`,
			values: new Map(figures.filter((one) => one.tool === OWN && one.step === step).map((one) => [one.messages, value(one)])),
		})),
	);
	const of = (what: string, value: (one: Held) => number) => ({ what, values: new Map(held.map((one) => [one.messages, value(one)])) });
	return [
		...ofSteps,
		of('archive MB', ({ archiveBytes }) => archiveBytes / MEGA),
		of('files', ({ files }) => files),
		of('catalog MB', ({ catalogBytes }) => catalogBytes / MEGA),
		of('manifests MB', ({ manifestBytes: bytes }) => bytes / MEGA),
		of('snapshot kB', ({ snapshotBytes }) => snapshotBytes / 1e3),
	];
}

function growingOthers(): Growing[] {
	const others = names.filter((name) => name !== OWN && versions[name] !== undefined);
	return TOGETHER.flatMap((step) =>
		others.map((name) => ({
			what: `${STEPS[step]}: ${name}`,
			values: new Map(figures.filter(({ tool, step: at }) => tool === name && at === step).map(({ messages, wall }) => [messages, wall])),
		})),
	);
}

function overview(): Row[] {
	return names.map((name): Row => ({ tool: name, version: versions[name] ?? `needs ${missing[name]}` }));
}

/** What is known so far, so that a run that is cut off is not lost. */
function checkpoint(): void {
	const command = ['node scripts/run-bench.mjs scale', ...process.argv.slice(2)].join(' ');
	const title = 'What each step costs, by number of messages';
	const rows = growthRows(growing(), sizes);
	writeRows('scale', { title, command, versions, missing, effort, rows, held, targets: targetRows(figures, 'scale'), figures });
}

/** A disk that is full after an hour is known before. */
function needRoom(messages: number): void {
	const { bavail, bsize, ffree, files } = statfsSync(workplace.folder);
	const free = bavail * bsize;
	if (free < messages * ROOM.bytes || (files > 0 && ffree < messages * ROOM.files)) {
		const needed = `${Math.ceil((messages * ROOM.bytes) / 1e9)} GB and ${Math.ceil(messages * ROOM.files).toLocaleString('en')} files`;
		throw new Error(
			`Cannot begin in "${workplace.folder}": ${Math.floor(free / 1e9)} GB and ${ffree.toLocaleString('en')} files are free (${needed} are needed; --dir names another place)`,
		);
	}
}
