import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a child process cost, those that it started included. */
export interface Cost {
	/** Seconds. */
	readonly wall: number;
	readonly user: number;
	readonly system: number;
	/** Largest resident set of any one process, bytes. */
	readonly peak: number;
	/** Bytes of pages that it made dirty for a disk, as the kernel counts them: a file that is changed in place counts where it changed. */
	readonly written: number;
}

export interface Ran extends Cost {
	readonly stdout: Buffer;
	readonly stderr: string;
	readonly status: number;
}

const TIME = '/usr/bin/time';
/** The kernel's unit for what is written. */
const BLOCK = 512;

/** Runs a program to its end. GNU time asks the kernel (wait4) for the figures: they are of that program alone. */
export function measure(command: string, args: readonly string[]): Ran {
	if (!existsSync(TIME)) throw new Error(`Cannot measure "${command}": ${TIME} is missing (install GNU time)`);
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-measure-'));
	try {
		const figures = join(folder, 'figures');
		const started = process.hrtime.bigint();
		const ran = spawnSync(TIME, ['--quiet', '-f', '%U %S %M %O', '-o', figures, '--', command, ...args], options());
		const wall = Number(process.hrtime.bigint() - started) / 1e9;
		if (ran.error) throw ran.error;
		const [user = 0, system = 0, kibibytes = 0, blocks = 0] = readFileSync(figures, 'utf8').trim().split(' ').map(Number);
		const cost = { wall, user, system, peak: kibibytes * 1024, written: blocks * BLOCK };
		return { ...cost, stdout: ran.stdout, stderr: String(ran.stderr), status: ran.status ?? -1 };
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** Runs a program to its end with nothing between it and the clock; seconds. */
export function stopwatch(command: string, args: readonly string[]): { readonly wall: number; readonly stdout: Buffer } {
	const started = process.hrtime.bigint();
	const ran = spawnSync(command, [...args], options());
	const wall = Number(process.hrtime.bigint() - started) / 1e9;
	if (ran.error) throw ran.error;
	if (ran.status !== 0) throw new Error(`Cannot run "${command} ${args.join(' ')}": it ended with ${ran.status}: ${ran.stderr}`);
	return { wall, stdout: ran.stdout };
}

/** A line of shell with `$1`, `$2`, ... that must succeed. */
export function measureShell(line: string, ...words: readonly string[]): Ran {
	const ran = measure('sh', ['-c', `set -e; ${line}`, 'sh', ...words]);
	if (ran.status !== 0) throw new Error(`Cannot run "${line}": it ended with ${ran.status}: ${ran.stderr}`);
	return ran;
}

function options() {
	// Further certificates cost each start of Node some 40 ms; an archive or configuration of the caller must not be found.
	const { NODE_EXTRA_CA_CERTS, MAILSEAL_ARCHIVE, XDG_CONFIG_HOME, ...rest } = process.env;
	return { env: { ...rest, XDG_CONFIG_HOME: join(tmpdir(), 'mailseal-no-config') }, maxBuffer: 2 ** 30 };
}

export function median(values: readonly number[]): number {
	const sorted = [...values].sort((left, right) => left - right);
	const middle = sorted.length >> 1;
	const upper = sorted[middle] ?? Number.NaN;
	return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Each figure's median; the largest peak. */
export function medianCost(costs: readonly Cost[]): Cost {
	return {
		wall: median(costs.map((cost) => cost.wall)),
		user: median(costs.map((cost) => cost.user)),
		system: median(costs.map((cost) => cost.system)),
		peak: Math.max(...costs.map((cost) => cost.peak)),
		written: median(costs.map((cost) => cost.written)),
	};
}

/** Of commands that follow each other: sums, and the largest peak. */
export function sumCost(costs: readonly Cost[]): Cost {
	const sum = (of: (cost: Cost) => number) => costs.reduce((total, cost) => total + of(cost), 0);
	return {
		wall: sum(({ wall }) => wall),
		user: sum(({ user }) => user),
		system: sum(({ system }) => system),
		peak: Math.max(0, ...costs.map(({ peak }) => peak)),
		written: sum(({ written }) => written),
	};
}
