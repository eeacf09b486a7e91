import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Catalog, catalogDamage, openCatalog } from '../catalog/index.ts';
import type { Finding } from '../domain/index.ts';
import { sizeOf } from '../platform/index.ts';
import { buildCatalog } from './current-catalog.ts';
import { CATALOG_FILE } from './layout.ts';
import type { Archive } from './open-archive.ts';
import type { VerifyRequest } from './requests.ts';
import type { ReadSnapshot } from './snapshots.ts';

const HINT = 'run "mailseal reindex": the catalog can always be rebuilt from the bundles';

/** Checks the catalog; deep compares every line of it with one built anew from the bundles. A missing catalog is fine. */
export async function catalogFindings(archive: Archive, newest: ReadSnapshot | null, request: VerifyRequest): Promise<Finding[]> {
	const path = join(archive.dir, CATALOG_FILE);
	if (newest === null || !existsSync(path)) return [];
	// Being written, or cut off while it was: the next command that opens it makes it whole.
	if ((sizeOf(`${path}-wal`) ?? 0) > 0) return [];
	let catalog: Catalog | null = null;
	try {
		catalog = openCatalog({ kind: 'copy', path });
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
		return [finding((error as Error).message)];
	} finally {
		catalog?.close();
	}
}

function finding(text: string): Finding {
	return { code: 'catalog-damaged', severity: 'warning', subject: CATALOG_FILE, text, hint: HINT };
}
