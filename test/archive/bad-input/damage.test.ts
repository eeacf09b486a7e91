import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRange } from '../../../src/archive/range.ts';
import { openBundle } from '../../../src/bundle/index.ts';
import { builtFile } from '../../support/build-program.ts';
import { bundlesOf, snapshotsOf } from '../../support/eventful-night.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore, noisyMail } from '../../support/mail-store.ts';
import { type Caller, callerOf, codesOf, expectWhole, openFolder, type PackSaid, type VerifySaid } from '../../support/program.ts';
import { readTreeState } from '../../support/tree-state.ts';

const program = builtFile('src/cli/bin.ts');
let folder = '';
let store: MailStore;
let whole = '';

function pack(caller: Caller, night: number, ...args: string[]) {
	const now = new Date(DAY_ZERO + night * DAY).toISOString();
	return caller.json<PackSaid>('pack', '--now', now, '--linger', '0s', ...args, store.spec);
}

/** Two nights: 20 messages in one sealed bundle and 10 in one volatile bundle each. */
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'mailseal-damage-'));
	store = makeMailStore(join(folder, 'store'));
	whole = join(folder, 'whole');
	const caller = callerOf(program, { archive: whole });
	for (const night of [0, 1]) {
		for (let number = 0; number < 20; number++) put(`night ${night}, old ${number}`, `${night}-${number}.old:2,S`, -100 * DAY);
		for (let number = 0; number < 10; number++) put(`night ${night}, new ${number}`, `${night}-${number}.new:2,`, 0);
		expect(pack(caller, night)).toMatchObject({ code: 0, findings: [], result: { sealed: { new: 1 } } });
	}
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(subject: string, name: string, age: number): void {
	store.put(`anna/INBOX/${name}`, { content: noisyMail(subject, 2000), at: DAY_ZERO + age });
}

interface Patient {
	readonly archive: string;
	readonly caller: Caller;
	/** Paths of bundles, oldest first. */
	bundles(kind: 'sealed' | 'volatile'): string[];
	/** Paths of snapshots, oldest first. */
	snapshots(): string[];
}

function makePatient(): Patient {
	const archive = join(openFolder(), 'archive');
	execFileSync('cp', ['-a', whole, archive]);
	const newest = String(snapshotsOf(archive).at(-1));
	return {
		archive,
		caller: callerOf(program, { archive }),
		bundles: (kind) =>
			bundlesOf(archive, newest)
				.filter((ref) => ref.kind === kind)
				.map((ref) => join(archive, 'bundles', kind, ref.id.slice(0, 2), `${ref.id}.zip`)),
		snapshots: () => snapshotsOf(archive).map((name) => join(archive, 'snapshots', name.slice(0, 4), `${name}.json`)),
	};
}

function flip(path: string, at: number): void {
	chmodSync(path, 0o600);
	const bytes = readFileSync(path);
	bytes[at] = (bytes[at] ?? 0) ^ 0x10;
	writeFileSync(path, bytes);
	chmodSync(path, 0o400);
}

function cut(path: string, bytes: number): void {
	chmodSync(path, 0o600);
	truncateSync(path, bytes);
	chmodSync(path, 0o400);
}

interface Victim {
	readonly id: string;
	readonly offset: number;
	readonly length: number;
}

/** Messages of a bundle in the order in which they lie in it. */
async function messagesIn(bundle: string): Promise<Victim[]> {
	const range = openRange(bundle);
	try {
		const { messages } = await openBundle(range, { localHeaders: true });
		return [...messages].map(([id, at]) => ({ id, ...at })).sort((a, b) => a.offset - b.offset);
	} finally {
		range.close();
	}
}

