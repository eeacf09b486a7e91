import type { Command } from 'commander';
import type { Archive, Reach, Workers } from '../archive/index.ts';
import type { Finding } from '../domain/index.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import type { DrawnProgress } from './progress.ts';
import { reachWith } from './reach.ts';
import type { Services } from './services.ts';
import type { Settings } from './settings.ts';
import { formatExactSize, printable } from './text.ts';

/** One call of one command. */
export interface Call {
	readonly arguments: readonly string[];
	/** Options as the command's own `describe` declared and parsed them. */
	options<Options extends object>(): Options;
	readonly settings: Settings;
	readonly services: Services;
	readonly io: Io;
	readonly json: boolean;
	/** Ended by itself before the answer is shown. */
	readonly progress: DrawnProgress;
}

/** What a command answers; the program draws it for people or for programs. */
export interface Answer {
	/** What `--json` shows. */
	readonly result: object;
	readonly findings: readonly Finding[];
	/** What people read on standard output, line by line. */
	readonly lines: Iterable<string>;
	/** A remark beside the result, for standard error. */
	readonly remark?: string;
	/** True where the findings are the result itself. */
	readonly findingsAreResult?: boolean;
	/** Left out: 0, or 1 where a finding needs attention. */
	readonly exit?: ExitCode;
}

/** One file in `commands/`. */
export interface CommandModule {
	/** Adds arguments, options and examples. `load` is for defaults that an option names. */
	describe(command: Command, load: () => Promise<Services>): void | Promise<void>;
	run(call: Call): Promise<Answer>;
}

interface Opening {
	/** Makes the archive where there is none. */
	readonly create?: boolean;
	/** Bytes, for a new archive; one that is there already keeps its own, and a warning says so. */
	readonly attachmentMin?: number;
	/** Opens targets to which the archive dropped bundles. Left out: as the config file says. */
	readonly reach?: Reach;
}

/** Says on standard error that something takes longer, or is other, than expected. */
export function warnTo({ io }: Call): (text: string) => void {
	return (text) => {
		// Only a remark: with standard error gone the work goes on.
		io.stderr.write(`mailseal: ${printable(text)}\n`).catch(() => {});
	};
}

/** Opens the archive for the time of `work`. */
export async function withArchive<Result>(
	call: Call,
	options: Opening & { readonly work: (archive: Archive) => Promise<Result> },
): Promise<Result> {
	const warn = warnTo(call);
	const { create, attachmentMin, reach } = options;
	const archive = call.services.openArchive({
		dir: call.settings.archive,
		files: call.services.files,
		create: create ?? false,
		...(attachmentMin === undefined ? {} : { attachmentMin }),
		warn,
		offsite: call.services.offsiteOfRecords(call.settings.archive, reach ?? reachWith(call, {})),
	});
	try {
		if (attachmentMin !== undefined && attachmentMin !== archive.attachmentMin) {
			const [stays, given] = [archive.attachmentMin, attachmentMin].map(formatExactSize);
			warn(
				`the attachment minimum of this archive stays at ${stays} (not ${given}): it is fixed at birth, so that one file is always one attachment`,
			);
		}
		return await options.work(archive);
	} finally {
		await archive.close();
	}
}

/** Opens the archive and worker threads for the time of `work`. */
export function withWorkers<Result>(
	call: Call,
	options: Opening & { readonly jobs: number; readonly work: (archive: Archive, workers: Workers) => Promise<Result> },
): Promise<Result> {
	const { jobs: _jobs, work: _work, ...opening } = options;
	return withArchive(call, {
		...opening,
		work: (archive) => useWorkers(call, options.jobs, (workers) => options.work(archive, workers)),
	});
}

/** Opens worker threads for the time of `work`. */
export async function useWorkers<Result>(call: Call, jobs: number, work: (workers: Workers) => Promise<Result>): Promise<Result> {
	const workers = call.services.openWorkers({ jobs, script: call.io.workerScript });
	try {
		return await work(workers);
	} finally {
		await workers.close();
	}
}
