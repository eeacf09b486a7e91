import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { scanFiles, sizeOfScan } from './file-changes.ts';
import type { Ran } from './measure.ts';
import { environmentWords, PEER_ENVIRONMENT } from './peer-environment.ts';
import { installedVersion } from './peers.ts';
import { KEEP_DAILY, KEEP_MONTHLY, keptNights } from './retention.ts';
import { runTool } from './tool.ts';
import { type Night, watchFolders, type YearProgram } from './year-program.ts';

/** Where a program works. */
export interface YearPlace {
	readonly tree: string;
	/** Of this program alone. */
	readonly folder: string;
	/** The instant of night 0. */
	readonly start: number;
}

interface Paths {
	readonly repository: string;
	readonly target: string;
	readonly home: string;
}

const DAY = 86_400_000;

export const YEAR_PEERS = ['restic', 'borg', 'bup', 'rsync'] as const;
export type YearPeer = (typeof YEAR_PEERS)[number];

const OPENERS: Readonly<Record<YearPeer, (place: YearPlace) => YearProgram>> = { restic, borg, bup, rsync };

/** Null where it is not installed. */
export function openYearPeer(peer: YearPeer, place: YearPlace): YearProgram | null {
	if (installedVersion([peer, peer === 'restic' ? 'version' : '--version']) === null) return null;
	return OPENERS[peer](place);
}

/** Default compression (zstd); the mirror is made by rsync, since `restic copy` has no retention of its own. */
function restic({ tree, folder, start }: YearPlace): YearProgram {
	const { repository, target, home } = pathsOf(folder);
	const environment = environmentWords(PEER_ENVIRONMENT.restic(home));
	const run = (...words: string[]): Ran => runTool([...environment, 'restic', ...words]);
	run('init', '--quiet', '--repository-version', '2', '--repo', repository);
	type Snapshot = { readonly time: string; readonly short_id: string };
	const list = () => JSON.parse(run('snapshots', '--json', '--repo', repository).stdout.toString()) as readonly Snapshot[];
	const nightOf = (snapshot: Snapshot) => Math.round((Date.parse(snapshot.time) - start) / DAY);
	return {
		name: 'restic',
		...watchFolders({ repository, target }),
		backup: ({ now }) => [run('backup', '--quiet', '--host', 'bench', '--time', plainTime(now), '--repo', repository, tree)],
		ship: () => [mirror(repository, target)],
		retain: () => [
			run('forget', '--quiet', '--keep-daily', `${KEEP_DAILY}`, '--keep-monthly', `${KEEP_MONTHLY}`, '--prune', '--repo', repository),
			mirror(repository, target),
		],
		kept: () => list().map(nightOf),
		restore(night, { to, from }) {
			const { short_id: id } = list().find((snapshot) => nightOf(snapshot) === night) ?? { short_id: '' };
			run('restore', '--quiet', id, '--target', to, '--repo', from === 'target' ? target : repository);
			return join(to, tree);
		},
	};
}

/** With zstd, as restic: its default, lz4, finds nothing in base64. */
function borg({ tree, folder }: YearPlace): YearProgram {
	const { repository, target, home } = pathsOf(folder);
	const environment = environmentWords(PEER_ENVIRONMENT.borg(home));
	const run = (...words: string[]): Ran => runTool([...environment, 'borg', ...words]);
	run('init', '--encryption', 'none', repository);
	return {
		name: 'borg',
		...watchFolders({ repository, target }),
		backup: ({ night, now }) => [
			run('create', '--compression', 'zstd', '--timestamp', plainTime(now).replace(' ', 'T'), `${repository}::night-${night}`, tree),
		],
		ship: () => [mirror(repository, target, ['/lock.*'])],
		retain: () => [
			run('prune', '--keep-daily', `${KEEP_DAILY}`, '--keep-monthly', `${KEEP_MONTHLY}`, repository),
			run('compact', repository),
			mirror(repository, target, ['/lock.*']),
		],
		kept: () =>
			run('list', '--short', repository)
				.stdout.toString()
				.trim()
				.split('\n')
				.map((name) => Number(name.slice('night-'.length))),
		restore(night, { to, from }) {
			const words = [...environment, 'borg', 'extract', `${from === 'target' ? target : repository}::night-${night}`];
			runTool(['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', to, ...words]);
			return join(to, tree);
		},
	};
}