describe.each(['sealed', 'volatile'] as const)('a %s bundle', (kind) => {
	it.each([
		['that lost a bit of a message', 'bundle-damaged', (path: string, last: Victim) => flip(path, last.offset + (last.length >> 1))],
		['that was cut off in its last message', 'bundle-damaged', (path: string, last: Victim) => cut(path, last.offset + 10)],
		['that is missing', 'bundle-missing', (path: string) => unlinkSync(path)],
	])('%s is found; its messages are refused, all others are there, and a pack goes on', async (what, code, harm) => {
		const patient = makePatient();
		const { archive, caller } = patient;
		const bundle = patient.bundles(kind).at(-1) ?? '';
		const copy = join(openFolder(), 'copy');
		execFileSync('cp', ['-a', bundle, copy]);
		const inside = await messagesIn(bundle);
		const last = inside.at(-1) as Victim;
		harm(bundle, last);

		const verified = caller.json<VerifySaid>('verify');
		expect(verified).toMatchObject({ code: 5, error: undefined });
		expect(new Set(codesOf(verified.findings))).toEqual(new Set([code]));
		const id = bundle.slice(-68, -4);
		expect(code === 'bundle-missing' ? verified.result.missing : verified.result.damaged).toEqual([id]);
		expect(caller.run('verify', '--quick').code).toBe(what.includes('bit') ? 0 : 5);

		expect(caller.run('extract', last.id)).toMatchObject({ code: 5, err: expect.stringMatching(/^mailseal: Cannot read message/) });
		const other = patient.bundles(kind)[0] ?? '';
		for (const { id: healthy } of (await messagesIn(other)).slice(0, 2)) expect(caller.run('extract', healthy).code).toBe(0);

		const to = join(openFolder(), 'restored');
		const restored = caller.json<{ written: number }>('restore', '--to', to);
		const lost = what.includes('missing') ? inside.length : 1;
		expect(restored).toMatchObject({ code: 1, result: { written: 60 - lost } });
		expect(codesOf(restored.findings)).toEqual(Array(lost).fill('message-not-restored'));
		const wanted = readTreeState(store.root).get('anna/')?.messages;
		for (const [name, file] of readTreeState(to).get('anna/')?.messages ?? []) expect(wanted?.get(name)?.sha256).toBe(file.sha256);

		// The night when everything volatile is due: what cannot be read stays where it is.
		for (const night of [2, 120]) {
			const said = pack(caller, night);
			expect(said.error).toBeUndefined();
			for (const finding of said.findings) expect(finding.code).toMatch(/^(bundle-missing|bundle-size|message-damaged)$/);
		}
		execFileSync('cp', ['-a', copy, bundle]);
		expect(pack(caller, 121)).toMatchObject({ code: 0, findings: [] });
		expectWhole(caller, store.root);
		rmSync(join(archive, 'catalog.sqlite'));
		expectWhole(caller, store.root);
	});
});

describe('the newest snapshot', () => {
	it.each([
		['of which a byte changed', (path: string) => flip(path, 100)],
		['that was cut off', (path: string) => cut(path, 100)],
		['that is empty', (path: string) => cut(path, 0)],
	])('%s is refused with exit 5, and once it is moved away a reindex goes on from the one before', (_what, harm) => {
		const { archive, caller, snapshots } = makePatient();
		const path = snapshots().at(-1) ?? '';
		harm(path);
		const verified = caller.json<VerifySaid>('verify');
		expect(verified).toMatchObject({ code: 5, findings: [{ code: 'snapshot-damaged' }] });
		expect(verified.result.damaged).toHaveLength(1);
		for (const args of [['ls', 'accounts'], ['pack', store.spec], ['restore', '--to', join(openFolder(), 'r')], ['reindex'], ['status']]) {
			const said = caller.json(...args);
			expect(said, args[0]).toMatchObject({ code: 5, error: { code: 'archive-damaged', hint: expect.stringMatching(/put back/) } });
		}
		renameSync(path, join(archive, '..', 'moved-away'));
		// That it is gone may be a mistake: only the user can say that it is not.
		expect(pack(caller, 5)).toMatchObject({ code: 5, error: { code: 'archive-damaged', hint: expect.stringMatching(/reindex/) } });
		expect(caller.json('reindex')).toMatchObject({ code: 0 });
		expect(pack(caller, 5)).toMatchObject({ code: 0, result: { messages: { total: 60, added: 30 } } });
		expectWhole(caller, store.root);
	});
});

