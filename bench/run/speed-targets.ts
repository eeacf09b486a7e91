import type { Figure, Step } from './backup-steps.ts';
import { FLOOR } from './backup-tools.ts';
import { MEGA } from './bytes.ts';
import { OWN } from './figure-tables.ts';
import type { Row } from './report.ts';

/** Figures of one tree, warm where nothing else is said. */
interface Seen {
	own(step: Step, cache?: Figure['cache']): Figure | undefined;
	/** The fastest of these tools; undefined where one has no figure. */
	fastest(step: Step, tools: readonly string[]): Figure | undefined;
	readonly figures: readonly Figure[];
}

interface Measured {
	readonly value: number;
	/** The same of processor seconds, which other programs on the machine disturb less. */
	readonly byCpu?: number;
	/** What mailseal was held against. */
	readonly against?: string;
}

interface Target {
	readonly text: string;
	/** Where it is measured. */
	readonly benches: readonly ('peers' | 'scale')[];
	/** Counts at LARGE messages only. */
	readonly large?: true;
	readonly bound: { readonly least: number } | { readonly below: number };
	readonly measure: (seen: Seen) => Measured | undefined;
}

const BACKUPS = ['rsync', 'restic', 'borg'];
/** Messages at which the targets for a large store count. */
export const LARGE = 1_000_000;
const LARGE_TEXT = LARGE.toLocaleString('en');

const TARGETS: readonly Target[] = [
	{
		text: `no change at ${LARGE_TEXT} messages: 50 times faster than the fastest of rsync, restic, borg`,
		benches: ['peers', 'scale'],
		large: true,
		bound: { least: 50 },
		measure: faster('no-change', BACKUPS),
	},
	{
		text: `no change at ${LARGE_TEXT} messages: under 1 s`,
		benches: ['peers', 'scale'],
		large: true,
		bound: { below: 1 },
		measure: seconds('no-change'),
	},
	{
		text: '1 % churn: 10 times faster than the fastest of rsync, restic, borg',
		benches: ['peers', 'scale'],
		bound: { least: 10 },
		measure: faster('churn', BACKUPS),
	},
	{
		text: 'first pack: faster than restic and borg',
		benches: ['peers', 'scale'],
		bound: { least: 1 },
		measure: faster('first', ['restic', 'borg']),
	},
	{
		text: 'first pack: twice as fast as restic and borg',
		benches: ['peers', 'scale'],
		bound: { least: 2 },
		measure: faster('first', ['restic', 'borg']),
	},
	{
		text: `first pack: at most 3 times ${FLOOR}`,
		benches: ['peers'],
		bound: { below: 3 },
		measure({ own, fastest }) {
			const [mine, floor] = [own('first'), fastest('first', [FLOOR])];
			return mine && floor && { value: mine.wall / floor.wall, byCpu: mine.cpu / floor.cpu, against: floor.tool };
		},
	},
	{
		text: 'extract: 5 times faster than restic dump and borg extract',
		benches: ['peers'],
		bound: { least: 5 },
		measure: faster('extract', ['restic', 'borg']),
	},
	{
		text: 'extract, cold: under 0.15 s',
		benches: ['peers'],
		bound: { below: 0.15 },
		measure: seconds('extract', 'cold'),
	},
	{ text: 'restore all: faster than restic restore', benches: ['peers'], bound: { least: 1 }, measure: faster('restore-all', ['restic']) },
	{
		text: `peak memory at ${LARGE_TEXT} messages: 400 MB`,
		benches: ['peers', 'scale'],
		large: true,
		bound: { below: 400 },
		measure({ figures }) {
			const [most] = figures.filter(({ tool }) => tool === OWN).sort((left, right) => right.peak - left.peak);
			return most && { value: most.peak / MEGA, against: most.step };
		},
	},
	{ text: 'archive: 0.75 of the smallest of restic, borg, bup', benches: ['peers'], bound: { below: 0.75 }, measure: smaller(0) },
	{ text: 'the same, with the catalog', benches: ['peers'], bound: { below: 0.75 }, measure: smaller(1) },
];

/** Each target of a bench held against each tree; what the figures do not tell is not measured, never reached. */
export function targetRows(figures: readonly Figure[], bench: Target['benches'][number]): Row[] {
	const trees = [...new Map(figures.map((figure) => [`${figure.tree} ${figure.messages}`, figure])).values()];
	return TARGETS.filter(({ benches }) => benches.includes(bench)).flatMap(({ text, bound, measure, large = false }) =>
		trees.map(({ tree, messages }): Row => {
			const measured = measure(seenIn(figures.filter((figure) => figure.tree === tree && figure.messages === messages)));
			const least = 'least' in bound;
			const limit = least ? bound.least : bound.below;
			return {
				target: text,
				tree,
				messages,
				wanted: least ? `above ${limit}` : `below ${limit}`,
				...tell(measured, { least, limit, early: large && messages < LARGE }),
			};
		}),
	);
}

function tell(measured: Measured | undefined, target: { readonly least: boolean; readonly limit: number; readonly early: boolean }): Row {
	const { value = Number.NaN, byCpu = Number.NaN, against = '' } = measured ?? {};
	const verdict = (target.least ? value > target.limit : value < target.limit) ? 'reached' : 'missed';
	return {
		measured: value,
		'by CPU': byCpu,
		against,
		verdict: measured === undefined ? 'not measured' : `${verdict}${target.early ? ', but of fewer messages' : ''}`,
	};
}

function seenIn(figures: readonly Figure[]): Seen {
	const of = (step: Step, cache: Figure['cache']) => figures.filter((figure) => figure.step === step && figure.cache === cache);
	return {
		figures,
		own: (step, cache = 'warm') => of(step, cache).find(({ tool }) => tool === OWN),
		fastest(step, tools) {
			const found = of(step, 'warm').filter(({ tool }) => tools.includes(tool));
			const [first] = found.sort((left, right) => left.wall - right.wall);
			return found.length === tools.length ? first : undefined;
		},
	};
}

function faster(step: Step, tools: readonly string[]): Target['measure'] {
	return ({ own, fastest }) => {
		const [mine, other] = [own(step), fastest(step, tools)];
		return mine && other && { value: other.wall / mine.wall, byCpu: other.cpu / mine.cpu, against: other.tool };
	};
}

function seconds(step: Step, cache: Figure['cache'] = 'warm'): Target['measure'] {
	return ({ own }) => {
		const mine = own(step, cache);
		return mine && { value: mine.wall, byCpu: mine.cpu };
	};
}

/** Sizes after the first pack; `caches` is the share of mailseal's catalog that counts. */
function smaller(caches: 0 | 1): Target['measure'] {
	return ({ figures, own }) => {
		const mine = own('first')?.sizes;
		const others = ['restic', 'borg', 'bup'].flatMap((name) => {
			const found = figures.find(({ tool, step }) => tool === name && step === 'first');
			return found?.sizes === undefined ? [] : [{ tool: name, bytes: found.sizes.bytes }];
		});
		const [smallest] = others.sort((left, right) => left.bytes - right.bytes);
		if (mine === undefined || smallest === undefined || others.length < 3) return undefined;
		return { value: (mine.bytes + caches * mine.cacheBytes) / smallest.bytes, against: smallest.tool };
	};
}