/** Its index of the tree lies apart, and what it makes of its packs for speed is not shipped: it makes that again. */
function bup({ tree, folder, start }: YearPlace): YearProgram {
	const { repository, target, home } = pathsOf(folder);
	const index = ['-f', join(home, 'index')];
	const by = (at: string, ...words: readonly string[]): Ran =>
		runTool([...environmentWords({ ...PEER_ENVIRONMENT.bup(home), BUP_DIR: at }), 'bup', ...words]);
	const run = (...words: readonly string[]): Ran => by(repository, ...words);
	const derived = ['*.midx', 'bup.bloom'];
	run('init');
	const list = () =>
		by(repository, 'ls', 'mail')
			.stdout.toString()
			.split('\n')
			.filter((name) => /^[0-9]/.test(name));
	const nightOf = (name: string) => {
		const [year, month, day, time = ''] = name.split('-');
		return Math.round((Date.parse(`${year}-${month}-${day}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4, 6)}Z`) - start) / DAY);
	};
	return {
		name: 'bup',
		...watchFolders({ repository, target }),
		backup: ({ now }) => [run('index', ...index, tree), run('save', '-q', ...index, '-n', 'mail', '-d', String(now / 1000), tree)],
		ship: () => [mirror(repository, target, derived)],
		retain: ({ now }) => [
			run(
				...['prune-older', '--unsafe', '--wrt', String(now / 1000 + 1)],
				...['--keep-dailies-for', `${KEEP_DAILY}d`, '--keep-monthlies-for', `${KEEP_MONTHLY}m`, 'mail'],
			),
			mirror(repository, target, derived),
		],
		kept: () => list().map(nightOf),
		restore(night, { to, from }) {
			const name = list().find((one) => nightOf(one) === night);
			by(from === 'target' ? target : repository, 'restore', '-q', '-C', to, `mail/${name}${tree}/.`);
			return to;
		},
	};
}

/** A folder a night at the target, with hard links to what the night before had; it has no repository beside the mail. */
function rsync({ tree, folder, start }: YearPlace): YearProgram {
	const { target } = pathsOf(folder);
	const nights = (): number[] =>
		readdirSync(target)
			.map(Number)
			.sort((left, right) => left - right);
	let newest: string | undefined;
	let fresh: string | undefined;
	return {
		name: 'rsync --link-dest',
		backup: () => [],
		ship({ night }: Night) {
			const last = newest === undefined ? [] : [`--link-dest=${newest}`];
			newest = join(target, String(night));
			fresh = newest;
			return [runTool(['rsync', '-a', '--delete', ...last, `${tree}/`, `${newest}/`])];
		},
		retain() {
			const keep = new Set(keptNights(nights(), start));
			const old = nights().filter((night) => !keep.has(night));
			return old.length === 0 ? [] : [runTool(['rm', '-rf', ...old.map((night) => join(target, String(night)))])];
		},
		moved() {
			// A new file has one name; one that was there has a name in each night.
			const looked = fresh;
			fresh = undefined;
			return { written: 0, shipped: looked === undefined ? 0 : bytesWithOneName(looked) };
		},
		sizes() {
			const size = sizeOfScan(scanFiles(target));
			return { repository: size, target: size };
		},
		kept: nights,
		restore: (night) => join(target, String(night)),
	};
}

function pathsOf(folder: string): Paths {
	const paths = { repository: join(folder, 'repository'), target: join(folder, 'target'), home: join(folder, 'home') };
	for (const path of Object.values(paths)) mkdirSync(path, { recursive: true });
	return paths;
}

function mirror(from: string, to: string, without: readonly string[] = []): Ran {
	return runTool(['rsync', '-a', '--delete', ...without.flatMap((pattern) => ['--exclude', pattern]), `${from}/`, `${to}/`]);
}

function bytesWithOneName(folder: string): number {
	return readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => lstatSync(join(entry.parentPath, entry.name)))
		.filter(({ nlink }) => nlink === 1)
		.reduce((sum, { size }) => sum + size, 0);
}

function plainTime(now: number): string {
	return new Date(now).toISOString().slice(0, 19).replace('T', ' ');
}
