import createModule, { type LibdeflateModule, type ModuleSettings } from 'libdeflate-module';
import { MailsealError } from '../domain/index.ts';

/** Room that is kept between two calls; nearly all mail fits. */
const KEPT = 256 << 10;
/** After an item above this the module is let go with the memory that it took. */
const LARGE = 8 << 20;

interface Compressor {
	gzip(bytes: Uint8Array): Uint8Array;
}

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/** The module listens for errors of the whole process as soon as it is made, and talks to the console, which is not its affair. */
function load(): LibdeflateModule {
	const before = EVENTS.map((event) => new Set<unknown>(process.rawListeners(event)));
	const module: ModuleSettings = { printErr() {} };
	try {
		return createModule(module);
	} catch (error) {
		// The error is told once more to whoever waits for the module.
		module.ready?.catch(() => {});
		if (!(error instanceof RangeError)) throw error;
		throw new MailsealError('io', 'Cannot compress: WebAssembly gets no memory', {
			hint: 'lift the limit on the address space (ulimit -v, LimitAS= in systemd), of which each thread reserves 10 GiB and uses little',
			cause: error,
		});
	} finally {
		for (const [index, event] of EVENTS.entries()) {
			for (const listener of process.rawListeners(event)) {
				if (!before[index]?.has(listener)) process.removeListener(event, listener as (...args: unknown[]) => void);
			}
		}
	}
}

let module: LibdeflateModule | undefined;
const compressors = new Map<number, Compressor>();

/** The memory of a module only grows, and after a failure nobody knows what is in it: the next call makes another. */
function letGo(): void {
	module = undefined;
	compressors.clear();
}

/** One gzip member (RFC 1952) at one of libdeflate's levels; `io` where there is no memory for it. Whoever keeps it instead of the bytes proves it. */
export function libdeflateGzip(bytes: Uint8Array, level: number): Uint8Array {
	let isKept = false;
	try {
		let compressor = compressors.get(level);
		if (compressor === undefined) {
			module ??= load();
			compressor = openCompressor(module, level);
			compressors.set(level, compressor);
		}
		const stored = compressor.gzip(bytes);
		isKept = bytes.length <= LARGE;
		return stored;
	} finally {
		if (!isKept) letGo();
	}
}

function openCompressor(wasm: LibdeflateModule, level: number): Compressor {
	function allocate(bytes: number): number {
		const pointer = wasm._malloc(bytes);
		if (pointer === 0) throw noMemory(bytes);
		return pointer;
	}
	const handle = wasm._libdeflate_alloc_compressor(level);
	if (handle === 0) throw noMemory(0);
	const keptRoom = wasm._libdeflate_gzip_compress_bound(handle, KEPT);
	const keptInput = allocate(KEPT);
	const keptOutput = allocate(keptRoom);

	function compress(bytes: Uint8Array, place: { input: number; output: number; room: number }): Uint8Array {
		wasm.HEAPU8.set(bytes, place.input);
		const length = wasm._libdeflate_gzip_compress(handle, place.input, bytes.length, place.output, place.room);
		return wasm.HEAPU8.slice(place.output, place.output + length);
	}

	return {
		gzip(bytes) {
			if (bytes.length <= KEPT) return compress(bytes, { input: keptInput, output: keptOutput, room: keptRoom });
			const room = wasm._libdeflate_gzip_compress_bound(handle, bytes.length);
			const input = allocate(bytes.length);
			try {
				const output = allocate(room);
				try {
					return compress(bytes, { input, output, room });
				} finally {
					wasm._free(output);
				}
			} finally {
				wasm._free(input);
			}
		},
	};
}

function noMemory(bytes: number): MailsealError {
	return new MailsealError('io', `Cannot compress ${bytes} bytes: there is no memory left for it`, {
		hint: 'give the program more memory, or fewer threads with --jobs',
		retryable: true,
	});
}
