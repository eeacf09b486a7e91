import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packOnce, restoreOnce, temporaryFolder } from '../support/archive.ts';
import { bundlesOf, snapshotsOf } from '../support/eventful-night.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../support/mail-store.ts';

test('a message whose one copy was sealed tonight for another tenant is sealed for its own, while that bundle is on its way to the disk', async () => {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	const mail = 'Subject: one\n\nto all\n';
	store.put('zoe@z.example/INBOX/1:2,S', { content: mail });
	await packOnce(archive, store.spec, { now: DAY_ZERO, bundles: { linger: 0 } });
	for (const { kind, id } of bundlesOf(archive, String(snapshotsOf(archive).at(-1)))) {
		rmSync(join(archive, 'bundles', kind, id.slice(0, 2), `${id}.zip`));
	}
	store.put('ann@a.example/INBOX/1:2,S', { content: mail, at: DAY_ZERO - 100 * DAY });
	const { findings, result } = await packOnce(archive, store.spec, { now: DAY_ZERO + 100 * DAY, bundles: { linger: 0 } });
	expect(findings.map(({ code }) => code)).not.toContain('message-damaged');
	expect(result.sealed.new).toBe(2);
	expect((await restoreOnce(archive, temporaryFolder())).result.written).toBe(2);
});
