import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtFile } from '../../support/build-program.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';
import { callerOf, expectWhole, openFolder, type PackSaid } from '../../support/program.ts';
import { canMount, readOnlyView } from '../../support/small-disk.ts';

const program = builtFile('src/cli/bin.ts');
const mayMount = canMount();

function makePlace() {
	const folder = openFolder();
	const store = makeMailStore(join(folder, 'store'));
	for (let number = 0; number < 5; number++) store.put(`anna/INBOX/${number}.mail:2,S`, { subject: `message ${number}` });
	const archive = join(folder, 'archive');
	const writer = callerOf(program, { archive });
	for (const night of [0, 60]) {
		store.put(`anna/Sub/${night}.night:2,S`);
		writer.json<PackSaid>('pack', '--now', new Date(DAY_ZERO + night * DAY).toISOString(), store.spec);
	}
	return { store, archive };
}

describe.skipIf(!mayMount)('an archive on a read-only file system', () => {
	it.each([
		['with its catalog', []],
		['without a catalog', ['catalog.sqlite']],
		['without a catalog and a lock', ['catalog.sqlite', '.lock']],
	])('is read %s as always, and pack says read-only with exit 4', (_what, without) => {
		const { store, archive } = makePlace();
		for (const name of without) rmSync(join(archive, name));
		const caller = callerOf(program, { archive: readOnlyView(archive) });
		expect(caller.run('ls', 'folders').bytes.toString()).toMatch(/anna\/INBOX[\s\S]*anna\/Sub/);
		expect(caller.run('search', 'message 3').bytes.toString()).toContain('message 3');
		expect(caller.run('extract', 'anna/INBOX/3.mail').bytes.equals(store.read('anna/INBOX/3.mail:2,S'))).toBe(true);
		expect(caller.run('status').code).toBe(0);
		expect(caller.json('pack', store.spec)).toMatchObject({ code: 4, error: { code: 'read-only' } });
		expect(caller.json('reindex')).toMatchObject({ code: 4, error: { code: 'read-only' } });
		const verified = caller.json('verify', '--deep');
		expect(verified).toMatchObject({ code: 0, findings: [] });
		if (without.length === 0) expectWhole(caller, store.root);
		else expect(caller.run('restore', '--to', join(openFolder(), 'r'))).toMatchObject({ code: 0, err: expect.stringMatching(/read-only/) });
	});
});
