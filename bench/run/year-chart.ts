import { bytesText, drawChart } from './chart.ts';
import { machineLine } from './machine.ts';
import { cumulated, type Step, shippedByNight } from './year-ledger.ts';

/** A program in the picture of a year. */
export interface Drawn {
	readonly name: string;
	readonly steps: readonly Step[];
	/** Of its repository after the last night. */
	readonly bytes: number;
	readonly own: boolean;
}

/** What each program shipped, night by night, against the mail delivered (bytes by night, from night 0), and what it keeps. */
export function drawYear({ delivered, programs }: { readonly delivered: readonly number[]; readonly programs: readonly Drawn[] }): string {
	const nights = delivered.length - 1;
	const mail = cumulated(delivered);
	const total = mail.at(-1) ?? 0;
	return drawChart({
		title: `${nights} nights: what is shipped offsite, and what is kept`,
		lines: 'Bytes shipped offsite since the first full backup, against bytes of mail delivered',
		bars: 'Repository after the last night (keep daily 30, monthly 12)',
		reference: { name: `mail delivered ${bytesText(total)}`, points: mail },
		series: programs.map(({ name, steps, bytes, own }) => {
			const points = shippedByNight(steps, nights);
			const shipped = points.at(-1) ?? 0;
			const note = `${bytesText(shipped)}, ${(shipped / total).toFixed(2)}×`;
			return { name, points, note, bar: bytes, barNote: bytesText(bytes), own };
		}),
		footer: `bench/year.ts, simulated mail. ${machineLine()}`,
	});
}
