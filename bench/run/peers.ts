import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { countFiles } from './bytes.ts';
import { type Cost, sumCost } from './measure.ts';
import { environmentWords, PEER_ENVIRONMENT } from './peer-environment.ts';
import { runTool } from './tool.ts';

export const PEERS = ['restic', 'borg', 'bup'] as const;
export type Peer = (typeof PEERS)[number];

export interface PeerResult {
	readonly version: string;
	/** Of all its commands together; the largest peak. */
	readonly cost: Cost;
	readonly files: number;
	/** Apparent sizes of the files of the repository, without what the program keeps elsewhere. */
	readonly bytes: number;
	/** Files that it says it stored, to be held against the tree; undefined where it does not say. */
	readonly stored: number | undefined;
}

interface Place {
	readonly repository: string;
	/** For caches and whatever else the program would put into the user's home. */
	readonly home: string;
	readonly tree: string;
}

interface Recipe {
	readonly version: readonly string[];
	readonly environment: (place: Place) => Readonly<Record<string, string>>;
	/** Each a command line; together they make the repository and store the tree. */
	readonly store: (place: Place) => readonly (readonly string[])[];
	/** Reads what the last of them prints. */
	readonly stored?: (json: string) => number | undefined;
}

const RECIPES: Readonly<Record<Peer, Recipe>> = {
	restic: {
		version: ['restic', 'version'],
		environment: ({ home }) => PEER_ENVIRONMENT.restic(home),
		store: ({ repository, tree }) => [
			['restic', 'init', '--repository-version', '2', '--repo', repository],
			['restic', 'backup', '--quiet', '--json', '--compression', 'max', '--repo', repository, tree],
		],
		stored: (json) => (JSON.parse(json) as Record<string, number>).total_files_processed,
	},
	borg: {
		version: ['borg', '--version'],
		environment: ({ home }) => PEER_ENVIRONMENT.borg(home),
		store: ({ repository, tree }) => [
			['borg', 'init', '--encryption', 'none', repository],
			['borg', 'create', '--json', '--compression', 'zstd,9', `${repository}::tree`, tree],
		],
		stored: (json) => (JSON.parse(json) as { archive: { stats: Record<string, number> } }).archive.stats.nfiles,
	},
	bup: {
		version: ['bup', '--version'],
		environment: ({ home, repository }) => ({ ...PEER_ENVIRONMENT.bup(home), BUP_DIR: repository }),
		store: ({ tree }) => [
			['bup', 'init'],
			['bup', 'index', tree],
			['bup', 'save', '-9', '-q', '-n', 'tree', tree],
		],
	},
};

/** Stores `tree` in a new repository below `folder`; null where the program is not installed. */
export function storeWith(peer: Peer, options: { readonly tree: string; readonly folder: string }): PeerResult | null {
	const recipe = RECIPES[peer];
	const version = installedVersion(recipe.version);
	if (version === null) return null;
	const place = { repository: join(options.folder, peer), home: join(options.folder, `${peer}-home`), tree: options.tree };
	mkdirSync(place.home, { recursive: true });
	const environment = recipe.environment(place);
	const ran = recipe.store(place).map((command) => runTool([...environmentWords(environment), ...command]));
	const { files, bytes } = countFiles(place.repository);
	return {
		version,
		cost: sumCost(ran),
		files,
		bytes,
		stored: recipe.stored?.(ran.at(-1)?.stdout.toString() ?? ''),
	};
}

/** What a program says of its version; null where it is not installed. */
export function installedVersion(words: readonly string[]): string | null {
	const [program = '', ...args] = words;
	const ran = spawnSync(program, args, { encoding: 'utf8' });
	if (ran.error && 'code' in ran.error && ran.error.code === 'ENOENT') return null;
	if (ran.error) throw ran.error;
	return /[0-9]+(?:\.[0-9]+)+/.exec(ran.stdout)?.[0] ?? ran.stdout.trim();
}
