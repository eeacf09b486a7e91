import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { compareTreeStates, type FolderState, readTreeState } from '../../test/support/tree-state.ts';
import { liveOneDay } from '../life.ts';
import { openPrng } from '../mail/prng.ts';
import type { Profile } from '../mail/profiles.ts';
import type { BackupTool, ToolSizes, Wanted } from './backup-tools.ts';
import { type Cost, measureShell, median, medianCost } from './measure.ts';
import { type CacheState, chill } from './page-cache.ts';
import { NOW } from './workplace.ts';

/** What each step is called in tables, in the order in which they follow each other. */
export const STEPS = {
	first: 'first pack',
	'no-change': 'no change, a minute later',
	'next-day': 'no change, a day later',
	churn: 'churn of 1 %',
	reindex: 'catalog made anew',
	extract: 'extract one message',
	'restore-account': 'restore one account',
	'restore-all': 'restore all',
} as const;
export type Step = keyof typeof STEPS;
export const STEP_NAMES = Object.keys(STEPS) as readonly Step[];

/** What one tool needed for one step: medians, and the largest peak. */
export interface Figure {
	readonly tree: string;
	/** Of the tree as it was made. */
	readonly messages: number;
	readonly step: Step;
	readonly cache: CacheState;
	readonly tool: string;
	readonly runs: number;
	/** Seconds of all runs, in their order. */
	readonly walls: readonly number[];
	readonly wall: number;
	readonly cpu: number;
	/** Bytes, as the next two. */
	readonly peak: number;
	readonly written: number;
	/** After the last run. */
	readonly sizes?: ToolSizes;
	/** What a restore or an extract gave back otherwise than it lies in the tree; of all runs together. */
	readonly differences?: number;
}

/** How often things are done. */
export interface Effort {
	/** First packs and restores. */
	readonly runs: number;
	/** Backups of an unchanged tree at most. */
	readonly repeats: number;
	/** Days that are lived, one backup of each tool for each. */
	readonly nights: number;
	/** Messages that are extracted. */
	readonly extracts: number;
	/** Seconds after which a tool repeats nothing any more. */
	readonly budget: number;
	/** Waits before each run that writes much until the disk has what was written before. */
	readonly settle: boolean;
}

export interface Field {
	readonly name: string;
	/** A tree of makeTree that may be lived in, at NOW. */
	readonly root: string;
	readonly messages: number;
	readonly bytes: Profile;
	/** Where the tools keep their repositories. */
	readonly repositories: string;
	/** For what is restored. */
	readonly scratch: string;
	readonly effort: Effort;
}

interface Attempt {
	readonly cost: Cost;
	readonly differences?: number;
}

interface Rounds {
	readonly count: number;
	/** Hardly anything is written, and so often repeated that a tool which has used up its time does not come again. */
	readonly light: boolean;
	/** Before the tools of a round. */
	readonly before?: () => void;
	/** Before one tool, not timed. */
	readonly prepare?: (tool: BackupTool) => void;
	readonly attempt: (tool: BackupTool, round: number) => Attempt;
}

/** Share of the messages to which something happens in a day. */
const CHURN = 0.01;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Opens a tree for steps that follow each other; all tools see the same state of it in each. */
export function openSteps(field: Field) {
	const { root, effort } = field;
	let now = NOW;
	let day = 0;
	let warm = false;
	let restores = 0;
	let state: Map<string, FolderState> | undefined;
	const truth = () => {
		state ??= readTreeState(root);
		return state;
	};
	const backup = (tool: BackupTool): Attempt => ({ cost: tool.backup(now) });

	function live(): void {
		day++;
		now += DAY;
		state = undefined;
		liveOneDay({ root, seed: 1, day, now, churn: CHURN, bytes: field.bytes });
	}

	function roundsOf(step: Step): Rounds {
		switch (step) {
			case 'first':
				return { count: effort.runs, light: false, prepare: (tool) => tool.prepare(), attempt: backup };
			case 'no-change':
			case 'next-day':
				return {
					count: effort.repeats,
					light: true,
					before() {
						now += step === 'no-change' ? MINUTE : DAY;
					},
					attempt: backup,
				};
			case 'churn':
				return { count: effort.nights, light: false, before: live, attempt: backup };
			case 'reindex':
				return { count: effort.runs, light: false, attempt: (tool) => ({ cost: needed(tool.reindex)() }) };
			case 'extract': {
				const messages = pickMessages(truth(), effort.extracts);
				return { count: messages.length, light: true, attempt: (tool, round) => extractOne(tool, messages[round]) };
			}
			case 'restore-account':
				return { count: effort.runs, light: false, attempt: (tool) => restore(tool, middleAccount(truth())) };
			case 'restore-all':
				return { count: effort.runs, light: false, attempt: (tool) => restore(tool) };
		}
	}

	function restore(tool: BackupTool, account?: string): Attempt {
		// Kept to the end: for a while after many files were deleted, ext4 takes several times as long to make others.
		const to = join(field.scratch, 'restored', `${restores++}`);
		mkdirSync(to, { recursive: true });
		const { cost, root: restored } = needed(tool.restore)({ to, ...(account === undefined ? {} : { account }) });
		const wanted = [...truth()].filter(([folder]) => account === undefined || folder.startsWith(`${account}/`));
		const seen = (states: Iterable<readonly [string, FolderState]>) => new Map(tool.wholeSeconds ? wholeSeconds(states) : states);
		const differences = compareTreeStates(seen(wanted), seen(readTreeState(restored)));
		for (const text of differences.slice(0, 10)) console.error(`${tool.name}: ${text}`);
		return { cost, differences: differences.length };
	}

	return {
		/** Runs a step of those tools that have it, in turn. */
		run(step: Step, tools: readonly BackupTool[], cache: CacheState): Figure[] {
			const able = tools.filter((tool) => isAble(tool, step));
			if (able.length === 0) return [];
			if (cache === 'warm' && !warm) heat(root, field.repositories);
			warm = cache === 'warm';
			const attempts = measureRounds(able, { rounds: roundsOf(step), effort, cache });
			return able.map((tool) => {
				const made = attempts.get(tool) ?? [];
				return { tree: field.name, messages: field.messages, step, cache, tool: tool.name, ...summary(made), ...sizesAfter(tool, step) };
			});
		},
	};
}

