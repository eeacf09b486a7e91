import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prune } from '../../src/archive/index.ts';
import { NO_RETENTION, SILENT } from '../../src/domain/index.ts';
import { archiveAt, compactOnce, filesBelow, never, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { fileBytes, mailWith } from '../support/attached-mail.ts';
import { DAY, DAY_ZERO, makeMailStore, noisyMail } from '../support/mail-store.ts';
import { syncOnce } from '../support/target.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const ANNA = 'anna@example.org/INBOX';
const MESSAGES = 300;

/** Bytes of the files that are there now and were not before, as they are. */
function newBytes(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): number {
	return [...after]
		.filter(([path, facts]) => before.get(path) !== facts)
		.reduce((bytes, [, facts]) => bytes + Number.parseInt(facts, 10), 0);
}

test.each([
	['small mail', (n: number) => noisyMail(`${n}`, 2500)],
	['mail with files', (n: number) => mailWith([{ name: 'a.bin', bytes: fileBytes(`file ${n}`, 9000) }], { subject: `${n}` })],
])(
	'a clean-up spree through a fifth of the old mail of an account ships less than a hundredth of it that night, %s, and is compacted later',
	async (_kind, mail) => {
		const store = makeMailStore();
		const [archive, target] = [join(temporaryFolder(), 'archive'), join(temporaryFolder(), 'target')];
		const night = (day: number) =>
			packOnce(archive, store.spec, { now: DAY_ZERO + day * DAY, bundles: { linger: 0, target: 200_000, max: 300_000 } });
		let size = 0;
		for (let n = 0; n < MESSAGES; n++) {
			const content = mail(n);
			size += content.length;
			store.put(`${ANNA}/${n}:2,S`, { content, at: DAY_ZERO + n * 1000 });
		}
		await night(40);
		await syncOnce(archive, target);
		const sealed = filesBelow(join(archive, 'bundles', 'sealed'));
		expect(sealed.size).toBeGreaterThan(3);
		// What is old lies together, and a spree goes through it from one end.
		for (let n = 0; n < MESSAGES / 5; n++) store.remove(`${ANNA}/${n}:2,S`);
		const tree = readTreeState(store.root);
		const before = filesBelow(target);
		await night(41);
		await syncOnce(archive, target);
		const shipped = newBytes(before, filesBelow(target));
		expect(shipped).toBeGreaterThan(0);
		expect(shipped).toBeLessThan(size / 100);
		expect(filesBelow(join(archive, 'bundles', 'sealed'))).toEqual(sealed);

		const { result } = await compactOnce(archive, { now: DAY_ZERO + 42 * DAY });
		expect(result.superseded).toBeGreaterThan(0);
		const request = { keep: { ...NO_RETENTION, last: 1 }, now: DAY_ZERO + 43 * DAY, dryRun: false, progress: SILENT, signal: never };
		const pruned = await prune(archiveAt(archive), request);
		expect(pruned.result.bytes).toBeGreaterThan(0);
		const to = join(temporaryFolder(), 'restored');
		await restoreOnce(archive, to);
		expect(compareTreeStates(tree, readTreeState(to))).toEqual([]);
		expect((await verifyOnce(archive)).findings).toEqual([]);
	},
);
