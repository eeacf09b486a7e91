import type { Command } from 'commander';
import type { Archive, Workers } from '../archive/index.ts';
import type { Finding, Progress } from '../domain/index.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import type { Services } from './services.ts';
import type { Settings } from './settings.ts';
import { printable } from './text.ts';

/** One call of one command. */
export interface Call {
	readonly arguments: readonly string[];
	/** Options as the command's own `describe` declared and parsed them. */
	options<Options extends object>(): Options;
	readonly settings: Settings;
	readonly services: Services;
	readonly io: Io;
	readonly json: boolean;
	readonly progress: Progress;
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
	/** Adds arguments, options and examples. */
	describe(command: Command): void;
	run(call: Call): Promise<Answer>;
}

/** Opens the archive for the time of `work`. */
export async function withArchive<Result>(
	call: Call,
	options: { readonly create?: boolean; readonly work: (archive: Archive) => Promise<Result> },
): Promise<Result> {
	const archive = call.services.openArchive({
		dir: call.settings.archive,
		files: call.services.files,
		create: options.create ?? false,
		warn(text) {
			// Only a remark: with standard error gone the work goes on.
			call.io.stderr.write(`mailseal: ${printable(text)}\n`).catch(() => {});
		},
	});
	try {
		return await options.work(archive);
	} finally {
		archive.close();
	}
}

/** Opens the archive and worker threads for the time of `work`. */
export function withWorkers<Result>(
	call: Call,
	options: { readonly create?: boolean; readonly jobs: number; readonly work: (archive: Archive, workers: Workers) => Promise<Result> },
): Promise<Result> {
	return withArchive(call, {
		create: options.create ?? false,
		async work(archive) {
			const workers = call.services.openWorkers({ jobs: options.jobs, script: call.io.workerScript });
			try {
				return await options.work(archive, workers);
			} finally {
				await workers.close();
			}
		},
	});
}
