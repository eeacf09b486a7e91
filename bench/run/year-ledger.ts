import { MEGA } from './bytes.ts';
import { type Cost, median } from './measure.ts';
import type { Row } from './report.ts';
import type { Moved, YearProgram } from './year-program.ts';

export const PHASES = ['backup', 'ship', 'retention'] as const;
export type Phase = (typeof PHASES)[number];

/** What one step of one night cost; bytes and seconds. */
export interface Step extends Moved {
	readonly night: number;
	readonly phase: Phase;
	readonly wall: number;
	readonly cpu: number;
}

/** The year of one program so far. */
export interface Ledger {
	readonly program: YearProgram;
	readonly steps: readonly Step[];
	add(at: { readonly night: number; readonly phase: Phase }, costs: readonly Cost[]): void;
}

export function openLedger(program: YearProgram): Ledger {
	const steps: Step[] = [];
	return {
		program,
		steps,
		add({ night, phase }, costs) {
			const wall = sum(costs.map((cost) => cost.wall));
			const cpu = sum(costs.map((cost) => cost.user + cost.system));
			steps.push({ night, phase, wall, cpu, ...program.moved() });
		},
	};
}

/** Bytes shipped from night 1 to each night. */
export function shippedByNight(steps: readonly Step[], nights: number): number[] {
	const points = Array.from({ length: nights + 1 }, () => 0);
	for (const { night, shipped } of steps) if (night > 0) points[night] = (points[night] ?? 0) + shipped;
	return cumulated(points);
}

export function cumulated(values: readonly number[]): number[] {
	let total = 0;
	return values.map((value) => {
		total += value;
		return total;
	});
}

/** What a year costs; night 0, the first full backup, stands apart. */
export function costRow(
	{ program, steps }: Ledger,
	year: { readonly deliveredBytes: number; readonly spreeNights: readonly number[] },
): Row {
	const later = steps.filter(({ night }) => night > 0);
	const first = steps.filter(({ night }) => night === 0);
	const { repository, target } = program.sizes();
	const written = sum(later.map((step) => step.written));
	const shipped = sum(later.map((step) => step.shipped));
	const ofSprees = later.filter(({ night }) => year.spreeNights.includes(night));
	return {
		program: program.name,
		'first night MB': sum(first.map((step) => step.shipped)) / MEGA,
		'written MB': written / MEGA,
		'written/delivered': written / year.deliveredBytes,
		'shipped MB': shipped / MEGA,
		'shipped/delivered': shipped / year.deliveredBytes,
		'of it in retention MB': sum(later.filter(({ phase }) => phase === 'retention').map((step) => step.shipped)) / MEGA,
		'spree nights MB': sum(ofSprees.map((step) => step.shipped)) / MEGA,
		'repository MB': repository.bytes / MEGA,
		files: repository.files,
		'offsite MB': target.bytes / MEGA,
		'offsite files': target.files,
	};
}

export function timeRow({ program, steps }: Ledger): Row {
	const later = steps.filter(({ night }) => night > 0);
	const of = (phase: Phase) => later.filter((step) => step.phase === phase);
	const nightly = new Map<number, number>();
	for (const { night, wall, phase } of later) if (phase !== 'retention') nightly.set(night, (nightly.get(night) ?? 0) + wall);
	return {
		program: program.name,
		'seconds in all': sum(later.map(({ wall }) => wall)),
		'CPU s': sum(later.map(({ cpu }) => cpu)),
		...Object.fromEntries(PHASES.map((phase) => [`${phase} s`, sum(of(phase).map(({ wall }) => wall))])),
		'median night s': median([...nightly.values()]),
		'median retention s': of('retention').length === 0 ? Number.NaN : median(of('retention').map(({ wall }) => wall)),
	};
}

function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0);
}