function isAble(tool: BackupTool, step: Step): boolean {
	if (step === 'first') return true;
	if (step === 'reindex') return tool.reindex !== undefined;
	if (step === 'extract') return tool.extract !== undefined;
	// What restores nothing kept nothing.
	return tool.restore !== undefined;
}

function sizesAfter(tool: BackupTool, step: Step): Pick<Figure, 'sizes'> {
	const changes = step === 'first' || step === 'no-change' || step === 'next-day' || step === 'churn';
	return tool.sizes === undefined || !changes ? {} : { sizes: tool.sizes() };
}

/** Each round begins with another tool, so that none always follows the same one. */
function measureRounds(
	tools: readonly BackupTool[],
	options: { readonly rounds: Rounds; readonly effort: Effort; readonly cache: CacheState },
): Map<BackupTool, Attempt[]> {
	const { rounds, effort, cache } = options;
	const made = new Map<BackupTool, Attempt[]>(tools.map((tool) => [tool, []]));
	for (let round = 0; round < rounds.count; round++) {
		rounds.before?.();
		for (let turn = 0; turn < tools.length; turn++) {
			const tool = tools[(turn + round) % tools.length];
			const before = tool === undefined ? undefined : made.get(tool);
			if (tool === undefined || before === undefined) continue;
			const used = before.reduce((sum, { cost }) => sum + cost.wall, 0);
			if (rounds.light && used > effort.budget) continue;
			rounds.prepare?.(tool);
			if (cache === 'cold') chill();
			else if (effort.settle && !rounds.light) measureShell('sync');
			before.push(rounds.attempt(tool, round));
		}
	}
	return made;
}

function summary(made: readonly Attempt[]): Pick<Figure, 'runs' | 'walls' | 'wall' | 'cpu' | 'peak' | 'written' | 'differences'> {
	const { wall, peak, written } = medianCost(made.map(({ cost }) => cost));
	const found = made.flatMap(({ differences }) => differences ?? []);
	return {
		runs: made.length,
		walls: made.map(({ cost }) => cost.wall),
		...{ wall, peak, written },
		cpu: median(made.map(({ cost }) => cost.user + cost.system)),
		...(found.length === 0 ? {} : { differences: found.reduce((sum, count) => sum + count, 0) }),
	};
}

function extractOne(tool: BackupTool, message: Wanted | undefined): Attempt {
	if (message === undefined) throw new Error('Cannot extract a message: the tree has none');
	const { stdout, ...cost } = needed(tool.extract)(message);
	const same = createHash('sha256').update(stdout).digest('hex') === message.id;
	if (!same) console.error(`${tool.name}: ${message.path} came out with other bytes`);
	return { cost, differences: same ? 0 : 1 };
}

/** Reads all files once, so that every tool finds them in memory. */
function heat(...folders: readonly string[]): void {
	measureShell('tar cf - "$@" | cat >/dev/null', ...folders);
}

function pickMessages(state: ReadonlyMap<string, FolderState>, count: number): Wanted[] {
	const prng = openPrng('extract', count);
	const filled = [...state].flatMap(([folder, { messages }]) => [...messages].map(([path, { sha256 }]) => ({ folder, path, sha256 })));
	return Array.from({ length: count }, () => {
		const { folder, path, sha256 } = prng.pick(filled);
		const [account = '', directory = ''] = folder.split('/');
		return { id: sha256, path: join(account, 'Maildir', directory, path) };
	});
}

/** The account with as many messages as the median one. */
function middleAccount(state: ReadonlyMap<string, FolderState>): string {
	const sizes = new Map<string, number>();
	for (const [folder, { messages }] of state) {
		const account = folder.slice(0, folder.indexOf('/'));
		sizes.set(account, (sizes.get(account) ?? 0) + messages.size);
	}
	const sorted = [...sizes].sort((left, right) => left[1] - right[1]);
	const [account] = sorted[sorted.length >> 1] ?? [];
	if (account === undefined) throw new Error('Cannot choose an account: the tree has none');
	return account;
}

function* wholeSeconds(states: Iterable<readonly [string, FolderState]>): Generator<[string, FolderState]> {
	for (const [folder, state] of states) {
		const messages = [...state.messages].map(([path, file]) => [path, { ...file, mtime: Math.floor(file.mtime / 1000) }] as const);
		yield [folder, { ...state, messages: new Map(messages) }];
	}
}

function needed<T>(what: T | undefined): T {
	if (what === undefined) throw new Error('Cannot run a step: the tool does not have it');
	return what;
}
