import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

const DIST = join(import.meta.dirname, '..', '..', 'dist');
const VERSION = (JSON.parse(readFileSync(join(DIST, '..', 'package.json'), 'utf8')) as { version: string }).version;

/** The published program, copied so that its files may be changed. */
function copied() {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-start-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	for (const name of ['mailseal.cjs', 'program.cjs', 'program.code']) cpSync(join(DIST, name), join(folder, name));
	const code = join(folder, 'program.code');
	return {
		code,
		program: join(folder, 'program.cjs'),
		flip(position: number): void {
			const bytes = readFileSync(code);
			bytes[position] = (bytes[position] ?? 0) ^ 1;
			writeFileSync(code, bytes);
		},
		start() {
			const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'mailseal.cjs'), '--version'], { encoding: 'utf8' });
			return { status, stdout, stderr };
		},
	};
}

const RIGHT = { status: 0, stdout: `${VERSION}\n`, stderr: '' };

describe('a start', () => {
	test.each<[string, (copy: ReturnType<typeof copied>) => unknown]>([
		['is whole', () => {}],
		['is missing', ({ code }) => rmSync(code)],
		['is empty', ({ code }) => writeFileSync(code, '')],
		['is cut off', ({ code }) => writeFileSync(code, readFileSync(code).subarray(0, 200_000))],
		['is a folder', ({ code }) => [rmSync(code), mkdirSync(code)]],
		['has a wrong byte in front', ({ flip }) => flip(10)],
		['has a wrong byte in the middle, which V8 does not see', ({ flip }) => flip(36)],
	])('says the same where the compiled code %s', (_case, change) => {
		const copy = copied();
		change(copy);
		expect(copy.start()).toEqual(RIGHT);
	});

	test('goes by the program and not by the code that was compiled of another one of the same length', () => {
		const copy = copied();
		const source = readFileSync(copy.program, 'latin1');
		const other = VERSION.replace(/[0-9]/g, (digit) => String(9 - Number(digit)));
		expect(other).toHaveLength(VERSION.length);
		expect(source).toContain(`"${VERSION}"`);
		writeFileSync(copy.program, source.replaceAll(`"${VERSION}"`, `"${other}"`), 'latin1');
		expect(copy.start()).toEqual({ ...RIGHT, stdout: `${other}\n` });
	});
});
