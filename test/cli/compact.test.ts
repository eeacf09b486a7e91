import { expect, test } from 'vitest';
import type { CompactRequest, CompactResult } from '../../src/archive/index.ts';
import { parseBundleId, type Tenant } from '../../src/domain/index.ts';
import { call, services, snapshot } from './call-main.ts';

const ID = parseBundleId('ab'.repeat(32));
const RESULT: CompactResult = {
	snapshot,
	superseded: 1,
	supersededBytes: 64 * 1024 ** 2,
	new: 1,
	newBytes: 8 * 1024 ** 2,
	freedBytes: 56 * 1024 ** 2,
	left: 2,
	bundles: [{ id: ID, holds: 'messages', size: 64 * 1024 ** 2, live: 0.125, tenant: 'example.org' as Tenant }],
	seconds: 1.5,
	dryRun: false,
};

/** Calls compact with these options, and gives what the use case is asked for. */
async function asked(args: readonly string[], result: CompactResult = RESULT) {
	const requests: CompactRequest[] = [];
	const load = services({
		async compact(_archive, request) {
			requests.push(request);
			return { result, findings: [] };
		},
	});
	const { code, out, err } = await call(['compact', ...args], load);
	return { code, out, err, request: requests[0] };
}

test('compact hands on its bound, its budget and its clock, or the defaults', async () => {
	const { code, request } = await asked(['--below', '0.75', '--budget', '2MiB', '--now', '2026-11-23', '--dry-run']);
	expect(code).toBe(0);
	expect(request).toMatchObject({ below: 0.75, budget: 2 * 1024 ** 2, now: Date.UTC(2026, 10, 23), dryRun: true });
	expect((await asked(['--below', '75%'])).request).toMatchObject({ below: 0.75 });
	expect((await asked([])).request).toMatchObject({ below: 0.5, budget: 1024 ** 3, dryRun: false, bundles: { target: 64 * 1024 ** 2 } });
});

test.each(['1.5', '-1', 'half', '150%', '', '1e-1'])('compact refuses --below "%s"', async (share) => {
	const { code, err } = await asked([`--below=${share}`]);
	expect(code).toBe(2);
	expect(err).toContain('0 to 1');
});

test('compact tells in one line what it did', async () => {
	const { out } = await asked([]);
	expect(out).toBe(`snapshot  ${snapshot}\n1 sealed bundle (67 MB) superseded by 1 new one (8.4 MB), 2 below the bound left, 1.5 s\n`);
});

test('a dry run of compact lists the bundles with the share that is alive', async () => {
	const { out } = await asked(['--dry-run'], { ...RESULT, snapshot: null, dryRun: true });
	expect(out.split('\n').slice(0, 2)).toEqual([
		expect.stringMatching(/^BUNDLE +HOLDS +TENANT +SIZE +ALIVE$/),
		expect.stringMatching(/^abababababab +messages +example\.org +67 MB +12\.5 %$/),
	]);
	expect(out).toContain('dry run: nothing was written\n');
});
