import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import {
	type Archive,
	type BundleSettings,
	DEFAULT_BUNDLES,
	type Outcome,
	openArchive,
	openWorkers,
	type PackRequest,
	type PackResult,
	type PruneRequest,
	type PruneResult,
	pack,
	prune,
	type RestoreRequest,
	type RestoreResult,
	restore,
	type VerifyMode,
	type VerifyResult,
	verify,
	type Workers,
} from '../../src/archive/index.ts';
import { DEFAULT_POLICY, NO_RETENTION, type Retention, SILENT } from '../../src/domain/index.ts';
import { type FileHooks, openFiles } from '../../src/platform/index.ts';
import { openMaildirMessage, openMaildirSource } from '../../src/sources/index.ts';

const made: string[] = [];

afterEach(() => {
	for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A new folder that is removed after the test. */
export function temporaryFolder(): string {
	const path = mkdtempSync(join(tmpdir(), 'mailseal-test-'));
	made.push(path);
	return path;
}

/** Everything in this thread: a test of what is done needs no second one. */
export function inThisThread(): Workers {
	return openWorkers({ jobs: 0, script: null, open: openMaildirMessage });
}

/** `attachmentMin` counts where the archive is made. */
export function archiveAt(dir: string, hooks: FileHooks = {}, attachmentMin?: number): Archive {
	return openArchive({ dir, files: openFiles(hooks), create: true, ...(attachmentMin === undefined ? {} : { attachmentMin }) });
}

export const never = new AbortController().signal;

export interface PackSetup extends Partial<Omit<PackRequest, 'bundles'>> {
	readonly bundles?: Partial<BundleSettings>;
	readonly hooks?: FileHooks;
	readonly attachmentMin?: number;
}

/** Packs the source at `spec`, or the sources of `setup`, into the archive in `dir`. */
export function packOnce(dir: string, spec: string, setup: PackSetup = {}): Promise<Outcome<PackResult>> {
	const { hooks, bundles, attachmentMin, ...request } = setup;
	return pack(
		archiveAt(dir, hooks, attachmentMin),
		{
			sources: [openMaildirSource(spec)],
			policy: DEFAULT_POLICY,
			now: Date.now(),
			rescan: false,
			allowMassRemoval: false,
			dryRun: false,
			progress: SILENT,
			signal: never,
			...request,
			bundles: { ...DEFAULT_BUNDLES, ...bundles },
		},
		inThisThread(),
	);
}

export function restoreOnce(dir: string, to: string, request: Partial<RestoreRequest> = {}): Promise<Outcome<RestoreResult>> {
	const all = {
		selections: [],
		to,
		as: 'maildir',
		layout: 'maildir++',
		dryRun: false,
		now: Date.now(),
		progress: SILENT,
		signal: never,
	} as const;
	return restore(archiveAt(dir), { ...all, ...request }, inThisThread());
}

export function verifyOnce(dir: string, mode: VerifyMode = 'deep'): Promise<Outcome<VerifyResult>> {
	return verify(archiveAt(dir), { mode, now: Date.now(), progress: SILENT, signal: never }, inThisThread());
}

/** Every file below `dir` by relative path, with its bytes' length, inode and mtime: any rewriting shows. */
export function filesBelow(dir: string): Map<string, string> {
	const files = new Map<string, string>();
	for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
		if (!entry.isFile()) continue;
		const path = join(entry.parentPath, entry.name);
		const { size, ino, mtimeNs } = statSync(path, { bigint: true });
		files.set(path.slice(dir.length + 1), `${size} ${ino} ${mtimeNs}`);
	}
	return files;
}

export function bundleNames(dir: string, kind: 'sealed' | 'volatile'): string[] {
	return [...filesBelow(join(dir, 'bundles', kind)).keys()].sort();
}

export function readText(...path: string[]): string {
	return readFileSync(join(...path), 'utf8');
}

/** Prunes by the counts that are named; `hooks` see every file operation. */
export function pruneOnce(
	dir: string,
	keep: Partial<Retention>,
	setup: Partial<Omit<PruneRequest, 'keep'>> & { readonly hooks?: FileHooks } = {},
): Promise<Outcome<PruneResult>> {
	const { hooks, ...request } = setup;
	return prune(archiveAt(dir, hooks), {
		keep: { ...NO_RETENTION, ...keep },
		now: Date.now(),
		dryRun: false,
		progress: SILENT,
		signal: never,
		...request,
	});
}
