import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Catalog, catalogDamage, openCatalog } from '../catalog/index.ts';
import type { Finding } from '../domain/index.ts';
import { sizeOf } from '../platform/index.ts';
import { buildCatalog } from './current-catalog.ts';
import { CATALOG_FILE } from './layout.ts';
import { lostSnapshots } from './lost-snapshots.ts';
import type { Archive } from './open-archive.ts';
import type { VerifyRequest } from './requests.ts';
import type { ReadSnapshot } from './snapshots.ts';

/** Code of a finding about a snapshot that was there and is gone. */
export const SNAPSHOT_MISSING = 'snapshot-missing';

const HINT = 'run "mailseal reindex": the catalog can always be rebuilt from the bundles';

/**
 * Checks the catalog, and by it, whether snapshots are gone; deep compares every line of it with one built anew from the bundles.
 * A missing catalog is fine. `newest`: the newest snapshot that can be read; null where only lost snapshots are asked for.
 */
export async function catalogFindings(archive: Archive, newest: ReadSnapshot | null, request: VerifyRequest): Promise<Finding[]> {
	const path = join(archive.dir, CATALOG_FILE);
	// Being written, or cut off while it was: the next command that opens it makes it whole.
	if ((sizeOf(`${path}-wal`) ?? 0) > 0) return [];
	let catalog: Catalog | null = null;
	try {
		if (existsSync(path)) catalog = openCatalog({ kind: 'copy', path });
		const lost = lostFindings(archive, catalog);
		if (lost.length > 0 || catalog === null || newest === null) return lost;
		const problem = catalog.check();
		if (problem !== null) return [finding(`The catalog is damaged: ${problem}`)];
		if (request.mode !== 'deep' || !catalog.usable || catalog.state()?.name !== newest.name) return [];
		const fresh = await buildCatalog(archive, { place: { kind: 'memory' }, newest, signal: request.signal, onFinding() {} });
		try {
			return catalog.fingerprint() === fresh.fingerprint() ? [] : [finding('The catalog does not say what the bundles say')];
		} finally {
			fresh.close();
		}
	} catch (error) {
		if (!catalogDamage(error)) throw error;
		return [...lostFindings(archive, null), finding((error as Error).message)];
	} finally {
		catalog?.close();
	}
}

function lostFindings({ dir }: Archive, catalog: Catalog | null): Finding[] {
	const lost = lostSnapshots(dir, catalog);
	if (lost === null) return [];
	return [
		{ code: SNAPSHOT_MISSING, severity: 'error', subject: lost.subject, text: `Of the archive "${dir}", ${lost.text}`, hint: lost.hint },
	];
}

function finding(text: string): Finding {
	return { code: 'catalog-damaged', severity: 'warning', subject: CATALOG_FILE, text, hint: HINT };
}
