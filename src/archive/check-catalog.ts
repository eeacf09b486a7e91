import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Catalog, catalogDamage, openCatalog } from '../catalog/index.ts';
import { type Finding, MailsealError } from '../domain/index.ts';
import { sizeOf } from '../platform/index.ts';
import { SNAPSHOT_MISSING } from './chain.ts';
import { buildCatalog } from './current-catalog.ts';
import { CATALOG_FILE } from './layout.ts';
import { lostSnapshots } from './lost-snapshots.ts';
import type { Archive } from './open-archive.ts';
import type { VerifyRequest } from './requests.ts';
import type { ReadSnapshot } from './snapshots.ts';

const HINT = 'run "mailseal reindex": the catalog can always be rebuilt from the bundles';

/**
 * Checks the catalog, and by it, whether snapshots are gone; deep compares every line of it with one built anew from the bundles.
 * A missing catalog is fine. `newest`: the newest snapshot that can be read; null where only lost snapshots are asked for.
 */
export async function catalogFindings(archive: Archive, newest: ReadSnapshot | null, request: VerifyRequest): Promise<Finding[]> {
	const path = join(archive.dir, CATALOG_FILE);
	// Being written, or cut off while it was: the next command that opens it makes it whole.
	if ((sizeOf(`${path}-wal`) ?? 0) > 0) {
		return request.mode === 'deep' && newest !== null ? deepFindings(archive, { newest, request, catalog: null, damaged: [] }) : [];
	}
	let catalog: Catalog | null = null;
	try {
		if (existsSync(path)) catalog = openCatalog({ kind: 'copy', path });
		const lost = lostFindings(archive, catalog);
		if (lost.length > 0 || newest === null) return lost;
		const problem = catalog?.check() ?? null;
		const damaged = problem === null ? [] : [finding(`The catalog is damaged: ${problem}`)];
		return request.mode === 'deep' ? [...damaged, ...(await deepFindings(archive, { newest, request, catalog, damaged }))] : damaged;
	} catch (error) {
		if (!catalogDamage(error)) throw error;
		return [...lostFindings(archive, null), finding((error as Error).message)];
	} finally {
		catalog?.close();
	}
}

/** What a catalog built from nothing but the bundles shows: messages that lack something, and a catalog that differs. */
async function deepFindings(
	archive: Archive,
	given: {
		readonly newest: ReadSnapshot;
		readonly request: VerifyRequest;
		readonly catalog: Catalog | null;
		readonly damaged: readonly Finding[];
	},
): Promise<Finding[]> {
	const { newest, request, catalog, damaged } = given;
	let fresh: Catalog;
	try {
		fresh = await buildCatalog(archive, { place: { kind: 'memory' }, newest, signal: request.signal, onFinding() {} });
	} catch (error) {
		if (!(error instanceof MailsealError) || (error.code !== 'unreachable' && error.code !== 'permission')) throw error;
		return [unreachable(newest, error)];
	}
	try {
		const findings: Finding[] = [];
		const incomplete = fresh.read.incompleteMessages();
		if (incomplete !== null) {
			findings.push({
				code: 'messages-incomplete',
				severity: 'error',
				subject: newest.name,
				text: `Snapshot ${newest.name} places ${incomplete.count} messages that its bundles lack, or lack attachments of; one is ${incomplete.first}`,
				hint: 'an older snapshot, or a copy of the archive, may have them',
			});
		}
		const comparable = catalog?.usable === true && damaged.length === 0 && catalog.state()?.name === newest.name;
		if (comparable && catalog.fingerprint() !== fresh.fingerprint())
			findings.push(finding('The catalog does not say what the bundles say'));
		return findings;
	} finally {
		fresh.close();
	}
}

/** All that is here was looked at nevertheless. */
function unreachable({ name }: ReadSnapshot, { message, hint }: MailsealError): Finding {
	return {
		code: 'target-unreachable',
		severity: 'warning',
		subject: name,
		text: `Whether snapshot ${name} is complete was not checked, since some of its bundles lie at a target only: ${message}`,
		...(hint === undefined ? {} : { hint }),
	};
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
