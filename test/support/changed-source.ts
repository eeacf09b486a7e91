import type { FolderListing, MailSource } from '../../src/sources/index.ts';

/** A source that answers as `source` does, but for what `changes` says. */
export function changedSource(source: MailSource, changes: Partial<MailSource>): MailSource {
	return {
		spec: source.spec,
		accounts: (signal) => source.accounts(signal),
		look: (account, request) => source.look(account, request),
		controls: (account) => source.controls(account),
		listFolder: (account, folder) => source.listFolder(account, folder),
		find: (account, folder, key) => source.find(account, folder, key),
		measure: (path) => source.measure(path),
		openLarge: (path) => source.openLarge(path),
		...changes,
	};
}

/** The same, where everything has changed since the last look, and each listing is what `change` makes of it. */
export function relistedSource(source: MailSource, change: (listing: FolderListing) => FolderListing, changes: Partial<MailSource> = {}) {
	return changedSource(source, {
		async look(account, request) {
			const look = await source.look(account, request);
			const folders = look.folders.map((folder) => ({ ...folder, signature: `changed ${folder.signature}` }));
			return { ...look, folders, controlSignature: `changed ${look.controlSignature}` };
		},
		listFolder: async (account, folder) => change(await source.listFolder(account, folder)),
		...changes,
	});
}
