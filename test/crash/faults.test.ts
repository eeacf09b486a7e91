import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FileHooks } from '../../src/platform/index.ts';
import { packOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import {
	copyOf,
	type EventfulNight,
	flawsAfterNextPack,
	leftovers,
	lossesAfterBreak,
	makeEventfulNight,
	packTheNight,
	restoredDifferences,
	SMALL_BUNDLES,
} from '../support/eventful-night.ts';

let night: EventfulNight;
beforeAll(async () => {
	night = await makeEventfulNight();
});
afterAll(() => night.remove());

const FAULTS = [
	{ code: 'EIO', error: 'io' },
	{ code: 'ENOSPC', error: 'no-space' },
] as const;

interface Fault {
	/** The operation that fails, counted from 0. */
	readonly at: number;
	/** Whether the operation was carried out before it failed. */
	readonly when: 'before' | 'after';
}

function faultOf({ at }: Fault): (typeof FAULTS)[number] {
	return FAULTS[at % 2] ?? FAULTS[0];
}

/** Lets every operation pass but one. `failed` tells whether it came to that one. */
function failingHooks(fault: Fault): { readonly hooks: FileHooks; failed(): string | null } {
	let seen = 0;
	let failed: string | null = null;
	function strike(operation: string): void {
		if (seen++ !== fault.at) return;
		failed = operation;
		const { code } = faultOf(fault);
		throw Object.assign(new Error(`${code}: made by the test`), { code });
	}
	return { hooks: { [fault.when]: strike }, failed: () => failed };
}

async function faultsOfPack(when: Fault['when'], broken: (fault: Fault) => Promise<string | null>): Promise<string[]> {
	const failed: string[] = [];
	for (let at = 0; ; at++) {
		const operation = await broken({ at, when });
		if (operation === null) return failed;
		failed.push(operation);
	}
}

test('the night that is broken seals, writes news and folds', async () => {
	const archive = copyOf(night.eve);
	const { result } = await packTheNight(archive, night);
	expect(result.sealed.new).toBeGreaterThan(0);
	expect(result.volatile.newBytes).toBeGreaterThan(0);
	expect(result.messages).toMatchObject({
		added: expect.any(Number),
		changed: expect.any(Number),
		removed: expect.any(Number),
	});
	console.log(result);
	expect(await flawsAfterNextPack(archive, night)).toEqual([]);
});

test.each(['before', 'after'] as const)('a pack loses nothing whichever file operation fails, the fault coming %s it', async (when) => {
	const failed = await faultsOfPack(when, async (fault) => {
		const archive = copyOf(night.eve);
		const { hooks, failed } = failingHooks(fault);
		const outcome = await packOnce(archive, night.spec, { now: night.now, bundles: SMALL_BUNDLES, hooks }).then(
			() => null,
			(error: unknown) => error,
		);
		const operation = failed();
		if (operation === null) expect(outcome).toBeNull();
		else expect(outcome, `operation ${fault.at}, ${operation}`).toMatchObject({ name: 'MailsealError', code: faultOf(fault).error });
		expect(await lossesAfterBreak(archive, night), `operation ${fault.at}, ${operation}`).toEqual([]);
		await packTheNight(archive, night);
		expect(await flawsAfterNextPack(archive, night), `after operation ${fault.at}, ${operation}`).toEqual([]);
		rmSync(archive, { recursive: true });
		return operation;
	});
	expect(failed.length).toBeGreaterThan(20);
	expect(new Set(failed)).toEqual(new Set(['create', 'write', 'fsync', 'chmod', 'make-folder', 'rename', 'fsync-folder']));
});

test.each(['before', 'after'] as const)('a first pack leaves an archive that the next one completes, the fault coming %s an operation', async (when) => {
	const failed = await faultsOfPack(when, async (fault) => {
		const archive = join(temporaryFolder(), 'archive');
		const { hooks, failed } = failingHooks(fault);
		const outcome = await packOnce(archive, night.spec, { now: night.now, bundles: SMALL_BUNDLES, hooks }).then(
			() => null,
			(error: unknown) => error,
		).catch((error: unknown) => error);
		const operation = failed();
		if (operation === null) expect(outcome).toBeNull();
		else expect(outcome).toMatchObject({ name: 'MailsealError', code: faultOf(fault).error });
		if (existsSync(join(archive, 'mailseal.json'))) {
			expect((await verifyOnce(archive, 'deep')).findings, `operation ${fault.at}, ${operation}`).toEqual([]);
		}
		await packTheNight(archive, night);
		expect(await flawsAfterNextPack(archive, night), `after operation ${fault.at}, ${operation}`).toEqual([]);
		return operation;
	});
	expect(failed.length).toBeGreaterThan(30);
});
