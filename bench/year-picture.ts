import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { MEGA } from './run/bytes.ts';
import { bytesText, drawChart } from './run/chart.ts';
import { machineLine } from './run/machine.ts';
import { readOptions, textOption } from './run/options.ts';
import { type Row, tableOf } from './run/report.ts';
import { cumulated, type Step, shippedByNight } from './run/year-ledger.ts';

/** What the bench of the year leaves in `bench/out/year.json`. */
interface YearFile {
	readonly title: string;
	readonly rows: readonly Row[];
	/** Bytes by night, from night 0. */
	readonly delivered: readonly number[];
	readonly steps: Readonly<Record<string, readonly Step[]>>;
}

const options = readOptions(['from', 'picture']);
const files = textOption(options, 'from', 'bench/out/year.json')
	.split(',')
	.map((path) => ({ path, year: JSON.parse(readFileSync(path, 'utf8')) as YearFile }));
const [first] = files;
if (first === undefined) throw new Error('Cannot draw a year: --from names no file');
const { delivered, title } = first.year;
for (const { path, year } of files) {
	// The life of a year is the same in every run: who lived another one cannot stand beside it.
	if (year.delivered.join() === delivered.join()) continue;
	throw new Error(`Cannot draw "${path}" beside "${first.path}": it has other nights, or other mail was delivered in them`);
}
const rows = files.flatMap(({ year }) => year.rows);
console.log(tableOf(title, rows));

const nights = delivered.length - 1;
const mail = cumulated(delivered);
const total = mail.at(-1) ?? 0;
const picture = drawChart({
	title: `${nights} nights: what is shipped offsite, and what is kept`,
	lines: 'Bytes shipped offsite since the first full backup, against bytes of mail delivered',
	bars: 'Repository after the last night (keep daily 30, monthly 12)',
	reference: { name: `mail delivered ${bytesText(total)}`, points: mail },
	series: files.flatMap(({ year }) =>
		Object.entries(year.steps).map(([name, steps]) => {
			const points = shippedByNight(steps, nights);
			const shipped = points.at(-1) ?? 0;
			const bar = Number(year.rows.find(({ program }) => program === name)?.['repository MB'] ?? 0) * MEGA;
			return {
				...{ name, points, note: `${bytesText(shipped)}, ${(shipped / total).toFixed(2)}×` },
				...{ bar, barNote: bytesText(bar), own: name.startsWith('mailseal') },
			};
		}),
	),
	footer: `bench/year.ts, simulated mail. ${machineLine()}`,
});
const path = textOption(options, 'picture', 'bench/out/year.svg');
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, picture);
