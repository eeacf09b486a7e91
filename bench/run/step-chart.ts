import { type Figure, STEP_NAMES, STEPS } from './backup-steps.ts';
import { OWN } from './figure-tables.ts';
import { fixed, markup, text } from './svg.ts';

const COLUMN = 440;
const MARGIN = { left: 112, right: 76, top: 78, bottom: 46 };
const BAR = { height: 11, step: 15 };
const STEP = { head: 24, gap: 8 };
/** Plain rules, no variables: not every program that shows a picture knows those. */
const STYLE = [
	'.paper{fill:#ffffff}text{fill:#1f2933}.grey{fill:#5f6b7a}.line{stroke:#d9dee5}.own{fill:#0b62c4}.other{fill:#9aa5b1}',
	'@media(prefers-color-scheme:dark){.paper{fill:#0d1117}text{fill:#e6edf3}.grey{fill:#9198a1}.line{stroke:#30363d}',
	'.own{fill:#58a6ff}.other{fill:#57606a}}',
].join('');

export interface StepChart {
	readonly title: string;
	readonly footer: string;
	/** Those of a warm cache are drawn. */
	readonly figures: readonly Figure[];
}

interface Column {
	readonly name: string;
	readonly groups: readonly { readonly title: string; readonly figures: readonly Figure[] }[];
}

/** Seconds of each tool in each step as bars on a logarithmic scale, the fastest on top, a column for each tree. */
export function drawSteps(chart: StepChart): string {
	const warm = chart.figures.filter(({ cache, wall }) => cache === 'warm' && wall > 0);
	const columns = columnsOf(warm);
	const scale = scaleOf(warm.map(({ wall }) => wall));
	const heights = columns.map(({ groups }) => groups.reduce((sum, { figures }) => sum + groupHeight(figures.length), 0));
	const bottom = MARGIN.top + Math.max(0, ...heights);
	const size = { width: COLUMN * Math.max(1, columns.length), height: bottom + MARGIN.bottom };
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="12">`,
		`<title>${markup(chart.title)}</title>`,
		`<style>${STYLE}</style>`,
		`<rect class="paper" width="${size.width}" height="${size.height}"/>`,
		text(16, 26, chart.title, 'font-size="17" font-weight="bold"'),
		...columns.flatMap((column, index) => drawColumn(column, { left: index * COLUMN, bottom, scale })),
		text(16, size.height - 10, chart.footer, 'class="grey" font-size="10"'),
		'</svg>',
		'',
	].join('\n');
}

function columnsOf(figures: readonly Figure[]): Column[] {
	const trees = new Map(figures.map(({ tree, messages }) => [`${tree} ${messages}`, { tree, messages }]));
	return [...trees.values()].map(({ tree, messages }) => ({
		name: `${tree}, ${messages.toLocaleString('en')} messages`,
		groups: STEP_NAMES.map((step) => ({
			title: STEPS[step],
			figures: figures
				.filter((figure) => figure.step === step && figure.tree === tree && figure.messages === messages)
				.sort((left, right) => left.wall - right.wall),
		})).filter((group) => group.figures.length > 0),
	}));
}

interface Scale {
	readonly decades: readonly number[];
	/** From 0 to 1. */
	at(seconds: number): number;
}

function scaleOf(seconds: readonly number[]): Scale {
	const low = Math.floor(Math.log10(Math.min(1, ...seconds)));
	const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(0.1, ...seconds))));
	return {
		decades: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
		at: (value) => (Math.log10(value) - low) / (high - low),
	};
}

function drawColumn(column: Column, at: { readonly left: number; readonly bottom: number; readonly scale: Scale }): string[] {
	const from = at.left + MARGIN.left;
	const width = COLUMN - MARGIN.left - MARGIN.right;
	const x = (seconds: number) => from + at.scale.at(seconds) * width;
	const out = [text(at.left + 16, 52, column.name, 'class="grey" font-size="13"')];
	for (const decade of at.scale.decades) {
		out.push(`<path class="line" d="M${fixed(x(decade))} ${MARGIN.top - 8}V${at.bottom + 4}"/>`);
		out.push(text(x(decade), at.bottom + 18, secondsText(decade), 'class="grey" text-anchor="middle" font-size="11"'));
	}
	let y = MARGIN.top;
	for (const { title, figures } of column.groups) {
		out.push(text(at.left + 16, y + 13, title, 'font-weight="bold"'));
		for (const [index, { tool, wall }] of figures.entries()) {
			const top = y + STEP.head + index * BAR.step - 4;
			const own = tool === OWN;
			const length = Math.max(1.5, x(wall) - from);
			out.push(text(from - 8, top + 10, tool, `text-anchor="end" font-size="11"${own ? ' font-weight="bold"' : ''}`));
			out.push(`<rect class="${own ? 'own' : 'other'}" x="${from}" y="${top}" width="${fixed(length)}" height="${BAR.height}"/>`);
			out.push(text(from + length + 6, top + 10, secondsText(wall), `class="grey" font-size="11"`));
		}
		y += groupHeight(figures.length);
	}
	return out;
}

function groupHeight(bars: number): number {
	return STEP.head + bars * BAR.step + STEP.gap;
}

/** `85 ms`, `3.2 s`, `1,240 s`. */
export function secondsText(seconds: number): string {
	if (seconds < 0.995) return `${Number((seconds * 1000).toPrecision(2))} ms`;
	return `${(seconds < 100 ? Number(seconds.toPrecision(2)) : Math.round(seconds)).toLocaleString('en')} s`;
}
