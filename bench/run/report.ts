import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
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
	return [`## ${title}`, '', machineLine(), '', ...rowLines(rows), ''].join('\n');
}

/** The same as a smaller part of a report, without the machine. */
export function partOf(title: string, rows: readonly Row[]): string {
	return [`### ${title}`, '', ...rowLines(rows), ''].join('\n');
}

function rowLines(rows: readonly Row[]): string[] {
	const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
	return [
		`| ${columns.join(' | ')} |`,
		`|${columns.map((column) => (rows.every((row) => typeof row[column] !== 'string') ? ' ---: |' : ' --- |')).join('')}`,
		...rows.map((row) => `| ${columns.map((column) => cell(row[column])).join(' | ')} |`),
	];
}

/** Writes rows, and what else a bench tells, to `bench/out/<name>.json`. */
export function writeRows(
	name: string,
	told: { readonly title: string; readonly rows: readonly Row[] } & Readonly<Record<string, unknown>>,
): void {
	const folder = join(process.cwd(), 'bench', 'out');
	mkdirSync(folder, { recursive: true });
	const at = new Date().toISOString();
	const path = join(folder, `${name}.json`);
	// In one go, so that a run that is cut off leaves what it wrote before.
	writeFileSync(`${path}.new`, `${JSON.stringify({ bench: name, machine: machineLine(), at, ...told }, null, '\t')}\n`);
	renameSync(`${path}.new`, path);
}

function cell(value: string | number | undefined): string {
	if (typeof value !== 'number') return (value ?? '').replaceAll('|', '\\|');
	if (!Number.isFinite(value)) return '-';
	const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
	return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