describe('an older snapshot', () => {
	it.each([['with the catalog'], ['with a catalog built anew']])(
		'that is damaged is found, and nothing that it may name is removed %s',
		(how) => {
			const { archive, caller, snapshots } = makePatient();
			const path = snapshots()[0] ?? '';
			const copy = join(openFolder(), 'copy');
			execFileSync('cp', ['-a', path, copy]);
			const before = execFileSync('find', ['bundles', '-name', '*.zip'], { cwd: archive, encoding: 'utf8' }).split('\n').sort();
			flip(path, 100);
			if (how !== 'with the catalog') rmSync(join(archive, 'catalog.sqlite'));
			expect(caller.json<VerifySaid>('verify')).toMatchObject({ code: 5, findings: [{ code: 'snapshot-damaged' }] });
			// Everything volatile is sealed, so that the bundles of the old snapshot are needed by it alone.
			expect(pack(caller, 120).error).toBeUndefined();
			expect(pack(caller, 121).error).toBeUndefined();
			const after = execFileSync('find', ['bundles', '-name', '*.zip'], { cwd: archive, encoding: 'utf8' }).split('\n');
			expect(before.filter((name) => !after.includes(name))).toEqual([]);
			execFileSync('cp', ['-a', copy, path]);
			expectWhole(caller, store.root);
			const to = join(openFolder(), 'restored');
			expect(caller.run('restore', '--to', to, '--at', path.slice(-30, -5)).code).toBe(0);
			expect(readTreeState(to).get('anna/')?.messages.size).toBe(30);
		},
	);
});

describe('the catalog', () => {
	const harms: [string, (path: string) => void][] = [
		['that is missing', (path) => unlinkSync(path)],
		['that is empty', (path) => writeFileSync(path, '')],
		['that is no database', (path) => writeFileSync(path, 'Subject: no database\n\n'.repeat(1000))],
		['that was cut in half', (path) => truncateSync(path, (readFileSync(path).length >> 13) << 12)],
		[
			'whose pages are noise',
			(path) => writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, 4096), noisyMail('x', 100_000)])),
		],
		['with something after its end', (path) => appendFileSync(path, noisyMail('y', 5000))],
	];

	it.each(harms)('%s costs nothing: it is built anew, or the command says how', (_what, harm) => {
		const { archive, caller } = makePatient();
		harm(join(archive, 'catalog.sqlite'));
		const verified = caller.json<VerifySaid>('verify', '--deep');
		expect([0, 1]).toContain(verified.code);
		for (const finding of verified.findings)
			expect(finding).toMatchObject({ code: 'catalog-damaged', hint: expect.stringMatching(/reindex/) });
		const search = caller.json('search', 'subject:night');
		if (search.code !== 0) expect(search).toMatchObject({ code: 5, error: { hint: expect.stringMatching(/reindex/) } });
		const packed = pack(caller, 2);
		if (packed.code !== 0) {
			expect(packed).toMatchObject({ code: 5, error: { hint: expect.stringMatching(/reindex/) } });
			expect(caller.run('reindex').code).toBe(0);
			expect(pack(caller, 2).code).toBe(0);
		}
		expectWhole(caller, store.root);
	});
});

describe('an archive of a newer mailseal', () => {
	it.each([
		['by its head', (patient: Patient) => join(patient.archive, 'mailseal.json')],
		['by its newest snapshot', (patient: Patient) => patient.snapshots().at(-1) ?? ''],
	])('is refused with exit 5, %s', (_what, pathOf) => {
		const patient = makePatient();
		const path = pathOf(patient);
		const text = readFileSync(path, 'utf8').replace('"format":1', '"format":2');
		expect(text).toContain('"format":2');
		chmodSync(path, 0o600);
		// A snapshot proves itself by its name.
		writeFileSync(path, text);
		if (path.includes('snapshots')) renameSync(path, join(path, '..', newName(path, text)));
		const before = execFileSync('find', ['.', '-type', 'f', '!', '-name', 'catalog*', '-printf', '%p %s %T@\n'], { cwd: patient.archive });
		for (const args of [
			['ls', 'accounts'],
			['verify'],
			['reindex'],
			['pack', store.spec],
			['restore', '--to', join(openFolder(), 'r')],
			['extract', '-o', openFolder(), 'anna/INBOX/0-0.old'],
		]) {
			expect(patient.caller.json(...args), args[0]).toMatchObject({ code: 5, error: { code: 'format-newer' } });
		}
		const after = execFileSync('find', ['.', '-type', 'f', '!', '-name', 'catalog*', '-printf', '%p %s %T@\n'], { cwd: patient.archive });
		expect(after.equals(before)).toBe(true);
	});
});

function newName(path: string, text: string): string {
	const sum = execFileSync('sha256sum', { input: text, encoding: 'utf8' }).slice(0, 8);
	return `${path.slice(-30, -14)}-${sum}.json`;
}
