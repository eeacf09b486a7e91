// Commander can start programs of their own as commands, and loads what starts programs for that. There are none here.

export const noSubprograms = {
	name: 'no-subprograms',
	setup({ onLoad, onResolve }) {
		onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
			/[\\/]commander[\\/]/.test(importer) ? { path: 'none', namespace: 'no-subprograms' } : null,
		);
		onLoad({ filter: /^none$/, namespace: 'no-subprograms' }, () => ({ contents: 'module.exports = {};', loader: 'js' }));
	},
};
