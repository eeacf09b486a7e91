import type { Command } from 'commander';
import type { Call } from './call.ts';
import { countValue } from './values.ts';

// Two threads pay even on one core, since one computes while the other waits for the disk.
const LEAST = 2;
const MOST = 8;

export interface JobsOption {
	readonly jobs?: number;
}

export function addJobs(command: Command): void {
	command.option(
		'--jobs <count>',
		`worker threads; 0 works in one thread only (default: the number of cores, from ${LEAST} to ${MOST})`,
		countValue('--jobs', { least: 0, most: 256 }),
	);
}

export function jobsOf(call: Call, options: JobsOption): number {
	return options.jobs ?? Math.min(MOST, Math.max(LEAST, call.io.cores));
}
