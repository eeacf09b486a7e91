import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RestoreResult } from '../../src/archive/results.ts';
import { catalogBytes } from './archive-facts.ts';
import { countFiles } from './bytes.ts';
import { scanFiles, sizeOfScan } from './file-changes.ts';
import { PROGRAM, pack, runMailseal } from './mailseal.ts';
import { type Cost, measure, measureShell, type Ran, sumCost } from './measure.ts';
import { type Environment, environmentWords, PEER_ENVIRONMENT } from './peer-environment.ts';
import { installedVersion } from './peers.ts';
import { runTool } from './tool.ts';

export interface ToolPlace {
	/** What is backed up; its path stays the same. */
	readonly tree: string;
	/** Of this tool alone. */
	readonly folder: string;
}

/** A message that is wanted back. */
export interface Wanted {
	/** SHA-256 of its bytes. */
	readonly id: string;
	/** Of its file below the tree. */
	readonly path: string;
}

export interface ToolSizes {
	readonly files: number;
	/** Of the repository, without what can be made anew from it. */
	readonly bytes: number;
	/** What the tool keeps besides for speed: catalogs, caches, indexes. */
	readonly cacheBytes: number;
}

/** A way to keep copies of a tree, with one repository. Costs are those of the named work alone, not of making an empty repository. */
export interface BackupTool {
	readonly name: string;
	readonly version: string;
	/** Makes an empty repository in place of what is there. */
	prepare(): void;
	/** Stores the tree as it is; `now` grows from call to call. */
	backup(now: number): Cost;
	/** Writes one message to standard output. */
	readonly extract?: (message: Wanted) => Ran;
	/** Writes the newest state, of one account or of all, below `to`; `root` is the folder of accounts there. */
	readonly restore?: (what: { readonly to: string; readonly account?: string }) => { readonly cost: Cost; readonly root: string };
	/** Makes the catalog anew. */
	readonly reindex?: () => Cost;
	readonly sizes?: () => ToolSizes;
	/** Restores times to the second only. */
	readonly wholeSeconds?: true;
}

type Open = (place: ToolPlace) => Omit<BackupTool, 'name' | 'version'>;

interface Kind {
	readonly open: Open;
	readonly version: readonly string[];
	/** Programs that must be there besides. */
	readonly needs?: readonly string[];
}

/** By name, in the order of the tables. The floor comes first: it also brings the tree into memory for all others. */
const KINDS = {
	'tar | sha256sum': { open: floor, version: ['tar', '--version'], needs: ['sha256sum'] },
	mailseal: { open: mailseal, version: [process.execPath, PROGRAM, '--version'] },
	rsync: { open: rsync, version: ['rsync', '--version'] },
	restic: { open: restic, version: ['restic', 'version'] },
	borg: { open: borg, version: ['borg', '--version'] },
	bup: { open: bup, version: ['bup', '--version'] },
	'zip -0': { open: zip, version: ['zip', '-v'], needs: ['unzip'] },
} as const satisfies Readonly<Record<string, Kind>>;

export const FLOOR = 'tar | sha256sum';
export type ToolName = keyof typeof KINDS;
export const TOOL_NAMES = Object.keys(KINDS) as readonly ToolName[];

/** A tool is meant by its name or the first word of it; an unknown one is an error that names all. */
export function toolsNamed(text: string): ToolName[] {
	const wanted = text.split(',');
	const unknown = wanted.find((word) => !TOOL_NAMES.some((name) => isMeant(name, word)));
	if (unknown !== undefined) throw new Error(`Cannot run tool "${unknown}": it is unknown (known: ${TOOL_NAMES.join(', ')})`);
	return TOOL_NAMES.filter((name) => wanted.some((word) => isMeant(name, word)));
}

function isMeant(name: ToolName, word: string): boolean {
	return name === word || name.split(' ', 1)[0] === word;
}

/** The program that is missing, where one is; `folder` holds the folders of all tools. */
export function openTool(name: ToolName, place: ToolPlace): BackupTool | { readonly missing: string } {
	const kind: Kind = KINDS[name];
	const version = installedVersion(kind.version);
	if (version === null) return { missing: kind.version[0] ?? name };
	const lacking = kind.needs?.find((program) => installedVersion([program, '--version']) === null);
	if (lacking !== undefined) return { missing: lacking };
	return { name, version, ...kind.open(place) };
}

/** Reading and hashing everything is the least that a first backup can do; it keeps nothing. */
function floor({ tree }: ToolPlace): ReturnType<Open> {
	return { prepare: () => undefined, backup: () => measureShell('tar cf - "$1" | sha256sum', tree) };
}

/** Where mailseal has its archive in its folder. */
export function archiveIn(folder: string): string {
	return join(folder, 'archive');
}

function mailseal({ tree, folder }: ToolPlace): ReturnType<Open> {
	const archive = archiveIn(folder);
	return {
		prepare: () => emptied(folder),
		backup: (now) => pack({ root: tree, archive, now }).cost,
		extract: ({ id }) => runTool([process.execPath, PROGRAM, 'extract', id, '-a', archive]),
		restore({ to, account }) {
			const selection = account === undefined ? [] : [account];
			const { cost } = runMailseal<RestoreResult>(['restore', ...selection, '--to', to, '-a', archive]);
			return { cost, root: to };
		},
		reindex() {
			for (const path of ['catalog.sqlite', 'catalog.sqlite-wal', 'catalog.sqlite-shm']) rmSync(join(archive, path), { force: true });
			return runMailseal(['reindex', '-a', archive]).cost;
		},
		sizes() {
			const all = countFiles(archive);
			const catalog = catalogBytes(archive);
			return { files: all.files - catalog.files, bytes: all.bytes - catalog.bytes, cacheBytes: catalog.bytes };
		},
	};
}

