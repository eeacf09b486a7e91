import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFiles } from '../../src/platform/index.ts';
import { type BlobStore, fileContent, openFolderStore } from '../../src/remote/index.ts';
import { collect, NEVER, noise, readAll, sha256 } from '../contract/blob-store.ts';
import { temporaryFolder } from '../support/archive.ts';

function storeAt(path: string): BlobStore {
	return openFolderStore({ path, files: openFiles() });
}

describe('fileContent()', () => {
	it('sends a file, again where it is asked again', async () => {
		const folder = temporaryFolder();
		const bytes = noise(3 * 1024 * 1024 + 1);
		writeFileSync(join(folder, 'source'), bytes);
		const content = fileContent({ path: join(folder, 'source'), size: bytes.length, sha256: sha256(bytes) });
		const store = storeAt(join(folder, 'target'));
		for (const name of ['a', 'b']) {
			expect(await store.create(name, content, { signal: NEVER })).toMatchObject({ outcome: 'created' });
			expect((await readAll(store, name)).equals(bytes)).toBe(true);
		}
	});

	it('names the file that is not there, and not the target', async () => {
		const folder = temporaryFolder();
		const content = fileContent({ path: join(folder, 'source'), size: 1, sha256: sha256(noise(1)) });
		const store = storeAt(join(folder, 'target'));
		await expect(store.create('one', content, { signal: NEVER })).rejects.toMatchObject({
			code: 'not-found',
			message: `Cannot read "${folder}/source": no such file or folder`,
		});
		expect(await collect(store.list('', NEVER))).toEqual([]);
	});
});
