import { describe, expect, test } from 'vitest';
import type { Listing } from '../../../src/archive/target/listing.ts';
import { parseBundleBlob, parseSnapshotBlob } from '../../../src/archive/target/names.ts';
import { planPrune } from '../../../src/archive/target/prune.ts';
import { parseBundleId } from '../../../src/domain/index.ts';
import type { BlobFacts } from '../../../src/remote/index.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);
const GRACE = 7 * DAY;
const OURS = '0'.repeat(32);
const THEIRS = '1'.repeat(32);

/** `age` in days before now; null where the store does not tell. */
function blob(name: string, age: number | null): BlobFacts {
	return { name, size: 1, modified: age === null ? null : NOW - age * DAY, md5: null };
}

function bundle(digits: string, age: number | null, hash = ''): BlobFacts {
	const id = digits.padEnd(64, '0');
	return blob(`bundles/sealed/${id.slice(0, 2)}/${id}${hash === '' ? '.zip' : `.${hash.padEnd(64, '0')}.zip.age`}`, age);
}

function snapshot(archive: string, day: number, age: number | null): BlobFacts {
	return blob(`archives/${archive}/snapshots/2026/202605${String(day).padStart(2, '0')}T000000Z-00000000.json`, age);
}

function listingOf(blobs: readonly BlobFacts[]): Listing {
	const bundles = new Map();
	const snapshots = new Map();
	for (const facts of blobs) {
		const stored = parseBundleBlob(facts.name);
		if (stored !== null) bundles.set(stored.id, [...(bundles.get(stored.id) ?? []), { ...facts, ...stored }]);
		const named = parseSnapshotBlob(facts.name);
		if (named === null) continue;
		const ofOne = snapshots.get(named.archive) ?? new Map();
		ofOne.set(named.snapshot, [...(ofOne.get(named.snapshot) ?? []), { ...facts, ...named }]);
		snapshots.set(named.archive, ofOne);
	}
	return { bundles, snapshots, heads: new Map() };
}

interface Case {
	readonly blobs: readonly BlobFacts[];
	/** Digits that ids of named bundles begin with. */
	readonly named?: readonly string[];
	readonly leftovers?: readonly BlobFacts[];
	readonly now?: number;
	/** Parts of the names of what goes. */
	readonly goes: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
	'nothing of nothing': { blobs: [], goes: [] },
	'no bundle that a kept snapshot names, however old': { blobs: [bundle('aa', 300), bundle('bb', 0)], named: ['aa'], goes: [] },
	'a bundle that none names, once it is old': { blobs: [bundle('aa', 8), bundle('bb', 0)], goes: ['aa'] },
	'a bundle that is as old as the grace, to the millisecond': { blobs: [bundle('aa', 7), bundle('bb', 0)], goes: ['aa'] },
	'no bundle that is younger': { blobs: [bundle('aa', 6.999_999), bundle('bb', 0)], goes: [] },
	'no bundle of which the store does not tell the age': { blobs: [bundle('aa', null), bundle('bb', 0)], goes: [] },
	'nothing where the store tells no age at all': { blobs: [bundle('aa', null)], leftovers: [blob('bundles/.tmp-1', null)], goes: [] },
	'every copy of a bundle that none names': {
		blobs: [bundle('aa', 9, 'c1'), bundle('aa', 10, 'c2'), bundle('bb', 0)],
		goes: ['c1', 'c2'],
	},
	'no copy of one that is named': { blobs: [bundle('aa', 9, 'c1'), bundle('aa', 10, 'c2'), bundle('bb', 0)], named: ['aa'], goes: [] },
	'no snapshot, whosever it is': { blobs: [snapshot(THEIRS, 1, 300), snapshot(OURS, 4, 300), bundle('bb', 0)], goes: [] },
	'leftovers of cut-off transfers, once they are old': {
		blobs: [bundle('bb', 0)],
		named: ['bb'],
		leftovers: [blob('bundles/sealed/ab/.tmp-old', 8), blob('bundles/sealed/ab/.tmp-new', 1)],
		goes: ['.tmp-old'],
	},
	'nothing but by the age of the newest blob there, where the clock here is ahead': {
		blobs: [bundle('aa', 8), bundle('bb', 0)],
		now: NOW + 1000 * DAY,
		goes: ['aa'],
	},
	'nothing young where the clock here is ahead': { blobs: [bundle('aa', 6), bundle('bb', 0)], now: NOW + 1000 * DAY, goes: [] },
	'nothing that is young by the clock here, where that of the store is ahead': {
		blobs: [bundle('aa', 8), bundle('bb', -1000)],
		now: NOW - 4 * DAY,
		goes: [],
	},
	'what is old by a snapshot of another archive, if that is the newest blob': {
		blobs: [bundle('aa', 8), snapshot(THEIRS, 1, 0)],
		goes: ['aa'],
	},
};

describe('planPrune() deletes', () => {
	test.each(Object.entries(CASES))('%s', (_what, { blobs, named = [], leftovers = [], now = NOW, goes }) => {
		const plan = planPrune({
			listing: listingOf(blobs),
			named: new Set(named.map((digits) => parseBundleId(digits.padEnd(64, '0')))),
			leftovers,
			grace: GRACE,
			now,
		});
		const gone = [...plan.bundles, ...plan.leftovers].map(({ name }) => name);
		expect(gone).toHaveLength(goes.length);
		for (const part of goes) expect(gone.filter((name) => name.includes(part))).toHaveLength(1);
	});
});
