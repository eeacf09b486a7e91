// Takes the JavaScript of better-sqlite3 into the program, so that a start reads and compiles 13 files less. The compiled part stays where
// npm put it.

/** Stands for the package `bindings`, which tries a dozen places: npm has it in the first of these, and the package knows the others. */
const FIND = `
module.exports = (name) => {
	try {
		return require('better-sqlite3/build/Release/better_sqlite3.node');
	} catch (error) {
		if (error.code !== 'MODULE_NOT_FOUND') throw error;
		const { dirname, join } = require('node:path');
		const root = dirname(require.resolve('better-sqlite3/package.json'));
		return require('node:module').createRequire(join(root, 'lib', 'database.js'))('bindings')({ bindings: name, module_root: root });
	}
};
`;

export const sqliteInside = {
	name: 'sqlite-inside',
	setup({ onLoad, onResolve }) {
		onResolve({ filter: /^bindings$/ }, () => ({ path: 'find', namespace: 'sqlite-inside' }));
		onLoad({ filter: /^find$/, namespace: 'sqlite-inside' }, () => ({ contents: FIND, loader: 'js' }));
		onResolve({ filter: /^better-sqlite3\// }, ({ path }) => ({ path, external: true }));
	},
};
