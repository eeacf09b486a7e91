import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PackRequest, PruneRequest, PruneResult } from '../../src/archive/index.ts';
import { MailsealError, NO_RETENTION, parseSnapshotName } from '../../src/domain/index.ts';
import { recordIo } from '../support/recorded-io.ts';
import { call, services } from './call-main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'mailseal-prune-cli-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const [first, second, third] = ['20261121T021500Z-0a1b2c3d', '20261122T021500Z-0a1b2c3d', '20261123T021500Z-0a1b2c3d'].map(
	parseSnapshotName,
) as [ReturnType<typeof parseSnapshotName>, ReturnType<typeof parseSnapshotName>, ReturnType<typeof parseSnapshotName>];
const result: PruneResult = {
	record: parseSnapshotName('20261123T021600Z-0a1b2c3d'),
	kept: [
		{ name: first, time: '2026-11-21T02:15:00.000Z', tags: ['a'], reasons: ['tagged a', 'monthly 2026-10'] },
		{ name: third, time: '2026-11-23T02:15:00.000Z', tags: [], reasons: ['newest'] },
	],
	pruned: [{ name: second, time: '2026-11-22T02:15:00.000Z' }],
	bundles: 3,
	bytes: 41_000_000,
	seconds: 0.84,
	dryRun: false,
};

function recordPrunes(answer = result) {
	const requests: PruneRequest[] = [];
	const load = services({
		async prune(_archive, request) {
			requests.push(request);
			return { result: answer, findings: [] };
		},
	});
	return { load, requests };
}

describe('prune', () => {
	it('takes counts from its options, and those that are not given from the config file', async () => {
		const config = join(scratch, 'mailseal.toml');
		writeFileSync(config, '[retention]\nkeep-daily = 30\nkeep-monthly = 12\nkeep-yearly = 3\n');
		const { load, requests } = recordPrunes();
		await call(['prune', '--config', config], load);
		await call(['prune', '--config', config, '--keep-daily', '7', '--keep-yearly', '0', '--now', '2026-11-24', '--dry-run'], load);
		await call(['prune', '--keep-last', '1', '--keep-hourly', '2', '--keep-weekly', '3'], load);
		expect(requests.map(({ keep }) => keep)).toEqual([
			{ ...NO_RETENTION, daily: 30, monthly: 12, yearly: 3 },
			{ ...NO_RETENTION, daily: 7, monthly: 12 },
			{ ...NO_RETENTION, last: 1, hourly: 2, weekly: 3 },
		]);
		expect(requests.map(({ dryRun }) => dryRun)).toEqual([false, true, false]);
		expect(requests[1]?.now).toBe(Date.UTC(2026, 10, 24));
	});

	it('shows what is kept and why, what goes, and one line of what that comes to', async () => {
		const { out, code } = await call(['prune'], recordPrunes().load);
		expect(code).toBe(0);
		expect(out.split('\n')).toEqual([
			`${first}  2026-11-21 02:15  keep   tagged a, monthly 2026-10`,
			`${second}  2026-11-22 02:15  prune`,
			`${third}  2026-11-23 02:15  keep   newest`,
			'record    20261123T021600Z-0a1b2c3d',
			'1 snapshot and 3 bundles (41 MB) removed, 2 snapshots kept, 0.8 s',
			'',
		]);
		const terminal = await call(['prune'], recordPrunes({ ...result, record: null, dryRun: true }).load, recordIo({ terminal: true }));
		expect(terminal.out).toMatch(/^SNAPSHOT +TIME +BECAUSE OF\n/);
		expect(terminal.out).toContain('would be removed, 2 snapshots kept');
		expect(terminal.out).toMatch(/\ndry run: nothing was changed\n$/);
	});

	it('gives programs the result as it is', async () => {
		const { out } = await call(['prune', '--json'], recordPrunes().load);
		expect(JSON.parse(out)).toEqual({ mailseal: 1, command: 'prune', result, findings: [] });
	});

	it('ends with 2 for a count that is none, and where nothing says what to keep', async () => {
		for (const count of ['-1', 'all', '1.5']) {
			const { code, err } = await call(['prune', `--keep-daily=${count}`], recordPrunes().load);
			expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(`Cannot use "--keep-daily ${count}": it is not an integer`) });
		}
		const load = services({
			async prune() {
				throw new MailsealError('usage', 'Cannot prune: no count says what to keep', { hint: 'run it with --keep-daily 30' });
			},
		});
		expect((await call(['prune'], load)).code).toBe(2);
	});
});

describe('pack --tag', () => {
	it('may be given several times, and refuses what is no tag', async () => {
		const requests: PackRequest[] = [];
		const load = services({
			async pack(_archive, request) {
				requests.push(request);
				throw new MailsealError('busy', 'seen enough');
			},
		});
		await call(['pack', '--tag', 'before-upgrade', '--tag', 'v2.1', '/x'], load);
		await call(['pack', '/x'], load);
		expect(requests.map(({ tags }) => tags)).toEqual([['before-upgrade', 'v2.1'], undefined]);
		const { code, err } = await call(['pack', '--tag', 'two words', '/x'], load);
		expect(code).toBe(2);
		expect(err).toContain('two words');
		expect(requests).toHaveLength(2);
	});
});
