import { describe, expect, test } from 'vitest';
import { sizeProblem, standingOf } from '../../../src/archive/target/compare.ts';
import type { BundleCopy } from '../../../src/archive/target/listing.ts';
import { bundleBlob } from '../../../src/archive/target/names.ts';
import type { KnownCopy } from '../../../src/archive/target/record.ts';
import { type BundleRef, parseBundleId } from '../../../src/domain/index.ts';
import { sealedSize } from '../../../src/encryption/index.ts';

const REF: BundleRef = { id: parseBundleId('ab'.repeat(32)), kind: 'sealed', size: 100_000 };
const OURS = 'aa'.repeat(32);
const THEIRS = 'bb'.repeat(32);
const HEAD = 200;

function copy(given: Partial<Pick<BundleCopy, 'size' | 'md5' | 'kind' | 'sealedHash'>> = {}): BundleCopy {
	const { sealedHash = null, kind = 'sealed', md5 = null } = given;
	const size = given.size ?? (sealedHash === null ? REF.size : sealedSize(REF.size, HEAD));
	return { id: REF.id, kind, sealedHash, md5, size, modified: 0, name: bundleBlob({ id: REF.id, kind }, sealedHash) };
}

describe('standingOf() of a plain target:', () => {
	const cases: readonly [what: string, copies: readonly BundleCopy[], known: KnownCopy | undefined, standing: string][] = [
		['no copy', [], undefined, 'absent'],
		['a copy of the right size', [copy()], undefined, 'confirmed'],
		['a copy that is too short', [copy({ size: 99_999 })], undefined, 'damaged: it has 99999 bytes (100000 are right)'],
		['an empty copy', [copy({ size: 0 })], undefined, 'damaged: it has 0 bytes (100000 are right)'],
		['a copy that is too long', [copy({ size: 100_001 })], undefined, 'damaged: it has 100001 bytes (100000 are right)'],
		['the MD5 that the store told when it was shipped', [copy({ md5: '01' })], { md5: '01' }, 'confirmed'],
		['another MD5', [copy({ md5: '02' })], { md5: '01' }, 'damaged: its MD5 is 02 (01 is right)'],
		['an MD5 that nobody knows', [copy({ md5: '02' })], undefined, 'confirmed'],
		['a store that tells no MD5 any more', [copy()], { md5: '01' }, 'confirmed'],
		['a copy among those of the other kind', [copy({ kind: 'volatile' })], undefined, 'absent'],
		['an encrypted copy', [copy({ sealedHash: OURS })], { sealedHash: OURS }, 'absent'],
		['an encrypted copy beside a plain one', [copy({ sealedHash: OURS }), copy()], undefined, 'confirmed'],
	];
	test.each(cases)('%s', (_what, copies, known, right) => {
		expect(shown(standingOf(REF, { copies, known, encryption: 'none' }))).toBe(right);
	});
});

describe('standingOf() of an encrypted target:', () => {
	const ours = copy({ sealedHash: OURS, md5: '01' });
	const short = copy({ sealedHash: THEIRS, size: 500 });
	const tooShort = 'it has 500 bytes, and no age file of 100000 bytes can have so many';
	const cases: readonly [what: string, copies: readonly BundleCopy[], known: KnownCopy | undefined, standing: string | RegExp][] = [
		['a copy of somebody else', [copy({ sealedHash: THEIRS })], undefined, `confirmed ${THEIRS}`],
		['a copy that is too short to be one', [short], undefined, `damaged: ${tooShort}`],
		['a copy without a header', [copy({ sealedHash: THEIRS, size: sealedSize(REF.size, 0) })], undefined, /^damaged: it has 100032 bytes/],
		['a header of 64 KiB', [copy({ sealedHash: THEIRS, size: sealedSize(REF.size, 65_536) })], undefined, `confirmed ${THEIRS}`],
		['a header of more', [copy({ sealedHash: THEIRS, size: sealedSize(REF.size, 65_537) })], undefined, /^damaged/],
		['the good one of two', [short, ours], undefined, `confirmed ${OURS}`],
		['our own before that of another', [copy({ sealedHash: THEIRS }), ours], { sealedHash: OURS }, `confirmed ${OURS}`],
		['another where our own is damaged', [ours, copy({ sealedHash: THEIRS })], { sealedHash: OURS, md5: '02' }, `confirmed ${THEIRS}`],
		['our own of another size', [ours], { sealedHash: OURS, size: 1 }, /^damaged: it has 100232 bytes \(1 are right\)/],
		['our own of its size', [ours], { sealedHash: OURS, size: sealedSize(REF.size, HEAD) }, `confirmed ${OURS}`],
		['our own with another MD5', [ours], { sealedHash: OURS, md5: '02' }, 'damaged: its MD5 is 01 (02 is right)'],
		['an MD5 of another host’s file', [copy({ sealedHash: THEIRS, md5: '02' })], { sealedHash: OURS, md5: '01' }, `confirmed ${THEIRS}`],
		['a plain copy', [copy()], undefined, 'absent'],
	];
	test.each(cases)('%s', (_what, copies, known, right) => {
		const found = shown(standingOf(REF, { copies, known, encryption: 'age' }));
		if (typeof right === 'string') expect(found).toBe(right);
		else expect(found).toMatch(right);
	});
});

function shown(standing: ReturnType<typeof standingOf>): string {
	if (standing.state === 'absent') return 'absent';
	if (standing.state === 'damaged') return `damaged: ${standing.text}`;
	return standing.copy.sealedHash === null ? 'confirmed' : `confirmed ${standing.copy.sealedHash}`;
}

test('sizeProblem() asks of an empty file what it asks of others', () => {
	expect(sizeProblem(copy({ size: 0 }), 0)).toBeNull();
	expect(sizeProblem(copy({ sealedHash: OURS, size: sealedSize(0, HEAD) }), 0)).toBeNull();
	expect(sizeProblem(copy({ sealedHash: OURS, size: 0 }), 0)).toMatch(/^it has 0 bytes/);
});
