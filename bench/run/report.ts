import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineLine } from './machine.ts';

export type Row = Readonly<Record<string, string | number>>;

/** Prints rows as a Markdown table, numbers rounded for reading, and writes them in full to `bench/out/<name>.json`. */
export function report(name: string, title: string, rows: readonly Row[]): void {
	console.log(tableOf(title, rows));
	writeRows(name, { title, rows });
}

/** Rows as a Markdown table below a heading, numbers rounded for reading. */
export function tableOf(title: string, rows: readonly Row[]): string {
	const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
	return [
		`## ${title}`,
		'',
		machineLine(),
		'',
		`| ${columns.join(' | ')} |`,
		`|${columns.map((column) => (rows.every((row) => typeof row[column] !== 'string') ? ' ---: |' : ' --- |')).join('')}`,
		...rows.map((row) => `| ${columns.map((column) => cell(row[column])).join(' | ')} |`),
		'',
	].join('\n');
}

/** Writes rows, and what else a bench tells, to `bench/out/<name>.json`. */
export function writeRows(
	name: string,
	told: { readonly title: string; readonly rows: readonly Row[] } & Readonly<Record<string, unknown>>,
): void {
	const folder = join(process.cwd(), 'bench', 'out');
	mkdirSync(folder, { recursive: true });
	const at = new Date().toISOString();
	writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ bench: name, machine: machineLine(), at, ...told }, null, '\t')}\n`);
}

function cell(value: string | number | undefined): string {
	if (typeof value !== 'number') return value ?? '';
	if (!Number.isFinite(value)) return '-';
	const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
	return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
