import type { Row } from './report.ts';

/** One figure at several sizes. */
export interface Growing {
	readonly what: string;
	/** By number of messages; sizes at which it was not measured are missing. */
	readonly values: ReadonlyMap<number, number>;
}

/** A row a figure: its values, and the power of the number of messages with which it grew from each size to the next. */
export function growthRows(growing: readonly Growing[], sizes: readonly number[]): Row[] {
	return growing.map(({ what, values }): Row => {
		const named = sizes.map((size) => [size.toLocaleString('en'), values.get(size) ?? Number.NaN] as const);
		const powers = sizes.slice(1).map((size, index) => {
			const before = sizes[index] ?? Number.NaN;
			return [`power to ${size.toLocaleString('en')}`, growthPower(values, { before, size })] as const;
		});
		return { figure: what, ...Object.fromEntries(named), ...Object.fromEntries(powers) };
	});
}

/** 0: it does not grow; 1: it doubles where messages double; 2: it takes four times as much. */
export function growthPower(values: ReadonlyMap<number, number>, between: { readonly before: number; readonly size: number }): number {
	const [from, to] = [values.get(between.before), values.get(between.size)];
	if (from === undefined || to === undefined || from <= 0 || to <= 0) return Number.NaN;
	return Math.log(to / from) / Math.log(between.size / between.before);
}
