import { MailsealError } from './errors.ts';

const UNITS: Readonly<Record<string, number>> = {
	'': 1,
	B: 1,
	KIB: 1024,
	K: 1024,
	KB: 1000,
	MIB: 1024 ** 2,
	M: 1024 ** 2,
	MB: 1000 ** 2,
	GIB: 1024 ** 3,
	G: 1024 ** 3,
	GB: 1000 ** 3,
	TIB: 1024 ** 4,
	T: 1024 ** 4,
	TB: 1000 ** 4,
};

/** A size such as `64MiB`, `8K`, `1500`, in bytes. */
export function parseSize(text: string): number {
	const match = /^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$/.exec(text.trim());
	const unit = UNITS[(match?.[2] ?? '?').toUpperCase()];
	if (!match || unit === undefined) {
		throw new MailsealError('usage', `Cannot read size "${text}": it is not a number with B, KiB, MiB or GiB, such as 64MiB`);
	}
	return Math.round(Number(match[1]) * unit);
}

/** A size for people, three digits at most: `1.2 GB`, `190 MB`. */
export function formatSize(bytes: number): string {
	if (bytes === 1) return '1 byte';
	const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
	let value = bytes;
	let unit = 0;
	while (value >= 999.5 && unit < units.length - 1) {
		value /= 1000;
		unit++;
	}
	return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A share of a whole, `0.5` or `50%`, from 0 to 1; throws `usage` for anything else. */
export function parseFraction(text: string): number {
	const [, number, percent] = /^([0-9]+(?:\.[0-9]+)?)(%?)$/.exec(text.trim()) ?? [];
	const share = Number(number) / (percent === '%' ? 100 : 1);
	if (share >= 0 && share <= 1) return share;
	throw new MailsealError('usage', `Cannot read share "${text}": it is not from 0 to 1 (such as 0.5, or 50%)`);
}
