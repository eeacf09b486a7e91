import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isThere } from '../../src/platform/index.ts';

test('isThere() tells what is not there from what cannot be looked at', () => {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-files-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	writeFileSync(join(folder, 'file'), '');
	symlinkSync('loop', join(folder, 'loop'));
	expect(isThere(folder)).toBe(true);
	expect(isThere(join(folder, 'file'))).toBe(true);
	expect(isThere(join(folder, 'nothing'))).toBe(false);
	expect(isThere(join(folder, 'file', 'below'))).toBe(false);
	expect(() => isThere(join(folder, 'loop'))).toThrow(`Cannot look at "${folder}/loop": ELOOP`);
});
