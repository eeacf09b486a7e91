import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtFile, NODE_PATH } from '../support/build-program.ts';
import {
	bundlesOf,
	copyOfEve,
	type EventfulNight,
	flawsAfterNextPack,
	lossesAfterBreak,
	makeEventfulNight,
	packTheNight,
	SMALL_BUNDLES,
	snapshotsOf,
} from '../support/eventful-night.ts';
import type { KillOrder } from '../support/kill-order.ts';

const packer = builtFile('test/support/pack-until-killed.ts');
let night: EventfulNight;
beforeAll(async () => {
	night = await makeEventfulNight();
});
afterAll(() => night.remove());

function packUntilKilled(archive: string, killAt: number): { readonly signal: string | null; readonly operations: string[] } {
	const order: KillOrder = { archive, spec: night.spec, now: night.now, bundles: SMALL_BUNDLES, killAt };
	const { signal, stdout, stderr } = spawnSync(process.execPath, [packer.path, JSON.stringify(order)], {
		encoding: 'utf8',
		env: { PATH: process.env.PATH, NODE_PATH },
	});
	expect(stderr).toBe('');
	return { signal, operations: signal === null ? (JSON.parse(stdout) as string[]) : [] };
}

test('a pack that is killed after any of its file operations loses nothing, and the next one does what it would have done', {
	timeout: 120_000,
}, async () => {
	const whole = copyOfEve(night);
	const { operations } = packUntilKilled(whole, Number.MAX_SAFE_INTEGER);
	expect(operations.length).toBeGreaterThan(30);
	const wanted = bundlesOf(whole, String(snapshotsOf(whole).at(-1)));
	// The snapshot's rename and the fsync of its folder are the last ones; the catalog's commit follows.
	expect(operations.slice(-2)).toEqual([
		expect.stringMatching(/^rename .*\/snapshots\//),
		expect.stringMatching(/^fsync-folder .*\/snapshots\//),
	]);
	for (let at = -1; at < operations.length; at++) {
		const place = `killed after operation ${at}, ${operations[at]}`;
		const archive = copyOfEve(night);
		expect(packUntilKilled(archive, at).signal, place).toBe('SIGKILL');
		const isCommitted = at >= operations.length - 2;
		expect(snapshotsOf(archive).at(-1) !== night.snapshotBefore, place).toBe(isCommitted);
		expect(await lossesAfterBreak(archive, night), place).toEqual([]);
		const { result } = await packTheNight(archive, night);
		expect(await flawsAfterNextPack(archive, night), `the next pack, ${place}`).toEqual([]);
		if (isCommitted) expect(result.messages, place).toMatchObject({ added: 0, changed: 0, removed: 0 });
		else expect(bundlesOf(archive, String(result.snapshot)), place).toEqual(wanted);
		rmSync(archive, { recursive: true });
	}
});
