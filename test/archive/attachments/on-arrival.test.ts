import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packOnce, pruneOnce, temporaryFolder, verifyOnce } from '../../support/archive.ts';
import { fileBytes, mailWith } from '../../support/attached-mail.ts';
import { attachmentsIn, listedBundles, messagesIn } from '../../support/listed-bundles.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';

const REPORT = fileBytes('report', 60_000);
/** A 512th of the target is the least that is sealed at once. */
const ARRIVAL = { attachments: 'arrival', linger: 0, target: 512 * 50_000 } as const;

function mail(subject: string, files = [{ name: 'report.pdf', bytes: REPORT }]): { content: Buffer; at: number } {
	return { content: mailWith(files, { subject }), at: DAY_ZERO };
}

function night(archive: string, spec: string, day: number) {
	return packOnce(archive, spec, { now: DAY_ZERO + day * DAY, bundles: ARRIVAL });
}

/** Attachments and messages by kind of bundle, as the newest snapshot has them. */
async function held(archive: string) {
	const count = { sealed: [0, 0], volatile: [0, 0] };
	for (const { ref, lines } of await listedBundles(archive)) {
		const [attachments = 0, messages = 0] = count[ref.kind];
		count[ref.kind] = [attachments + attachmentsIn(lines).length, messages + messagesIn(lines).length];
	}
	return count;
}

test('on arrival an attachment is sealed the first night, its message when it is quiet, and the attachment is never written again', async () => {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	store.put('anna@example.org/INBOX/1:2,S', mail('one'));
	const { result } = await night(archive, store.spec, 1);
	expect(result.attachments.new).toBe(1);
	expect(await held(archive)).toEqual({ sealed: [1, 0], volatile: [0, 1] });
	store.put('ben@example.net/INBOX/2:2,S', mail('two'));
	await night(archive, store.spec, 2);
	expect(await held(archive)).toEqual({ sealed: [1, 0], volatile: [0, 2] });
	await night(archive, store.spec, 40);
	expect((await held(archive)).sealed).toEqual([1, 2]);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('on arrival few attachments, less than a 512th of a bundle, stay volatile until their message is quiet', async () => {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	const few = (subject: string) => mail(subject, [{ name: `${subject}.pdf`, bytes: fileBytes(subject, 20_000) }]);
	store.put('anna@example.org/INBOX/1:2,S', few('one'));
	store.put('anna@example.org/INBOX/2:2,S', few('two'));
	const { result } = await night(archive, store.spec, 1);
	expect(result.attachments.new).toBe(2);
	expect(await held(archive)).toEqual({ sealed: [0, 0], volatile: [2, 2] });
	for (const name of ['three', 'four', 'five']) store.put(`anna@example.org/INBOX/${name}:2,S`, few(name));
	await night(archive, store.spec, 2);
	expect(await held(archive)).toEqual({ sealed: [3, 0], volatile: [2, 5] });
	await night(archive, store.spec, 40);
	expect((await held(archive)).sealed).toEqual([5, 5]);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('on arrival a pack within hours of the last one seals no bundle of less than a 64th, so that frequent packs make no small ones', async () => {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	const put = (name: string, bytes: number) =>
		store.put(`anna@example.org/INBOX/${name}:2,S`, mail(name, [{ name: `${name}.pdf`, bytes: fileBytes(name, bytes) }]));
	put('one', 60_000);
	await night(archive, store.spec, 1);
	expect(await held(archive)).toEqual({ sealed: [1, 0], volatile: [0, 1] });
	put('two', 60_000);
	await night(archive, store.spec, 1 + 11 / 24);
	expect(await held(archive)).toEqual({ sealed: [1, 0], volatile: [1, 2] });
	put('three', 420_000);
	await night(archive, store.spec, 1 + 22 / 24);
	expect(await held(archive)).toEqual({ sealed: [2, 0], volatile: [1, 3] });
	put('four', 60_000);
	await night(archive, store.spec, 1 + 34 / 24);
	expect(await held(archive)).toEqual({ sealed: [3, 0], volatile: [1, 4] });
});

test('on arrival a prune within hours of a pack makes it no frequent one', async () => {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	const put = (name: string) =>
		store.put(`anna@example.org/INBOX/${name}:2,S`, mail(name, [{ name: `${name}.pdf`, bytes: fileBytes(name, 60_000) }]));
	for (const day of [1, 2]) {
		put(`day-${day}`);
		await night(archive, store.spec, day);
	}
	expect(await held(archive)).toMatchObject({ sealed: [2, 0] });
	const { result } = await pruneOnce(archive, { last: 1 }, { now: DAY_ZERO + 2.9 * DAY });
	expect(result.record).not.toBeNull();
	put('day-3');
	await night(archive, store.spec, 3);
	expect(await held(archive)).toMatchObject({ sealed: [3, 0] });
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('on arrival what lies in a folder that is never sealed keeps its attachments in the volatile bundle', async () => {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	store.put('anna@example.org/Junk/1:2,S', mail('win'));
	store.put('anna@example.org/INBOX/2:2,DS', mail('gone soon', [{ name: 'a.pdf', bytes: fileBytes('other', 30_000) }]));
	const { result } = await night(archive, store.spec, 1);
	expect(result.attachments.new).toBe(2);
	expect(await held(archive)).toEqual({ sealed: [0, 0], volatile: [2, 2] });
});

test('on arrival the sealed bundles of attachments are cut at the target, and a second pack of the same night gives the same ids', async () => {
	const store = makeMailStore();
	const folder = temporaryFolder();
	for (let n = 0; n < 4; n++)
		store.put(`anna@example.org/INBOX/${n}:2,S`, mail(`${n}`, [{ name: 'x', bytes: fileBytes(`f${n}`, 50_000) }]));
	const ids: string[][] = [];
	for (const name of ['a', 'b']) {
		await packOnce(join(folder, name), store.spec, { now: DAY_ZERO + DAY, bundles: { ...ARRIVAL, target: 90_000, max: 120_000 } });
		ids.push((await listedBundles(join(folder, name), 'sealed')).map(({ ref }) => ref.id));
	}
	expect(ids[0]).toHaveLength(2);
	expect(ids[1]).toEqual(ids[0]);
});
