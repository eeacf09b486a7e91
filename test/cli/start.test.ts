import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { flagsAmong, V8_FLAGS } from '../../scripts/v8-flags.mjs';

const DIST = join(import.meta.dirname, '..', '..', 'dist');
const VERSION = (JSON.parse(readFileSync(join(DIST, '..', 'package.json'), 'utf8')) as { version: string }).version;

const PACKAGES = join(DIST, '..', 'node_modules');

/** The published program, copied so that its files may be changed. */
function copied() {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-start-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	for (const name of readdirSync(DIST)) if (/\.(cjs|code)$/.test(name)) cpSync(join(DIST, name), join(folder, name));
	const [code, program] = [join(folder, 'program.code'), join(folder, 'program.cjs')];
	let packages = PACKAGES;
	function start(...words: readonly string[]) {
		const env = { ...process.env, NODE_PATH: packages, NO_COLOR: '1', MAILSEAL_DEBUG: '1' };
		const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', cwd: folder, env });
		return { status, stdout, stderr };
	}
	return {
		code,
		folder,
		flip(position: number): void {
			const bytes = readFileSync(code);
			bytes[position] = (bytes[position] ?? 0) ^ 1;
			writeFileSync(code, bytes);
		},
		/** Puts another program of the same length in its place, in which V8 sees no difference; gives its version. */
		replace(): string {
			const source = readFileSync(program, 'latin1');
			const other = VERSION.replace(/[0-9]/g, (digit) => String(9 - Number(digit)));
			expect(other).toHaveLength(VERSION.length);
			expect(source).toContain(`"${VERSION}"`);
			writeFileSync(program, source.replaceAll(`"${VERSION}"`, `"${other}"`), 'latin1');
			return other;
		},
		/** Has the compiled code say that it is of the program that lies beside it. */
		claim(): void {
			const bytes = readFileSync(code);
			bytes.writeUInt32LE(crc32(readFileSync(program), crc32(`${process.versions.v8} ${process.arch}`)), 0);
			writeFileSync(code, bytes);
		},
		/** A mailbox of one message, for `PACK`. */
		mail(): void {
			const maildir = join(folder, 'ann', 'Maildir');
			for (const name of ['cur', 'new', 'tmp']) mkdirSync(join(maildir, name), { recursive: true });
			writeFileSync(join(maildir, 'cur', '1.a:2,S'), 'From: a@example.org\n\nhello\n');
		},
		/** Puts what is installed beside the program, as npm does; the compiled part of better-sqlite3 into `built`, or nowhere. */
		install(built: string | null): void {
			packages = '';
			for (const name of ['better-sqlite3/lib', 'better-sqlite3/package.json', 'bindings', 'file-uri-to-path']) {
				cpSync(join(PACKAGES, name), join(folder, 'node_modules', name), { recursive: true });
			}
			const addon = join('build', 'Release', 'better_sqlite3.node');
			const place = join(folder, 'node_modules', 'better-sqlite3');
			if (built !== null) cpSync(join(PACKAGES, 'better-sqlite3', addon), join(place, built, 'better_sqlite3.node'));
		},
		start: (...args: string[]) => start('mailseal.cjs', ...args),
		/** The version that it tells where Node runs other JavaScript first. */
		startAfter(first: string) {
			writeFileSync(join(folder, 'first.cjs'), first);
			return start('--require', './first.cjs', 'mailseal.cjs', '--version');
		},
	};
}

