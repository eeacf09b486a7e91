import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { openArchive } from '../../../src/archive/index.ts';
import { acquireLock, openFiles } from '../../../src/platform/index.ts';
import { builtFile } from '../../support/build-program.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';
import { callerOf, expectWhole, openFolder, type PackSaid } from '../../support/program.ts';

const program = builtFile('src/cli/bin.ts');

function makePlace() {
	const folder = openFolder();
	const store = makeMailStore(join(folder, 'store'));
	for (let number = 0; number < 5; number++) store.put(`anna/INBOX/${number}.mail:2,S`);
	const archive = join(folder, 'archive');
	return { store, archive, caller: callerOf(program, { archive }) };
}

test('while one pack runs the second says busy with exit 4, and everything else works', () => {
	const { store, archive, caller } = makePlace();
	const now = new Date(DAY_ZERO).toISOString();
	expect(caller.run('pack', '--now', now, store.spec).code).toBe(0);
	const lock = acquireLock(join(archive, '.lock'), 'the archive');
	try {
		for (const args of [['pack', store.spec], ['pack', '--dry-run', store.spec], ['reindex']]) {
			const said = caller.json(...args);
			expect(said, args.join(' ')).toMatchObject({ code: 4, error: { code: 'busy', hint: expect.stringMatching(/wait/) } });
		}
		expect(caller.run('search', 'mail').code).toBe(0);
		expectWhole(caller, store.root);
	} finally {
		lock.release();
	}
	expect(caller.json<PackSaid>('pack', '--now', now, store.spec)).toMatchObject({ code: 0, result: { messages: { total: 5, added: 0 } } });
});

test('of many packs at once each is done or busy, none fails otherwise, and nothing is lost', async () => {
	const { store, caller } = makePlace();
	for (let round = 0; round < 2; round++) {
		store.put(`anna/Round/${round}.round:2,S`);
		const now = new Date(DAY_ZERO + round * DAY).toISOString();
		const packs = Array.from({ length: 4 }, () => caller.start('pack', '--now', now, '--jobs', '0', store.spec));
		const codes = await Promise.all(packs.map(async (child) => Number((await once(child, 'close'))[0])));
		for (const code of codes) expect([0, 4]).toContain(code);
		expect(codes).toContain(0);
		expectWhole(caller, store.root);
	}
});

test('an archive is born under its lock: nobody else takes the files of its birth for leftovers', () => {
	const dir = join(openFolder(), 'archive');
	const lockIt = () => acquireLock(join(dir, '.lock'), 'the archive').release();
	const busy = expect.objectContaining({ code: 'busy' });
	const named: string[] = [];
	const hooks = {
		before(operation: string, path: string) {
			if (operation !== 'rename') return;
			named.push(basename(path));
			expect(lockIt).toThrow(busy);
		},
	};
	openArchive({ dir, files: openFiles(hooks), create: true });
	expect(named).toEqual(['README.txt', 'recover.py', 'mailseal.json']);
	expect(lockIt).not.toThrow();
});

test('an archive is not made where another mailseal is at it', () => {
	const dir = openFolder();
	const lock = acquireLock(join(dir, '.lock'), 'the archive');
	try {
		expect(() => openArchive({ dir, files: openFiles(), create: true })).toThrow(expect.objectContaining({ code: 'busy' }));
		expect(readdirSync(dir).filter((name) => !name.startsWith('.lock'))).toEqual([]);
	} finally {
		lock.release();
	}
});
