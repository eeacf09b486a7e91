import { availableParallelism, homedir } from 'node:os';
import { systemCode } from '../domain/index.ts';

/** Where output goes. */
export interface Sink {
	readonly terminal: boolean;
	/** True where colour and cursor movement are welcome. */
	readonly lively: boolean;
	readonly columns: number;
	/** True once the reader has gone (`| head`): writing more is pointless, and harmless. */
	readonly closed: boolean;
	/** Resolves when the data was handed over. Rejects with MailsealError `no-space`, `io`, ... */
	write(data: string | Uint8Array): Promise<void>;
}

/** Everything that the program takes from the world around it. */
export interface Io {
	readonly stdout: Sink;
	readonly stderr: Sink;
	readonly env: Readonly<Record<string, string | undefined>>;
	readonly home: string;
	readonly folder: string;
	/** The folder of the machine's own config files. */
	readonly etc: string;
	readonly cores: number;
	/** Aborted by a signal that asks the program to end. */
	readonly signal: AbortSignal;
	/** The file that a worker thread loads; null where there is none and all work stays in this thread. */
	readonly workerScript: string | null;
	/** Milliseconds since 1970. */
	now(): number;
}

function openSink(stream: NodeJS.WriteStream, options: { readonly name: string; readonly lively: boolean }): Sink {
	let closed = false;
	// Every failure comes to the callback of its write too; without a listener it would end the program here.
	stream.on('error', () => {});
	return {
		terminal: stream.isTTY === true,
		lively: stream.isTTY === true && options.lively,
		get columns() {
			return stream.isTTY === true && stream.columns > 0 ? stream.columns : 80;
		},
		get closed() {
			return closed;
		},
		write(data) {
			if (closed) return Promise.resolve();
			return new Promise((resolve, reject) => {
				stream.write(data, (error) => {
					if (!error) return resolve();
					closed = true;
					if (systemCode(error) === 'EPIPE') return resolve();
					// Loaded here only, since it brings SQLite with it and every start would pay for that.
					import('../platform/index.ts').then((platform) => reject(platform.asMailsealError(error, 'write to', options.name)), reject);
				});
			});
		},
	};
}

/** The world of the process that this runs in. */
export function openIo(options: { readonly signal: AbortSignal; readonly workerScript: string | null }): Io {
	const { NO_COLOR, TERM } = process.env;
	const lively = (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
	return {
		stdout: openSink(process.stdout, { name: 'standard output', lively }),
		stderr: openSink(process.stderr, { name: 'standard error', lively }),
		env: process.env,
		home: homedir(),
		folder: process.cwd(),
		etc: '/etc',
		cores: availableParallelism(),
		signal: options.signal,
		workerScript: options.workerScript,
		now: Date.now,
	};
}
