import { lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { maildirWriter, mboxWriter, openMessageWriter } from '../../src/sources/index.ts';
import { bytesOf, emptyFolder, mail, placed, tree, writeAll } from './write-sample.ts';

vi.mock('node:fs', async (original) => ({
	...(await original<typeof import('node:fs')>()),
	linkSync() {
		throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' });
	},
}));

const A = 'alice@example.org';

describe('on a file system without hard links', () => {
	test('messages come back with date and mode, and nothing is left in tmp', () => {
		const to = emptyFolder();
		const word = placed('one', { dir: 'cur', info: ':2,S', mode: 0o640 });
		expect(writeAll(maildirWriter({ to, layout: 'maildir++' }), mail({ placements: [word] })).outcomes).toEqual(['written']);
		const path = join(to, A, 'cur/one:2,S');
		expect(readFileSync(path)).toEqual(bytesOf(word.message));
		expect(statSync(path).mode & 0o7777).toBe(0o640);
		expect(lstatSync(path, { bigint: true }).mtimeMs).toBe(BigInt(Date.parse(word.date)));
		expect(tree(to)).toEqual([`${A}/cur/one:2,S`]);
	});

	test('a file that appeared after the plan stays', () => {
		const to = emptyFolder();
		const plan = maildirWriter({ to, layout: 'maildir++' }).plan(mail({ placements: [placed('one', { dir: 'cur' })] }));
		plan.begin();
		writeFileSync(join(to, A, 'cur/one'), 'mine');
		const output = openMessageWriter();
		expect(plan.jobs.map((job) => output.write(job, [bytesOf(job.message)]))).toEqual(['present']);
		output.close();
		expect(readFileSync(join(to, A, 'cur/one'), 'utf8')).toBe('mine');
	});

	test('an mbox gets its name', () => {
		const to = emptyFolder();
		expect(writeAll(mboxWriter({ to }), mail({ placements: [placed('one')] })).codes).toEqual([]);
		expect(tree(to)).toEqual([`${A}/INBOX.mbox`]);
		expect(readFileSync(join(to, A, 'INBOX.mbox'), 'utf8')).toContain('body of one\n\n');
	});
});
