import { clip, displayWidth, printable } from './text.ts';

export interface Column {
	readonly title: string;
	readonly align?: 'right';
	/** May be cut where the terminal is too narrow. */
	readonly flexible?: boolean;
}

const GAP = '  ';
const NARROWEST = 8;

/** Lines of a table. With `width` (columns of a terminal) flexible columns are cut to fit; without, nothing is. */
export function* drawTable(options: {
	readonly columns: readonly Column[];
	readonly rows: readonly (readonly string[])[];
	readonly titles: boolean;
	readonly width?: number;
}): Generator<string> {
	const { columns, titles } = options;
	const rows = options.rows.map((row) => row.map(printable));
	const widths = columns.map((column) => (titles ? column.title.length : 0));
	for (const row of rows) {
		for (let i = 0; i < columns.length; i++) widths[i] = Math.max(widths[i] ?? 0, displayWidth(row[i] ?? ''));
	}
	if (options.width !== undefined) narrow(widths, columns, options.width);

	function line(cells: readonly string[]): string {
		const drawn = columns.map((column, i) => {
			const width = widths[i] ?? 0;
			const text = column.flexible === true ? clip(cells[i] ?? '', width) : (cells[i] ?? '');
			const padding = ' '.repeat(Math.max(0, width - displayWidth(text)));
			return column.align === 'right' ? padding + text : text + padding;
		});
		return drawn.join(GAP).trimEnd();
	}

	if (titles) yield line(columns.map((column) => column.title));
	for (const row of rows) yield line(row);
}

function narrow(widths: number[], columns: readonly Column[], width: number): void {
	const fixed = columns.reduce((sum, column, i) => sum + (column.flexible === true ? 0 : (widths[i] ?? 0)), 0);
	let room = width - fixed - GAP.length * (columns.length - 1);
	const flexible = columns.flatMap((column, i) => (column.flexible === true ? [i] : []));
	flexible.sort((a, b) => (widths[a] ?? 0) - (widths[b] ?? 0));
	for (let rest = flexible; rest.length > 0; rest = rest.slice(1)) {
		const [index = 0] = rest;
		const share = Math.max(NARROWEST, Math.floor(room / rest.length));
		widths[index] = Math.min(widths[index] ?? 0, share);
		room -= widths[index] ?? 0;
	}
}
