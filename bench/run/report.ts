import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineLine } from './machine.ts';

export type Row = Readonly<Record<string, string | number>>;

/** Prints rows as a Markdown table, numbers rounded for reading, and writes them in full to `bench/out/<name>.json`. */
export function report(name: string, title: string, rows: readonly Row[]): void {
	const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
	const lines = [
		`## ${title}`,
		'',
		machineLine(),
		'',
		`| ${columns.join(' | ')} |`,
		`|${columns.map((column) => (rows.every((row) => typeof row[column] !== 'string') ? ' ---: |' : ' --- |')).join('')}`,
		...rows.map((row) => `| ${columns.map((column) => cell(row[column])).join(' | ')} |`),
		'',
	];
	console.log(lines.join('\n'));
	const folder = join(process.cwd(), 'bench', 'out');
	mkdirSync(folder, { recursive: true });
	const at = new Date().toISOString();
	writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ bench: name, title, machine: machineLine(), at, rows }, null, '\t')}\n`);
}

function cell(value: string | number | undefined): string {
	if (typeof value !== 'number') return value ?? '';
	if (!Number.isFinite(value)) return '-';
	const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
	return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
