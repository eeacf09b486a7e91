import { statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtFile } from '../../support/build-program.ts';
import { DAY, DAY_ZERO, makeMailStore, noisyMail } from '../../support/mail-store.ts';
import { type Caller, callerOf, expectWhole, openFolder, type PackSaid } from '../../support/program.ts';
import { canMount, smallDisk } from '../../support/small-disk.ts';
import { compareTreeStates, readTreeState } from '../../support/tree-state.ts';

const KIB = 1024;
const program = builtFile('src/cli/bin.ts');
const mayMount = canMount();

function makeStore() {
	const store = makeMailStore(join(openFolder(), 'store'));
	for (let number = 0; number < 40; number++) store.put(`anna/INBOX/${number}.old:2,S`, { content: noisyMail(`old ${number}`, 8 * KIB) });
	return store;
}

function pack(caller: Caller, spec: string, night: number) {
	const now = new Date(DAY_ZERO + night * DAY).toISOString();
	return caller.json<PackSaid>('pack', '--now', now, '--linger', '0s', '--bundle-target', '64KiB', spec);
}

/** Fills a disk but for `left` bytes. */
function fill(disk: string, left: number): string {
	const { bavail, bsize } = statfsSync(disk);
	const path = join(disk, 'filling');
	writeFileSync(path, Buffer.alloc(Math.max(0, bavail * bsize - left)));
	return path;
}

describe.skipIf(!mayMount)('a full disk', () => {
	it('ends a first pack with exit 4, and the next one with room completes it', () => {
		const store = makeStore();
		const disk = smallDisk('150k');
		const archive = join(disk.path, 'archive');
		const caller = callerOf(program, { archive });
		expect(pack(caller, store.spec, 0)).toMatchObject({ code: 4, error: { code: 'no-space' } });
		disk.resize('8m');
		expect(pack(caller, store.spec, 0)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 40 } } });
		expectWhole(caller, store.root);
	});

	// From no room for a lock, over none for the catalog's files, a bundle, the catalog's own news, to enough of it.
	it.each([[0], [8], [32], [300], [600], [660], [2000]])(
		'is no harm to a pack that finds %d KiB of room, nor to whoever reads the archive',
		(kilobytes) => {
			const store = makeStore();
			const disk = smallDisk('8m');
			const caller = callerOf(program, { archive: join(disk.path, 'archive') });
			expect(pack(caller, store.spec, 0)).toMatchObject({ code: 0, findings: [] });
			const before = readTreeState(store.root);
			for (let number = 0; number < 30; number++) store.put(`anna/Sub/${number}.new:2,`, { content: noisyMail(`new ${number}`, 8 * KIB) });
			const filling = fill(disk.path, kilobytes * KIB);
			const said = pack(caller, store.spec, 60);
			if (said.code === 4) expect(said.error).toMatchObject({ code: 'no-space', hint: expect.stringMatching(/free some space/) });
			else if (said.code === 1) expect(said.findings).toMatchObject([{ code: 'catalog-not-updated' }]);
			else expect(said).toMatchObject({ code: 0, findings: [] });
			if (kilobytes <= 300) expect(said.code).toBe(4);
			if (kilobytes >= 2000) expect(said.code).toBe(0);
			const tree = said.code === 4 ? before : readTreeState(store.root);
			const to = join(openFolder(), 'restored');
			expect(caller.run('restore', '--to', to).code).toBe(0);
			expect(compareTreeStates(tree, readTreeState(to))).toEqual([]);
			expect(caller.json('verify', '--deep')).toMatchObject({ code: 0, findings: [] });
			unlinkSync(filling);
			expect(pack(caller, store.spec, 61)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 70 } } });
			expectWhole(caller, store.root);
		},
	);
});
