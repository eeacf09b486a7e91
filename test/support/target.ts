import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterAll } from 'vitest';
import {
	type Archive,
	type Offsite,
	type Outcome,
	offsiteOfRecords,
	openArchive,
	openRemoteArchive,
	openTarget,
	type RemoteArchive,
	type RepairRequest,
	type RepairResult,
	type RestoreRequest,
	repair,
	restore,
	type SyncRequest,
	type SyncResult,
	sync,
	type Target,
	type TargetKeys,
	type VerifyMode,
	type VerifyResult,
	verify,
	verifyTarget,
	type Wanted,
} from '../../src/archive/index.ts';
import { SILENT } from '../../src/domain/index.ts';
import { parseIdentities, parseRecipients } from '../../src/encryption/index.ts';
import { type FileHooks, openFiles } from '../../src/platform/index.ts';
import { type BlobStore, openFolderStore } from '../../src/remote/index.ts';
import { inThisThread, never, packOnce } from './archive.ts';
import { fileBytes, mailWith, wrappingOf } from './attached-mail.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore, noisyMail } from './mail-store.ts';
import { compareTreeStates, type FolderState, readTreeState } from './tree-state.ts';

/** Of a host that neither seals nor opens. */
const NO_KEYS: TargetKeys = { recipients: null, identities: [] };

const made: string[] = [];

afterAll(() => {
	for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A new folder until the file's last test has ended; in memory where the machine has such a place. */
export function quickFolder(): string {
	const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'mailseal-target-'));
	made.push(path);
	return path;
}

/** A copy of an archive or a target, to be changed. */
export function copyOf(path: string): string {
	const copy = join(quickFolder(), 'copy');
	execFileSync('cp', ['-a', path, copy]);
	return copy;
}

/** Small, so that a few messages fill several of each kind; attachments are volatile first, and folds happen soon. */
export const SMALL_BUNDLES = { target: 16 * 1024, max: 24 * 1024, linger: 0, attachments: 'quiet', foldBelow: 0.5 } as const;
export const ATTACHMENT_MIN = 1024;

/** Mail of two tenants that share files, as it changes from night to night. */
export interface MailLife {
	readonly store: MailStore;
	/** The events of one day; the pack of its evening is at `timeOf(day)`. */
	live(day: number): void;
}

export function timeOf(day: number): number {
	return DAY_ZERO + day * DAY;
}

const ACCOUNTS = ['anna@one.example', 'ben@one.example', 'carl@two.example'];

export function openMailLife(): MailLife {
	const store = makeMailStore(quickFolder());
	const places: string[] = [];
	let keys = 0;

	function put(account: string, mail: { readonly files: readonly number[]; readonly at: number; readonly flags?: string }): void {
		const key = `${++keys}.k`;
		const place = `${account}/INBOX/${key}:2,${mail.flags ?? 'S'}`;
		const subject = `mail ${keys} to ${account}`;
		const files = mail.files.map((file) => ({ name: `file-${file}.bin`, bytes: fileBytes(`file ${file}`, 2500 + file * 300) }));
		const content = files.length === 0 ? noisyMail(subject, 1800 + keys) : mailWith(files, { subject, wrapping: wrappingOf(keys) });
		store.put(place, { content, at: mail.at });
		places.push(place);
	}

	function change(index: number, to: (place: string) => string): void {
		const from = places[index % places.length] ?? '';
		const target = to(from);
		if (target === from) return;
		store.rename(from, target);
		places[index % places.length] = target;
	}

	return {
		store,
		live(day) {
			const now = timeOf(day);
			for (const [index, account] of ACCOUNTS.entries()) {
				const old = now - (60 + index) * DAY;
				put(account, { files: [day % 5, (day + index) % 7], at: old });
				put(account, { files: [], at: old });
				// Not yet quiet.
				put(account, { files: [day % 6], at: now - DAY });
				put(account, { files: [], at: now - DAY, flags: '' });
				if (day > 0) continue;
				for (let more = 0; more < 4; more++) put(account, { files: more % 2 === 0 ? [more, more + 3] : [], at: old - more * DAY });
			}
			if (day === 0) return;
			change(day * 5, (place) => place.replace(/:2,.*/, ':2,FS'));
			change(day * 7 + 1, (place) => place.replace('/INBOX/', '/Archive/'));
			const [gone] = places.splice((day * 3) % places.length, 1);
			if (gone !== undefined) store.remove(gone);
		},
	};
}

/** An archive after some nights, and what its mail looked like on each. */
export interface Packed {
	readonly life: MailLife;
	readonly archive: string;
	/** What each snapshot restores to, by its name. */
	readonly trees: Map<string, Map<string, FolderState>>;
	/** The next night. */
	pack(): Promise<string>;
	readonly days: number;
}

