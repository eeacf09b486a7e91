import { fixed, markup, text } from './svg.ts';

/** One thing that is drawn: a line through `points`, and a bar. */
export interface Series {
	readonly name: string;
	/** One a night, from night 0. */
	readonly points: readonly number[];
	/** Behind the name, at the end of the line. */
	readonly note: string;
	readonly bar: number;
	readonly barNote: string;
	/** Drawn in the colour of the house, and thicker. */
	readonly own: boolean;
}

export interface Chart {
	readonly title: string;
	readonly lines: string;
	readonly bars: string;
	/** What the lines are held against, drawn dashed. */
	readonly reference: { readonly name: string; readonly points: readonly number[] };
	readonly series: readonly Series[];
	/** Below everything. */
	readonly footer: string;
}

const WIDTH = 800;
const MARGIN = { left: 62, right: 240, top: 66 };
const PLOT = { width: WIDTH - MARGIN.left - MARGIN.right, height: 290 };
const BAR = { height: 17, step: 25, left: 180, right: 130 };
const LABEL_STEP = 16;
/** So many times as high as the next line is too far. */
const FAR = 2.5;
const OWN = ['#0b62c4', '#3f8ee0', '#004a8f', '#6aa9ea', '#27538a', '#8cbcf0'];
const OTHERS = ['#c2410c', '#15803d', '#7e22ce', '#a16207', '#be185d', '#475569'];
const INK = '#1f2933';
const FAINT = '#d9dee5';
const GREY = '#5f6b7a';

/** Lines over nights, labelled at their ends, and a bar for each below; values are bytes. 800 wide, on white. */
export function drawChart(chart: Chart): string {
	const colours = coloursOf(chart.series);
	const below = MARGIN.top + PLOT.height;
	const barsTop = below + 92;
	const height = barsTop + chart.series.length * BAR.step + 34;
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="13" fill="${INK}">`,
		`<title>${markup(chart.title)}</title>`,
		`<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
		text(16, 26, chart.title, 'font-size="17" font-weight="bold"'),
		text(16, 48, chart.lines, `fill="${GREY}"`),
		...drawLines(chart, colours),
		text(16, barsTop - 22, chart.bars, `fill="${GREY}"`),
		...drawBars(chart.series, { colours, top: barsTop }),
		text(16, height - 12, chart.footer, `fill="${GREY}" font-size="11"`),
		'</svg>',
		'',
	].join('\n');
}

function drawLines(chart: Chart, colours: readonly string[]): string[] {
	const all = [chart.reference.points, ...chart.series.map(({ points }) => points)];
	const nights = Math.max(1, ...all.map((points) => points.length - 1));
	const top = axisTop(all.map((points) => Math.max(1, ...points)));
	const step = roundStep(top / 5);
	const highest = Math.ceil(top / step) * step;
	const x = (night: number) => MARGIN.left + (night / nights) * PLOT.width;
	const y = (value: number) => MARGIN.top + PLOT.height - (value / highest) * PLOT.height;
	const out: string[] = [
		`<clipPath id="plot"><rect x="${MARGIN.left}" y="${MARGIN.top - 2}" width="${PLOT.width}" height="${PLOT.height + 4}"/></clipPath>`,
	];
	for (let value = 0; value <= highest + step / 2; value += step) {
		out.push(`<path d="M${MARGIN.left} ${fixed(y(value))}h${PLOT.width}" stroke="${FAINT}"/>`);
		out.push(text(MARGIN.left - 8, y(value) + 4, bytesText(value), `text-anchor="end" fill="${GREY}" font-size="12"`));
	}
	const every = nightStep(nights);
	for (let night = 0; night <= nights; night += every) {
		out.push(text(x(night), MARGIN.top + PLOT.height + 18, String(night), `text-anchor="middle" fill="${GREY}" font-size="12"`));
	}
	out.push(
		text(MARGIN.left + PLOT.width / 2, MARGIN.top + PLOT.height + 36, 'night', `text-anchor="middle" fill="${GREY}" font-size="12"`),
	);
	const path = (points: readonly number[]) =>
		points.map((value, night) => `${night === 0 ? 'M' : 'L'}${fixed(x(night))} ${fixed(y(value))}`).join('');
	out.push(`<path d="${path(chart.reference.points)}" fill="none" stroke="${GREY}" stroke-width="1.5" stroke-dasharray="5 4"/>`);
	for (const [index, { points, own }] of chart.series.entries()) {
		out.push(
			`<path d="${path(points)}" fill="none" stroke="${colours[index]}" stroke-width="${own ? 2.5 : 1.8}" stroke-linejoin="round" clip-path="url(#plot)"/>`,
		);
	}
	const ends = [
		{ label: chart.reference.name, at: y(chart.reference.points.at(-1) ?? 0), colour: GREY, weight: '' },
		...chart.series.map(({ name, note, points, own }, index) => ({
			label: `${name} ${note}${(points.at(-1) ?? 0) > highest ? ' ↑' : ''}`,
			at: Math.max(MARGIN.top, y(points.at(-1) ?? 0)),
			colour: colours[index] ?? INK,
			weight: own ? ' font-weight="bold"' : '',
		})),
	].sort((left, right) => left.at - right.at);
	const places = spread(
		ends.map(({ at }) => at),
		{ step: LABEL_STEP, lowest: MARGIN.top + PLOT.height },
	);
	for (const [index, { label, at, colour, weight }] of ends.entries()) {
		const place = places[index] ?? at;
		const from = MARGIN.left + PLOT.width;
		out.push(`<path d="M${from + 2} ${fixed(at)}L${from + 14} ${fixed(place)}" stroke="${colour}" stroke-width="0.8" fill="none"/>`);
		out.push(text(from + 17, place + 4, label, `fill="${colour}"${weight} font-size="12"`));
	}
	return out;
}

