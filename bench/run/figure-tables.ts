import { type Figure, STEP_NAMES, STEPS, type Step } from './backup-steps.ts';
import { MEGA } from './bytes.ts';
import { partOf, type Row } from './report.ts';

export const OWN = 'mailseal';

/** What a tool lacks to be measured, by tool. */
export type Missing = Readonly<Record<string, string>>;

/** A table for each step that has figures. */
export function stepTables(figures: readonly Figure[], missing: Missing): string {
	return STEP_NAMES.flatMap((step) => {
		const rows = stepRows(figures, { step, missing });
		return rows.length === 0 ? [] : [partOf(upperFirst(STEPS[step]), rows)];
	}).join('\n');
}

/** One row a tool and tree, with how many times mailseal's figures it needs. */
export function stepRows(figures: readonly Figure[], of: { readonly step: Step; readonly missing: Missing }): Row[] {
	const rows = figures.filter(({ step }) => step === of.step).map((figure): Row => rowOf(figure, figures.find(twinOf(figure))));
	return rows.length === 0 ? [] : [...rows, ...Object.entries(of.missing).map(([tool, lacks]): Row => ({ tool, tree: `needs ${lacks}` }))];
}

function rowOf(figure: Figure, own: Figure | undefined): Row {
	const { tree, messages, cache, tool, runs, wall, cpu, peak, written, sizes, differences } = figure;
	return {
		tool,
		tree,
		messages,
		cache,
		runs,
		seconds: wall,
		'CPU s': cpu,
		...(own === undefined ? {} : { 'times mailseal': wall / own.wall, 'CPU times mailseal': cpu / own.cpu }),
		'peak MB': peak / MEGA,
		'written MB': written / MEGA,
		...(sizes === undefined ? {} : { 'repository MB': sizes.bytes / MEGA, files: sizes.files, 'cache MB': sizes.cacheBytes / MEGA }),
		...(differences === undefined ? {} : { differences }),
	};
}

/** Finds mailseal's figure for the same thing. */
function twinOf(figure: Figure): (other: Figure) => boolean {
	return ({ tool, tree, messages, step, cache }) =>
		tool === OWN && tree === figure.tree && messages === figure.messages && step === figure.step && cache === figure.cache;
}

function upperFirst(text: string): string {
	return text.slice(0, 1).toUpperCase() + text.slice(1);
}
