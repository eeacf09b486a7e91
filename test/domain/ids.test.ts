import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
	isPathLevel,
	parseAccountName,
	parseAttachmentId,
	parseBundleId,
	parseFolderName,
	parseMessageId,
	parseSnapshotName,
	tenantOf,
} from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';

const HASH = '0123456789abcdef'.repeat(4);

describe.each([
	['parseMessageId', parseMessageId],
	['parseAttachmentId', parseAttachmentId],
	['parseBundleId', parseBundleId],
])('%s()', (_, parse) => {
	it('takes 64 lower-case hex digits as they are', () => {
		expect(parse(HASH)).toBe(HASH);
	});

	it.each(['', HASH.slice(1), `${HASH}0`, HASH.toUpperCase(), `${HASH}\n`, ` ${HASH.slice(1)}`, `${HASH.slice(1)}g`])(
		'refuses %j',
		(text) => {
			expect(() => parse(text)).toThrow(/^Cannot read .* id ".*": it is not 64 lower-case hex digits$/s);
		},
	);
});

describe('parseSnapshotName()', () => {
	it('takes a time and eight hex digits', () => {
		expect(parseSnapshotName('20261123T021500Z-0a1b2c3d')).toBe('20261123T021500Z-0a1b2c3d');
	});

	it.each([
		'',
		'latest',
		'20261123T021500Z',
		'20261123T021500Z-0A1B2C3D',
		'20261123T021500Z-0a1b2c3d.json',
		'../20261123T021500Z-0a1b2c3d',
	])('refuses %j', (text) => {
		expect(() => parseSnapshotName(text)).toThrow('it is not of the form 20261123T021500Z-0a1b2c3d');
	});
});

describe('account and folder names', () => {
	it.each(['alice@example.org', 'alice', '...', 'ä', 'a b', '-rf', '..a'])('%j can name an account', (name) => {
		expect(parseAccountName(name)).toBe(name);
	});

	it.each(['', '.', '..', 'a/b', '/', 'a\0', '../etc'])('%j cannot name an account', (name) => {
		expect(() => parseAccountName(name)).toThrow('Cannot use account name');
	});

	it.each(['INBOX', 'Projects/Alpha', 'a/.../b', 'Entwürfe/ä', '.hidden'])('%j can name a folder', (name) => {
		expect(parseFolderName(name)).toBe(name);
	});

	it.each(['', '/', '/INBOX', 'INBOX/', 'a//b', '../etc', 'a/../../etc', 'a/.', 'a\0b/c'])('%j cannot name a folder', (name) => {
		expect(() => parseFolderName(name)).toThrow('Cannot use folder name');
	});

	it('a folder is just what levels make when they are joined', () => {
		fc.assert(
			fc.property(
				fc.array(fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('.', '..', '', '/', '\0')), { minLength: 1 }),
				(levels) => {
					const path = levels.join('/');
					const good = path.split('/').every(isPathLevel);
					if (good) expect(parseFolderName(path)).toBe(path);
					else expect(() => parseFolderName(path)).toThrow('Cannot use folder name');
				},
			),
			propertyRuns(),
		);
	});
});

describe('tenantOf()', () => {
	it.each([
		['alice@Example.ORG', 'example.org'],
		['"odd@name"@example.org', 'example.org'],
		['alice', ''],
		['alice@', ''],
	])('%s belongs to "%s"', (account, tenant) => {
		expect(tenantOf(parseAccountName(account))).toBe(tenant);
	});
});
