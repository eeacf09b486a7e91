import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSmallFile } from '../../../src/sources/maildir/small-file.ts';
import { temporaryDirectory } from '../../support/maildir.ts';

test('readSmallFile() tells a file, a link, nothing, and what it must not read', () => {
	const root = temporaryDirectory();
	writeFileSync(join(root, 'file'), 'text');
	symlinkSync('sieve/main.sieve', join(root, 'link'));
	mkdirSync(join(root, 'directory'));
	expect(readSmallFile(join(root, 'file'), 4)).toMatchObject({ kind: 'file', bytes: Buffer.from('text') });
	expect(readSmallFile(join(root, 'link'), 4)).toMatchObject({ kind: 'link', target: 'sieve/main.sieve' });
	expect(readSmallFile(join(root, 'none'), 4)).toEqual({ kind: 'absent' });
	expect(readSmallFile(join(root, 'file', 'below'), 4)).toEqual({ kind: 'absent' });
	expect(readSmallFile(join(root, 'file'), 3)).toMatchObject({ kind: 'skipped', finding: { code: 'control-too-large' } });
	expect(readSmallFile(join(root, 'directory'), 4)).toMatchObject({ kind: 'skipped', finding: { code: 'control-not-a-file' } });
});

test.skipIf(process.platform !== 'linux')('readSmallFile() does not read through a directory that is a symbolic link', () => {
	const root = temporaryDirectory();
	mkdirSync(join(root, 'private'));
	writeFileSync(join(root, 'private', 'shadow'), 'secret');
	symlinkSync('private', join(root, 'courierimapkeywords'));
	expect(readSmallFile(join(root, 'courierimapkeywords', 'shadow'), 100)).toMatchObject({
		kind: 'skipped',
		finding: { code: 'symbolic-link', severity: 'warning' },
	});
});
