import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
	archiveFolder,
	archiveHeadBlob,
	bundleBlob,
	bundleFolderOf,
	parseArchiveHeadBlob,
	parseBundleBlob,
	parseSnapshotBlob,
	snapshotBlob,
	snapshotsFolder,
} from '../../../src/archive/target/names.ts';
import { parseBundleId, parseSnapshotName } from '../../../src/domain/index.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const hex = (length: number) =>
	fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length }).map((digits) => digits.join(''));
const sealedHash = fc.option(hex(64));
const instant = fc.date({ min: new Date('1000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true });
const snapshotName = fc
	.tuple(instant, hex(8))
	.map(([at, digits]) => parseSnapshotName(`${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${digits}`));

const ID = 'ab'.repeat(32);
const SEALED = 'cd'.repeat(32);
const ARCHIVE = '0123456789abcdef'.repeat(2);
const SNAPSHOT = '20260102T030405Z-0a1b2c3d';

test('the name of a bundle is read as it was written, and lies in the folder of all its copies', () => {
	fc.assert(
		fc.property(hex(64), fc.constantFrom('sealed', 'volatile'), sealedHash, (id, kind, hash) => {
			const ref = { id: parseBundleId(id), kind };
			const name = bundleBlob(ref, hash);
			expect(parseBundleBlob(name)).toEqual({ name, ...ref, sealedHash: hash });
			expect(name.startsWith(bundleFolderOf(ref))).toBe(true);
			expect(parseSnapshotBlob(name)).toBeNull();
			expect(parseArchiveHeadBlob(name)).toBeNull();
		}),
		propertyRuns(100),
	);
});

test('the name of a snapshot is read as it was written, and lies in the folder of its archive', () => {
	fc.assert(
		fc.property(hex(32), snapshotName, sealedHash, (archive, snapshot, hash) => {
			const name = snapshotBlob(archive, snapshot, hash);
			expect(parseSnapshotBlob(name)).toEqual({ name, archive, snapshot, sealedHash: hash });
			expect(name.startsWith(snapshotsFolder(archive))).toBe(true);
			expect(snapshotsFolder(archive).startsWith(archiveFolder(archive))).toBe(true);
			expect(parseBundleBlob(name)).toBeNull();
			expect(parseArchiveHeadBlob(name)).toBeNull();
		}),
		propertyRuns(100),
	);
});

test('the head of an archive is known by its name, and by no other', () => {
	fc.assert(
		fc.property(hex(32), (archive) => {
			expect(parseArchiveHeadBlob(archiveHeadBlob(archive))).toBe(archive);
			expect(parseSnapshotBlob(archiveHeadBlob(archive))).toBeNull();
		}),
		propertyRuns(20),
	);
});

describe('names are these, for ever', () => {
	test.each([
		[bundleBlob({ id: parseBundleId(ID), kind: 'sealed' }, null), `bundles/sealed/ab/${ID}.zip`],
		[bundleBlob({ id: parseBundleId(ID), kind: 'volatile' }, SEALED), `bundles/volatile/ab/${ID}.${SEALED}.zip.age`],
		[snapshotBlob(ARCHIVE, parseSnapshotName(SNAPSHOT), null), `archives/${ARCHIVE}/snapshots/2026/${SNAPSHOT}.json`],
		[snapshotBlob(ARCHIVE, parseSnapshotName(SNAPSHOT), SEALED), `archives/${ARCHIVE}/snapshots/2026/${SNAPSHOT}.${SEALED}.json.age`],
		[archiveHeadBlob(ARCHIVE), `archives/${ARCHIVE}/mailseal.json`],
	])('%s', (name, right) => {
		expect(name).toBe(right);
	});
});

test.each([
	['in the folder of another id', `bundles/sealed/ac/${ID}.zip`],
	['of an unknown kind', `bundles/old/ab/${ID}.zip`],
	['without an ending', `bundles/sealed/ab/${ID}`],
	['that was being written', `bundles/sealed/ab/.tmp-0123456789abcdef`],
	['with an ending behind', `bundles/sealed/ab/${ID}.zip.part`],
	['with a hash that is too short', `bundles/sealed/ab/${ID}.${SEALED.slice(1)}.zip.age`],
	['sealed, without a hash', `bundles/sealed/ab/${ID}.zip.age`],
	['plain, with a hash', `bundles/sealed/ab/${ID}.${SEALED}.zip`],
	['in capitals', `bundles/sealed/AB/${ID.toUpperCase()}.zip`],
	['one level up', `sealed/ab/${ID}.zip`],
	['below a prefix', `mine/bundles/sealed/ab/${ID}.zip`],
	['with a line feed at the end', `bundles/sealed/ab/${ID}.zip\n`],
	['of a snapshot of another year', `archives/${ARCHIVE}/snapshots/2025/${SNAPSHOT}.json`],
	['of a snapshot of no archive', `archives/mine/snapshots/2026/${SNAPSHOT}.json`],
	['of a snapshot without its hash', `archives/${ARCHIVE}/snapshots/2026/20260102T030405Z.json`],
	['of a head deeper down', `archives/${ARCHIVE}/snapshots/mailseal.json`],
	['of nothing', ''],
])('a name %s is nobody’s', (_what, name) => {
	expect(parseBundleBlob(name)).toBeNull();
	expect(parseSnapshotBlob(name)).toBeNull();
	expect(parseArchiveHeadBlob(name)).toBeNull();
});
