import { type BundleId, type BundleKind, type BundleRef, parseBundleId, parseSnapshotName, type SnapshotName } from '../../domain/index.ts';

/** Names of blobs at a target; docs/format.md shows the tree. */
export const TARGET_HEAD = 'mailseal-target.json';
export const ARCHIVES = 'archives/';
export const BUNDLES = 'bundles/';

/** A file at a target: under its own name, or sealed, with the SHA-256 of the age file in its name, so that anybody can prove it without a key. */
export interface StoredName {
	readonly name: string;
	/** SHA-256 of the blob, where the name tells it. */
	readonly sealedHash: string | null;
}

export interface BundleName extends StoredName {
	readonly id: BundleId;
	readonly kind: BundleKind;
}

export interface SnapshotBlobName extends StoredName {
	readonly archive: string;
	readonly snapshot: SnapshotName;
}

const BUNDLE = /^bundles\/(sealed|volatile)\/([0-9a-f]{2})\/([0-9a-f]{64})(?:\.zip|\.([0-9a-f]{64})\.zip\.age)$/;
const SNAPSHOT =
	/^archives\/([0-9a-f]{32})\/snapshots\/([0-9]{4})\/([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})(?:\.json|\.([0-9a-f]{64})\.json\.age)$/;
const HEAD = /^archives\/([0-9a-f]{32})\/mailseal\.json$/;

function withHash(name: string, { ending, sealedHash }: { readonly ending: string; readonly sealedHash: string | null }): string {
	return sealedHash === null ? `${name}.${ending}` : `${name}.${sealedHash}.${ending}.age`;
}

/** `sealedHash`: SHA-256 of the age file, null for a target that is not encrypted. */
export function bundleBlob({ id, kind }: Pick<BundleRef, 'id' | 'kind'>, sealedHash: string | null): string {
	return withHash(`${BUNDLES}${kind}/${id.slice(0, 2)}/${id}`, { ending: 'zip', sealedHash });
}

/** The folder in which every copy of a bundle lies. */
export function bundleFolderOf({ id, kind }: Pick<BundleRef, 'id' | 'kind'>): string {
	return `${BUNDLES}${kind}/${id.slice(0, 2)}/`;
}

export function archiveFolder(archive: string): string {
	return `${ARCHIVES}${archive}/`;
}

export function archiveHeadBlob(archive: string): string {
	return `${archiveFolder(archive)}mailseal.json`;
}

export function snapshotsFolder(archive: string): string {
	return `${archiveFolder(archive)}snapshots/`;
}

export function snapshotBlob(archive: string, snapshot: SnapshotName, sealedHash: string | null): string {
	return withHash(`${snapshotsFolder(archive)}${snapshot.slice(0, 4)}/${snapshot}`, { ending: 'json', sealedHash });
}

/** What a blob's name says, or null for one that is not a bundle's. */
export function parseBundleBlob(name: string): BundleName | null {
	const [, kind, folder, id, sealedHash = null] = BUNDLE.exec(name) ?? [];
	if (kind === undefined || id === undefined || id.slice(0, 2) !== folder) return null;
	return { name, id: parseBundleId(id), kind: kind as BundleKind, sealedHash };
}

/** What a blob's name says, or null for one that is not a snapshot's. */
export function parseSnapshotBlob(name: string): SnapshotBlobName | null {
	const [, archive, year, snapshot, sealedHash = null] = SNAPSHOT.exec(name) ?? [];
	if (archive === undefined || snapshot === undefined || snapshot.slice(0, 4) !== year) return null;
	return { name, archive, snapshot: parseSnapshotName(snapshot), sealedHash };
}

/** The archive whose head a blob is, or null for any other blob. */
export function parseArchiveHeadBlob(name: string): string | null {
	return HEAD.exec(name)?.[1] ?? null;
}
