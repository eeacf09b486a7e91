import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openFiles } from '../../src/platform/index.ts';
import { type BlobStore, openFolderStore } from '../../src/remote/index.ts';
import type { OpenedStore } from '../contract/blob-store.ts';

/** A new folder as a store, seen through `wrap`. */
export async function openFolderUnderTest(wrap: (store: BlobStore) => BlobStore = (store) => store): Promise<OpenedStore> {
	const path = mkdtempSync(join(tmpdir(), 'mailseal-folder-'));
	return {
		store: wrap(openFolderStore({ path, files: openFiles() })),
		async plant(name, bytes) {
			const file = join(path, name);
			mkdirSync(dirname(file), { recursive: true });
			if (existsSync(file)) chmodSync(file, 0o600);
			writeFileSync(file, bytes);
		},
		close: async () => rmSync(path, { recursive: true, force: true }),
	};
}