export async function packNights(nights: number, options: { readonly life?: MailLife } = {}): Promise<Packed> {
	const life = options.life ?? openMailLife();
	const archive = join(quickFolder(), 'archive');
	const trees = new Map<string, Map<string, FolderState>>();
	let days = 0;
	const packed: Packed = {
		life,
		archive,
		trees,
		get days() {
			return days;
		},
		async pack() {
			life.live(days);
			const { result, findings } = await packOnce(archive, life.store.spec, {
				now: timeOf(days),
				bundles: SMALL_BUNDLES,
				attachmentMin: ATTACHMENT_MIN,
			});
			if (findings.length > 0) throw new Error(JSON.stringify(findings));
			days++;
			trees.set(String(result.snapshot), readTreeState(life.store.root));
			return String(result.snapshot);
		},
	};
	for (let night = 0; night < nights; night++) await packed.pack();
	return packed;
}

/** Keys of a host that only seals, and of one that can open. */
export async function makeKeys(): Promise<{ readonly sealing: TargetKeys; readonly opening: TargetKeys }> {
	const secret = await generateIdentity();
	const recipients = parseRecipients([await identityToRecipient(secret)]);
	const identities = parseIdentities(secret, 'key.txt');
	return { sealing: { recipients, identities: [] }, opening: { recipients, identities } };
}

export function folderStore(path: string, hooks?: FileHooks): BlobStore {
	return openFolderStore({ path, files: openFiles(), ...(hooks === undefined ? {} : { hooks }) });
}

/** Opens a target that is there. */
export function targetAt(path: string, { keys = NO_KEYS, store = folderStore(path) }: TargetSetup = {}): Promise<Target> {
	return openTarget({ address: { url: path }, store, keys, signal: never });
}

export interface TargetSetup {
	readonly keys?: TargetKeys;
	readonly store?: BlobStore;
}

/** What an archive's records say that targets have, reached as folders; `storeOf` may give another store than the plain one. */
export function offsiteOf(dir: string, { keys = NO_KEYS, storeOf = folderStore }: OffsiteSetup = {}): Offsite {
	return offsiteOfRecords(dir, async ({ url }) => ({ store: storeOf(url), keys }));
}

export interface OffsiteSetup {
	readonly keys?: TargetKeys;
	readonly storeOf?: (path: string) => BlobStore;
}

/** The archive in a folder, thin or not. */
export function thinArchive(dir: string, setup: OffsiteSetup & { readonly hooks?: FileHooks } = {}): Archive {
	return openArchive({ dir, files: openFiles(setup.hooks), offsite: offsiteOf(dir, setup) });
}

export interface SyncSetup extends Partial<SyncRequest> {
	readonly hooks?: FileHooks;
	readonly archive?: Archive;
}

/** Syncs the archive in `dir` with the folder at `path`. */
export function syncOnce(dir: string, path: string, setup: SyncSetup = {}): Promise<Outcome<SyncResult>> {
	const { hooks, archive, ...request } = setup;
	const keys = request.keys ?? NO_KEYS;
	return sync(archive ?? thinArchive(dir, { keys, ...(hooks === undefined ? {} : { hooks }) }), {
		address: { url: path },
		store: folderStore(path),
		keys,
		check: null,
		prune: null,
		dropLocal: false,
		dryRun: false,
		transfers: 2,
		now: timeOf(100),
		progress: SILENT,
		signal: never,
		...request,
	});
}

export interface RemoteSetup extends TargetSetup {
	readonly cache?: string;
	readonly archiveId?: string;
	/** The archive that this host has. */
	readonly ownId?: string;
	readonly wanted?: Wanted;
	readonly warn?: (text: string) => void;
}

/** Opens what a target has, in a new cache where none is given. */
export async function openRemote(path: string, setup: RemoteSetup = {}): Promise<RemoteArchive & { readonly target: Target }> {
	const target = await targetAt(path, setup);
	const remote = await openRemoteArchive({
		target,
		cacheFolder: setup.cache ?? quickFolder(),
		archiveId: setup.archiveId ?? null,
		ownId: setup.ownId ?? null,
		wanted: setup.wanted ?? { kind: 'newest' },
		files: openFiles(),
		signal: never,
		warn: setup.warn ?? (() => {}),
	});
	return { ...remote, target };
}

export async function verifyRemote(path: string, mode: VerifyMode = 'deep', setup: RemoteSetup = {}): Promise<Outcome<VerifyResult>> {
	const { archive, findings, target } = await openRemote(path, { wanted: { kind: 'all' }, ...setup });
	const request = { target, opening: findings, mode, transfers: 2, now: timeOf(100), progress: SILENT, signal: never };
	return verifyTarget(archive, request, inThisThread());
}

