import { expect, it } from 'vitest';
import { counted } from '../../src/remote/index.ts';
import { collect, contentOf, describeBlobStore, NEVER, noise, readAll, sha256 } from '../contract/blob-store.ts';
import { openFolderUnderTest } from './folder-under-test.ts';

describeBlobStore({
	name: 'a folder that is counted',
	open: () => openFolderUnderTest((store) => counted(store).store),
	temporaryName: 'bundles/ab/.tmp-0123456789abcdef',
	many: 20,
});

it('counted() counts calls and bytes, those of failed calls too', async () => {
	const { store: folder, close } = await openFolderUnderTest();
	const { store, counts } = counted(folder);
	const bytes = noise(300_000);
	await store.create('a', contentOf(bytes), { signal: NEVER });
	await store.create('a', contentOf(bytes), { signal: NEVER });
	expect(counts).toMatchObject({ creates: 2, bytesWritten: 300_000 });
	await expect(store.create('b', contentOf(bytes, { size: 300_001 }), { signal: NEVER })).rejects.toThrow();
	expect(counts).toMatchObject({ creates: 3, bytesWritten: 600_000, reads: 0, bytesRead: 0 });
	await readAll(store, 'a', 100_000);
	await store.readRange('a', { offset: 0, length: 1_000 }, NEVER);
	await expect(store.readRange('b', { offset: 0, length: 1_000 }, NEVER)).rejects.toThrow();
	expect(counts).toMatchObject({ reads: 3, bytesRead: 201_000 });
	await store.prove('a', { size: 300_000, sha256: sha256(bytes), md5: null }, NEVER);
	await store.prove('b', { size: 300_000, sha256: sha256(bytes), md5: null }, NEVER);
	await store.stat('a', NEVER);
	await store.top(1, NEVER);
	await collect(store.list('', NEVER));
	await collect(store.leftovers(NEVER));
	await store.remove('a', NEVER);
	expect(counts).toEqual({
		lists: 3,
		stats: 1,
		reads: 3,
		bytesRead: 501_000,
		creates: 3,
		bytesWritten: 600_000,
		proofs: 2,
		removes: 1,
	});
	await close();
});