/** One copy, brought up to date. A message in it is a file: there is nothing to extract. */
function rsync({ tree, folder }: ToolPlace): ReturnType<Open> {
	return {
		prepare: () => emptied(folder),
		backup: () => runTool(['rsync', '-a', '--delete', `${tree}/`, `${folder}/`]),
		restore: ({ to, account }) => ({
			cost: runTool(['rsync', '-a', account === undefined ? `${folder}/` : join(folder, account), `${to}/`]),
			root: to,
		}),
		sizes: () => ({ ...countFiles(folder), cacheBytes: 0 }),
	};
}

/** With its default compression; it encrypts always. */
function restic({ tree, folder }: ToolPlace): ReturnType<Open> {
	const { repository, home } = pathsOf(folder);
	const run = runIn(PEER_ENVIRONMENT.restic(home), 'restic', '--repo', repository);
	return {
		prepare() {
			emptied(folder, home);
			run('init', '--quiet', '--repository-version', '2');
		},
		backup: () => run('backup', '--quiet', '--host', 'bench', tree),
		extract: ({ path }) => run('dump', 'latest', join(tree, path)),
		restore: ({ to, account }) => ({
			cost: run('restore', '--quiet', 'latest', '--target', to, ...(account === undefined ? [] : ['--include', join(tree, account)])),
			root: join(to, tree),
		}),
		sizes: () => ({ ...countFiles(repository), cacheBytes: countFiles(home).bytes }),
	};
}

/** With its default compression (lz4), and no encryption. */
function borg({ tree, folder }: ToolPlace): ReturnType<Open> {
	const { repository, home } = pathsOf(folder);
	const run = runIn(PEER_ENVIRONMENT.borg(home), 'borg');
	const inArchive = (path: string) => path.slice(1);
	let night = 0;
	return {
		prepare() {
			emptied(folder, home);
			run('init', '--encryption', 'none', repository);
		},
		backup: () => run('create', `${repository}::night-${++night}`, tree),
		extract: ({ path }) => run('extract', '--stdout', `${repository}::night-${night}`, inArchive(join(tree, path))),
		restore({ to, account }) {
			const words = [
				'borg',
				'extract',
				`${repository}::night-${night}`,
				...(account === undefined ? [] : [inArchive(join(tree, account))]),
			];
			const cost = measureShell('cd "$1"; shift; exec "$@"', to, ...environmentWords(PEER_ENVIRONMENT.borg(home)), ...words);
			return { cost, root: join(to, tree) };
		},
		sizes: () => ({ ...countFiles(repository), cacheBytes: countFiles(home).bytes }),
	};
}

/** Its index of the tree, and what it makes of its packs for speed, count as its cache. */
function bup({ tree, folder }: ToolPlace): ReturnType<Open> {
	const { repository, home } = pathsOf(folder);
	const run = runIn({ ...PEER_ENVIRONMENT.bup(home), BUP_DIR: repository }, 'bup');
	const index = ['-f', join(home, 'index')];
	const derived = /\.midx$|(^|\/)bup\.bloom$/;
	return {
		prepare() {
			emptied(folder, home);
			run('init');
		},
		backup: (now) =>
			sumCost([run('index', ...index, tree), run('save', '-q', ...index, '-n', 'mail', '-d', String(Math.floor(now / 1000)), tree)]),
		extract: ({ path }) => run('cat-file', `mail/latest${join(tree, path)}`),
		restore: ({ to, account }) => ({
			cost: run('restore', '-q', '-C', to, `mail/latest${tree}/${account ?? '.'}`),
			root: to,
		}),
		sizes() {
			const all = countFiles(repository);
			const kept = sizeOfScan(scanFiles(repository, (path) => !derived.test(path)));
			return { ...kept, cacheBytes: all.bytes - kept.bytes + countFiles(home).bytes };
		},
	};
}

/** One file that is brought up to date; it keeps no older state. */
function zip({ tree, folder }: ToolPlace): ReturnType<Open> {
	const file = join(folder, 'mail.zip');
	return {
		prepare: () => emptied(folder),
		backup() {
			const ran = measure('sh', ['-c', 'cd "$1" && exec zip -q -0 -r -FS "$2" .', 'sh', tree, file]);
			// 12: nothing to do.
			if (ran.status !== 0 && ran.status !== 12)
				throw new Error(`Cannot run "zip": it ended with ${ran.status}: ${ran.stderr}${ran.stdout}`);
			return ran;
		},
		extract: ({ path }) => runTool(['unzip', '-p', file, literal(path)]),
		restore: ({ to, account }) => ({
			cost: runTool(['unzip', '-q', file, ...(account === undefined ? [] : [`${literal(account)}/*`]), '-d', to]),
			root: to,
		}),
		sizes: () => ({ ...countFiles(folder), cacheBytes: 0 }),
		wholeSeconds: true,
	};
}

/** unzip takes names for patterns. */
function literal(name: string): string {
	return name.replaceAll(/[[\]*?\\]/g, '\\$&');
}

function pathsOf(folder: string): { readonly repository: string; readonly home: string } {
	return { repository: join(folder, 'repository'), home: join(folder, 'home') };
}

function emptied(...folders: readonly string[]): void {
	for (const folder of folders) {
		rmSync(folder, { recursive: true, force: true });
		mkdirSync(folder, { recursive: true });
	}
}

function runIn(environment: Environment, ...program: readonly string[]): (...words: readonly string[]) => Ran {
	return (...words) => runTool([...environmentWords(environment), ...program, ...words]);
}
