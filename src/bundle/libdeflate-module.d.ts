/** libdeflate 1.x as the package `libdeflate` has compiled it to WebAssembly; its own JavaScript around that checks no allocation. */
declare module 'libdeflate-module' {
	/** Pointers are offsets into the heap; 0 is none. */
	export interface LibdeflateModule {
		/** Another array after each growth of the memory. */
		readonly HEAPU8: Uint8Array;
		_malloc(bytes: number): number;
		_free(pointer: number): void;
		_libdeflate_alloc_compressor(level: number): number;
		_libdeflate_gzip_compress_bound(compressor: number, length: number): number;
		/** Bytes written; 0 where they do not fit. */
		_libdeflate_gzip_compress(compressor: number, input: number, inputLength: number, output: number, outputLength: number): number;
	}

	/** The object that becomes the module. */
	export interface ModuleSettings {
		printErr(text: string): void;
		/** Put there while the module is made; fails where that fails. */
		readonly ready?: Promise<unknown>;
	}

	export default function createModule(settings: ModuleSettings): LibdeflateModule;
}
