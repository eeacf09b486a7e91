import type { ErrorCode } from '../domain/index.ts';

/** Every number that the program can end with. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 70 | 130;

/** The numbers and what they mean, in the order in which `--help` shows them. */
export const EXIT_CODES: readonly (readonly [code: ExitCode, meaning: string])[] = [
	[0, 'done'],
	[1, 'done, with findings that need attention (skipped files, odd mail)'],
	[2, 'the call or the config file is wrong'],
	[3, 'not found'],
	[4, 'the archive, the source or the target is busy, unreachable or cannot be written; try again'],
	[5, 'the archive is damaged, or written by a newer mailseal'],
	[70, 'a bug in mailseal'],
	[130, 'interrupted'],
];

const BY_ERROR: Readonly<Record<ErrorCode, ExitCode>> = {
	usage: 2,
	config: 2,
	'not-found': 3,
	busy: 4,
	'source-gone': 4,
	unreachable: 4,
	'mass-removal': 4,
	'no-space': 4,
	'read-only': 4,
	permission: 4,
	io: 4,
	'archive-damaged': 5,
	'format-newer': 5,
	interrupted: 130,
};

/** The number for a foreseen failure. */
export function exitOf(code: ErrorCode): ExitCode {
	return BY_ERROR[code];
}
