import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { MEGA } from './run/bytes.ts';
import { readOptions, textOption } from './run/options.ts';
import { type Row, tableOf } from './run/report.ts';
import { drawYear } from './run/year-chart.ts';
import type { Step } from './run/year-ledger.ts';

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

const picture = drawYear({
	delivered,
	programs: files.flatMap(({ year }) =>
		Object.entries(year.steps).map(([name, steps]) => {
			const bytes = Number(year.rows.find(({ program }) => program === name)?.['repository MB'] ?? 0) * MEGA;
			return { name, steps, bytes, own: name.startsWith('mailseal') };
		}),
	),
});
const path = textOption(options, 'picture', 'bench/out/year.svg');
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, picture);
