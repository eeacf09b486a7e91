import type { Io, Sink } from '../../src/cli/io.ts';

/** A sink that keeps what was written. */
export interface RecordedSink extends Sink {
	text(): string;
	bytes(): Buffer;
	/** Behaves from now on as a pipe whose reader has gone. */
	hangUp(): void;
}

export interface RecordedIo extends Io {
	readonly stdout: RecordedSink;
	readonly stderr: RecordedSink;
	readonly abort: (reason: unknown) => void;
	/** Moves the clock. */
	advance(milliseconds: number): void;
}

function recordSink(options: { readonly terminal: boolean; readonly lively: boolean; readonly columns: number }): RecordedSink {
	const pieces: Buffer[] = [];
	let closed = false;
	return {
		...options,
		get closed() {
			return closed;
		},
		async write(data) {
			if (!closed) pieces.push(Buffer.from(data));
		},
		text: () => Buffer.concat(pieces).toString('utf8'),
		bytes: () => Buffer.concat(pieces),
		hangUp() {
			closed = true;
		},
	};
}

/** A world for the program to run in, of which the test sees everything. */
export function recordIo(
	options: {
		readonly terminal?: boolean;
		readonly lively?: boolean;
		readonly columns?: number;
		readonly env?: Readonly<Record<string, string>>;
		readonly home?: string;
		readonly folder?: string;
		readonly now?: number;
	} = {},
): RecordedIo {
	const { terminal = false, lively = terminal, columns = 80, env = {}, home = '/nowhere/home', folder = '/nowhere/here' } = options;
	const controller = new AbortController();
	let now = options.now ?? Date.UTC(2026, 10, 23, 2, 15);
	return {
		stdout: recordSink({ terminal, lively, columns }),
		stderr: recordSink({ terminal, lively, columns }),
		env,
		home,
		folder,
		etc: '/nowhere/etc',
		cores: 4,
		signal: controller.signal,
		workerScript: null,
		now: () => now,
		abort: (reason) => controller.abort(reason),
		advance(milliseconds) {
			now += milliseconds;
		},
	};
}