/** Restores an archive, and gives the tree that came of it and what was found. */
export async function restoreFrom(archive: Archive, request: Partial<RestoreRequest> = {}) {
	const to = join(quickFolder(), 'restored');
	const all = {
		selections: [],
		to,
		as: 'maildir',
		layout: 'maildir++',
		dryRun: false,
		now: timeOf(100),
		progress: SILENT,
		signal: never,
	} as const;
	const { findings, result } = await restore(archive, { ...all, ...request }, inThisThread());
	const tree = readTreeState(to);
	rmSync(to, { recursive: true });
	return { findings, result, tree };
}

/** Verifies an archive that is here, thin or not. */
export function verifyHere(archive: Archive, mode: VerifyMode = 'deep'): Promise<Outcome<VerifyResult>> {
	return verify(archive, { mode, now: timeOf(100), progress: SILENT, signal: never }, inThisThread());
}

export function repairOnce(
	dir: string,
	target: Target,
	setup: Partial<RepairRequest> & { readonly hooks?: FileHooks } = {},
): Promise<Outcome<RepairResult>> {
	const { hooks, ...request } = setup;
	const archive = thinArchive(dir, { keys: target.keys, ...(hooks === undefined ? {} : { hooks }) });
	const all = { target, quick: false, dryRun: false, transfers: 2, progress: SILENT, signal: never };
	return repair(archive, { ...all, ...request }, inThisThread());
}

/**
 * Everything that is wrong with what a target has by itself, opened as by a host that never saw it; empty where it has no snapshot, or
 * one that is whole and restores to what the mail was.
 */
export async function flawsOfTarget(
	path: string,
	options: TargetSetup & {
		readonly trees: ReadonlyMap<string, ReadonlyMap<string, FolderState>>;
		readonly archiveId?: string;
		readonly mode?: VerifyMode;
	},
): Promise<string[]> {
	if (snapshotBlobs(path, options.archiveId).length === 0) return [];
	const cache = quickFolder();
	const { findings } = await verifyRemote(path, options.mode ?? 'deep', { ...options, cache });
	const flaws = findings.map(({ code, text }) => `${code}: ${text}`);
	const { archive } = await openRemote(path, { ...options, cache });
	const restored = await restoreFrom(archive);
	rmSync(cache, { recursive: true });
	flaws.push(...restored.findings.map(({ code, text }) => `${code}: ${text}`));
	const tree = options.trees.get(restored.result.snapshot);
	if (tree === undefined) return [...flaws, `nobody packed ${restored.result.snapshot}`];
	return [...flaws, ...compareTreeStates(tree, restored.tree)];
}

/** Paths below a folder, of files whose path matches, sorted. */
export function blobsOf(path: string, pattern = /./): string[] {
	if (!existsSync(path)) return [];
	return readdirSync(path, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
		.filter((name) => pattern.test(name))
		.sort();
}

export function bundleBlobs(path: string, kind: 'sealed' | 'volatile' | '' = ''): string[] {
	return blobsOf(path, new RegExp(`^bundles/${kind}.*\\.zip(\\.age)?$`));
}

export function snapshotBlobs(path: string, archiveId = ''): string[] {
	return blobsOf(path, new RegExp(`^archives/${archiveId}.*/snapshots/.*\\.json(\\.age)?$`));
}

export function archiveIdOf(dir: string): string {
	return (JSON.parse(readFileSync(join(dir, 'mailseal.json'), 'utf8')) as { id: string }).id;
}

/** Bytes of every file below a folder, by path. */
export function bytesBelow(path: string): Map<string, string> {
	return new Map(blobsOf(path).map((name) => [name, readFileSync(join(path, name)).toString('latin1')]));
}

/** Ways in which a stored file goes bad. */
export const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
	'with one bit changed': (path) => rewrite(path, (bytes) => flipMiddle(bytes)),
	truncated: (path) => rewrite(path, (bytes) => bytes.subarray(0, bytes.length - 7)),
	empty: (path) => rewrite(path, () => Buffer.alloc(0)),
	'longer than it was': (path) => rewrite(path, (bytes) => Buffer.concat([bytes, Buffer.from('more')])),
	'of other content': (path) => rewrite(path, (bytes) => fileBytes('foreign', bytes.length)),
	missing: (path) => rmSync(path),
};

export function rewrite(path: string, change: (bytes: Buffer) => Uint8Array): void {
	const bytes = readFileSync(path);
	chmodSync(path, 0o600);
	writeFileSync(path, change(bytes));
}

export function flipMiddle(bytes: Buffer): Buffer {
	const wrong = Buffer.from(bytes);
	const middle = wrong.length >> 1;
	wrong[middle] = (wrong[middle] ?? 0) ^ 1;
	return wrong;
}
