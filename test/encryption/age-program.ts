import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Key } from './sample-files.ts';

/** What the program age makes of bytes on standard input; it must succeed. */
function run(args: readonly string[], input: Uint8Array): Buffer {
	const { status, stdout, stderr, error } = spawnSync('age', args, { input, maxBuffer: 2 ** 28 });
	if (error !== undefined) throw error;
	if (status !== 0) throw new Error(`age ${args[0]} ended with ${status}: ${stderr}`);
	return stdout;
}

export function ageEncrypt(plain: Uint8Array, ...keys: readonly Key[]): Buffer {
	return run(['--encrypt', ...keys.flatMap(({ recipient }) => ['-r', recipient])], plain);
}

export function ageDecrypt(sealed: Uint8Array, { secret }: Key): Buffer {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-age-'));
	try {
		writeFileSync(join(folder, 'key.txt'), `${secret}\n`, { mode: 0o600 });
		return run(['--decrypt', '-i', join(folder, 'key.txt')], sealed);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}