const PACK = ['pack', 'maildir:{account}/Maildir', '-a', 'archive'];
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
		expect(copy.start('--version')).toEqual(RIGHT);
	});

	test('goes by the program and not by the code that was compiled of another one of the same length', () => {
		const copy = copied();
		const other = copy.replace();
		expect(copy.start('--version')).toEqual({ ...RIGHT, stdout: `${other}\n` });
	});

	test('takes the compiled code where it says that it is of this program, this V8 and this processor, and only there', () => {
		const copy = copied();
		const other = copy.replace();
		copy.claim();
		expect(copy.start('--version')).toEqual(RIGHT);
		for (const first of [
			"Object.defineProperty(process, 'arch', { value: 'mips' });",
			"Object.defineProperty(process, 'versions', { value: { ...process.versions, v8: '1.2.3' } });",
		]) {
			expect(copy.startAfter(first), first).toEqual({ ...RIGHT, stdout: `${other}\n` });
		}
	});

	test('sets V8 as it was set when the code was compiled, and leaves a V8 alone that may not know it', () => {
		const tell = `const v8 = require('node:v8'); const set = v8.setFlagsFromString;
			v8.setFlagsFromString = (flags) => { process.stderr.write(flags); set(flags); };`;
		const copy = copied();
		expect(copy.startAfter(tell)).toEqual({ ...RIGHT, stderr: V8_FLAGS });
		const other = "Object.defineProperty(process, 'versions', { value: { ...process.versions, v8: '1.2.3' } });";
		expect(copy.startAfter(other + tell)).toEqual(RIGHT);
	});

	test('asks of V8 only what the V8 of the build knows: Node 22 and 24 have no such budget, and would complain at each start', () => {
		const line = '  --interrupt-budget (interrupt budget which should be used for the profiler counter)\n';
		expect(flagsAmong(line)).toEqual(['--interrupt-budget=500000']);
		expect(flagsAmong(line.replaceAll('--interrupt-budget', '--interrupt-budget-for-maglev'))).toEqual([]);
		expect(flagsAmong('')).toEqual([]);
		const { status, stderr } = spawnSync(process.execPath, [...(V8_FLAGS === '' ? [] : V8_FLAGS.split(' ')), '-e', ''], {
			encoding: 'utf8',
		});
		expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
	});

	test('names places in its code by where it runs, not by where it was built', () => {
		const copy = copied();
		const traced = copy.start('status', '-a', 'nothing');
		expect(traced.stderr).toMatch(/^ +at .*\(program\.cjs:[0-9]+:[0-9]+\)$/m);
		expect(traced.stderr).not.toContain(DIST);
		rmSync(copy.code);
		expect(copy.start('status', '-a', 'nothing').stderr).toContain(`(${copy.folder}/program.cjs:`);
	});

	test.each([
		['build/Release', 0, ''],
		['build/Debug', 0, ''],
		['nowhere', 70, 'Could not locate the bindings file'],
	])('finds the compiled part of better-sqlite3 in every place that the package looks at: %s', (built, status, said) => {
		const copy = copied();
		copy.install(built === 'nowhere' ? null : built);
		copy.mail();
		expect(copy.start(...PACK)).toMatchObject({ status, stderr: expect.stringContaining(said) });
	});

	// The packages for targets lie in files of their own, and are read only by these calls.
	test.each([
		['as compiled at the build', true],
		['as compiled by itself', false],
	])('reaches for S3, SSH and age %s', (_how, isCompiled) => {
		const copy = copied();
		if (!isCompiled) rmSync(copy.code);
		copy.mail();
		const calls = [
			PACK,
			['sync', 'target', '-a', 'archive', '--encrypt-to', 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'],
		];
		for (const call of calls)
			expect(copy.start(...call), call.join(' ')).toMatchObject({ status: 0, stderr: expect.not.stringContaining('Warning') });
		const failing = ['sftp://ann@127.0.0.1:1/far', 's3://bucket/far'];
		for (const target of failing) {
			const { status, stderr } = copy.start('sync', target, '-a', 'archive', '--s3-endpoint', 'http://127.0.0.1:1', '--retries', '0');
			expect(stderr).toMatch(/^mailseal: Cannot (sign in|connect|reach|list) /m);
			expect(stderr).not.toMatch(/bug in mailseal|ExperimentalWarning/);
			expect(status).not.toBe(70);
		}
	});
});