function drawBars(series: readonly Series[], at: { readonly colours: readonly string[]; readonly top: number }): string[] {
	const most = Math.max(1, ...series.map(({ bar }) => bar));
	return series.flatMap(({ name, bar, barNote, own }, index) => {
		const y = at.top + index * BAR.step;
		const width = (bar / most) * (WIDTH - BAR.left - BAR.right);
		return [
			text(BAR.left - 10, y + 13, name, `text-anchor="end"${own ? ' font-weight="bold"' : ''} font-size="12"`),
			`<rect x="${BAR.left}" y="${y}" width="${fixed(width)}" height="${BAR.height}" fill="${at.colours[index]}"/>`,
			text(BAR.left + width + 8, y + 13, barNote, `fill="${GREY}" font-size="12"`),
		];
	});
}

/** Keeps labels apart, each as near to its line as the others let it be. `wanted` is sorted. */
export function spread(wanted: readonly number[], options: { readonly step: number; readonly lowest: number }): number[] {
	const { step, lowest } = options;
	const places: number[] = [];
	for (const one of wanted) places.push(Math.max(one, (places.at(-1) ?? Number.NEGATIVE_INFINITY) + step));
	// From below, so that a crowd at the foot moves up again.
	let limit = lowest;
	for (let index = places.length - 1; index >= 0; index--) {
		places[index] = Math.min(places[index] ?? 0, limit);
		limit = (places[index] ?? 0) - step;
	}
	return places;
}

/** What the axis must reach: one line far above the others leaves the picture, so that they can be told apart. */
export function axisTop(highest: readonly number[]): number {
	const [first = 1, second = first] = [...highest].sort((left, right) => right - left);
	return first > FAR * second ? second : first;
}

function coloursOf(series: readonly Series[]): string[] {
	let own = 0;
	let others = 0;
	return series.map((one) => (one.own ? OWN[own++ % OWN.length] : OTHERS[others++ % OTHERS.length]) ?? INK);
}

/** As people read it: `950 MB`, `1.25 GB`. */
export function bytesText(bytes: number): string {
	const [value, unit] = bytes >= 1e9 ? [bytes / 1e9, 'GB'] : [bytes / 1e6, 'MB'];
	return `${Number(value.toPrecision(3))} ${unit}`;
}

/** 1, 2 or 5 times a power of ten. */
function roundStep(least: number): number {
	const power = 10 ** Math.floor(Math.log10(least));
	return ([1, 2, 5, 10].find((one) => one * power >= least) ?? 10) * power;
}

function nightStep(nights: number): number {
	return [1, 2, 5, 10, 30, 60].find((step) => nights / step <= 13) ?? 90;
}
