import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { liveOneDay } from '../../bench/life.ts';
import { makeTree } from '../../bench/tree.ts';
import { reindex } from '../../src/archive/index.ts';
import { SILENT } from '../../src/domain/index.ts';
import { archiveAt, bundleNames, filesBelow, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { attachmentsIn, listedBundles } from '../support/listed-bundles.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../support/tree-state.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 8, 1, 2);

test('thirty nights: no sealed bundle ever changes, and every snapshot restores to exactly the tree of its night', {
	timeout: 240_000,
}, async () => {
	const root = temporaryFolder();
	const archive = join(temporaryFolder(), 'archive');
	const spec = `maildir:${root}/{account}/Maildir`;
	// Small bundles, so that cutting, waiting and folding all happen within a month.
	const bundles = { target: 64 * 1024, max: 96 * 1024, linger: 10 * DAY, foldBelow: 0.5 };
	makeTree({ root, seed: 7, accounts: 3, messages: 240, domain: ['example.org', 'example.net'], now: START });
	const nights: { snapshot: string; tree: Map<string, FolderState> }[] = [];
	let sealed = new Map<string, string>();
	let folded = 0;
	let before: string[] = [];
	for (let day = 0; day < 30; day++) {
		if (day > 0) liveOneDay({ root, seed: 7, day, now: START + day * DAY, churn: 0.05 });
		const { result, findings } = await packOnce(archive, spec, { now: START + day * DAY + 3600_000, bundles });
		expect(findings.filter((finding) => finding.severity !== 'note')).toEqual([]);
		expect(result.sealed.rewrittenBytes).toBe(0);
		const now = filesBelow(join(archive, 'bundles', 'sealed'));
		for (const [path, stamp] of sealed) expect(now.get(path), `night ${day}: ${path}`).toBe(stamp);
		sealed = now;
		nights.push({ snapshot: String(result.snapshot), tree: readTreeState(root) });
		const listed = volatileOf(archive, String(result.snapshot));
		if (before.some((id) => !listed.includes(id))) folded++;
		before = listed;
	}
	expect(sealed.size).toBeGreaterThan(5);
	const apart = (await listedBundles(archive, 'sealed')).flatMap(({ lines }) => attachmentsIn(lines).map(({ id }) => id));
	expect(apart.length).toBeGreaterThan(20);
	expect(new Set(apart).size, 'no attachment is sealed twice').toBe(apart.length);
	expect(folded).toBeGreaterThan(0);
	for (const path of sealed.keys()) {
		const bytes = readFileSync(join(archive, 'bundles', 'sealed', path));
		expect(`${createHash('sha256').update(bytes).digest('hex')}.zip`).toBe(path.slice(3));
	}
	for (const [night, { snapshot, tree }] of nights.entries()) {
		const to = temporaryFolder();
		const { findings } = await restoreOnce(archive, to, { at: snapshot });
		expect(findings.filter((finding) => finding.severity !== 'note')).toEqual([]);
		expect(compareTreeStates(tree, readTreeState(to)), `night ${night}`).toEqual([]);
		rmSync(to, { recursive: true });
	}
	const { result } = await verifyOnce(archive, 'deep');
	expect(result).toMatchObject({ damaged: [], missing: [], snapshots: 30 });
});

test('the same tree packed into two archives gives bundles of the same names', async () => {
	const root = temporaryFolder();
	const spec = `maildir:${root}/{account}/Maildir`;
	makeTree({ root, seed: 11, accounts: 2, messages: 150, domain: 'example.org', now: START });
	const first = join(temporaryFolder(), 'a');
	const second = join(temporaryFolder(), 'b');
	await packOnce(first, spec, { now: START });
	await packOnce(second, spec, { now: START });
	expect(bundleNames(first, 'sealed').length).toBeGreaterThan(0);
	expect(bundleNames(second, 'sealed')).toEqual(bundleNames(first, 'sealed'));
	expect(bundleNames(second, 'volatile')).toEqual(bundleNames(first, 'volatile'));
});

test('a catalog rebuilt after many nights says exactly what the packs had written into it', async () => {
	const root = temporaryFolder();
	const archive = join(temporaryFolder(), 'archive');
	const spec = `maildir:${root}/{account}/Maildir`;
	makeTree({ root, seed: 5, accounts: 3, messages: 120, domain: ['example.org', 'example.net'], now: START });
	for (let day = 0; day < 12; day++) {
		if (day > 0) liveOneDay({ root, seed: 5, day, now: START + day * DAY, churn: 0.1 });
		await packOnce(archive, spec, { now: START + day * DAY, bundles: { target: 32 * 1024, max: 48 * 1024, linger: 3 * DAY } });
		// Deep verification compares the catalog with one built from nothing but the bundles.
		const { findings } = await verifyOnce(archive, 'deep');
		expect(findings, `night ${day}`).toEqual([]);
	}
	rmSync(join(archive, 'catalog.sqlite'));
	await reindex(archiveAt(archive), { progress: SILENT, signal: new AbortController().signal });
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
	const again = await packOnce(archive, spec, { now: START + 12 * DAY });
	expect(again.result.messages).toMatchObject({ added: 0, changed: 0, removed: 0 });
	expect(again.result.scan.filesRead).toBe(0);
});

function volatileOf(archive: string, snapshot: string): string[] {
	const text = readFileSync(join(archive, 'snapshots', snapshot.slice(0, 4), `${snapshot}.json`), 'utf8');
	const { bundles } = JSON.parse(text) as { bundles: { id: string; kind: string }[] };
	return bundles.filter((ref) => ref.kind === 'volatile').map((ref) => ref.id);
}
