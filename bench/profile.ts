import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type CpuProfile, readModules, type Spent, spentTime } from './run/cpu-profile.ts';
import { CODE, pack } from './run/mailseal.ts';
import { hasOption, numberOption, readOptions, textOption } from './run/options.ts';
import { type Row, report } from './run/report.ts';
import { NOW, openTree, openWorkplace } from './run/workplace.ts';

const options = readOptions(['small', 'bytes', 'top', 'dir', 'keep']);
const small = hasOption(options, 'small');
const workplace = openWorkplace(options);
try {
	const bytes = textOption(options, 'bytes', 'small') === 'small' ? 'small' : 'real-life';
	const messages = small ? 4000 : bytes === 'small' ? 50_000 : 10_000;
	const tree = openTree(workplace, { bytes, messages, accounts: small ? 5 : 50 });
	const profiles = join(workplace.scratch, 'profiles');
	mkdirSync(profiles);
	const { cost } = pack({
		root: tree.root,
		archive: join(workplace.scratch, 'archive'),
		now: NOW,
		messages,
		nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${profiles}`],
	});

	const moduleAt = readModules(CODE);
	// `CPU.<date>.<time>.<pid>.<thread>.<n>.cpuprofile`; the main thread is 0.
	const threads = readdirSync(profiles)
		.map((file) => ({ thread: Number(file.split('.')[4]), file }))
		.sort((left, right) => left.thread - right.thread)
		.map(({ thread, file }) => {
			const profile = JSON.parse(readFileSync(join(profiles, file), 'utf8')) as CpuProfile;
			return { name: thread === 0 ? 'main' : `worker ${thread}`, spent: spentTime(profile, { bundle: basename(CODE), moduleAt }) };
		});
	const title = `First pack of ${messages.toLocaleString('en')} messages (${bytes}) under the profiler, ${cost.wall.toFixed(1)} s`;
	const all = sumOf(threads.map(({ spent }) => spent.rooms));
	const busy = threads.reduce((sum, { spent }) => sum + spent.busy, 0);
	const top = numberOption(options, 'top', 25);
	report('profile-rooms', `${title}: by room, ms of CPU`, [
		...largest(all, all.size).map((room) => rowOf('room', { key: room, sums: all, of: (spent: Spent) => spent.rooms })),
		{ room: 'all', ...Object.fromEntries(threads.map(({ name, spent }) => [name, spent.busy])), all: busy, '%': 100 },
		{ room: '(idle)', ...Object.fromEntries(threads.map(({ name, spent }) => [name, spent.idle])) },
	]);
	const functions = sumOf(threads.map(({ spent }) => spent.functions));
	report(
		'profile-functions',
		`${title}: by function alone, ms of CPU`,
		largest(functions, top).map((name) => rowOf('function', { key: name, sums: functions, of: (spent: Spent) => spent.functions })),
	);

	function rowOf(
		what: string,
		row: { readonly key: string; readonly sums: ReadonlyMap<string, number>; readonly of: (spent: Spent) => ReadonlyMap<string, number> },
	): Row {
		const each = threads.map(({ name, spent }) => [name, row.of(spent).get(row.key) ?? 0]);
		const sum = row.sums.get(row.key) ?? 0;
		return { [what]: row.key, ...Object.fromEntries(each), all: sum, '%': (100 * sum) / busy };
	}
} finally {
	workplace.close();
}

function sumOf(maps: readonly ReadonlyMap<string, number>[]): Map<string, number> {
	const sums = new Map<string, number>();
	for (const map of maps) for (const [key, time] of map) sums.set(key, (sums.get(key) ?? 0) + time);
	return sums;
}

function largest(sums: ReadonlyMap<string, number>, count: number): string[] {
	return [...sums]
		.sort((left, right) => right[1] - left[1])
		.slice(0, count)
		.map(([key]) => key);
}
