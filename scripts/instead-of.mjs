import { fileURLToPath } from 'node:url';

// What the program carries in place of what is imported.
export const insteadOf = {
	alias: {
		// The module alone: the JavaScript of the package goes on with what is left of it where memory runs out.
		'libdeflate-module': fileURLToPath(new URL('../node_modules/libdeflate/dist/libdeflate.wasm.mjs', import.meta.url)),
	},
	// The module asks where it lies and never reads anything from there.
	define: { 'globalThis.__dirname': '""' },
};
