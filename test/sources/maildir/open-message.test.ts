import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, renameSync, symlinkSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openMaildirMessage, openMaildirSource } from '../../../src/sources/index.ts';
import { readSmallFile } from '../../../src/sources/maildir/small-file.ts';
import { asNobody } from '../../support/as-nobody.ts';
import { makeFolder, temporaryDirectory } from '../../support/maildir.ts';

const LIMIT = 1000;

const { trouble } = vi.hoisted(() => ({ trouble: { code: '' } }));

/** Fails with a code that is set, as where its owner moves a directory meanwhile. */
vi.mock('../../../src/sources/maildir/true-place.ts', async (importOriginal) => {
	const { placeOf } = await importOriginal<typeof import('../../../src/sources/maildir/true-place.ts')>();
	return {
		placeOf(...given: Parameters<typeof placeOf>) {
			if (trouble.code !== '') throw Object.assign(new Error(trouble.code), { code: trouble.code });
			return placeOf(...given);
		},
	};
});

/** Holds a write lease until it is ended. */
const HOLD_LEASE = `import fcntl, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(sys.argv[1], 'r+')
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()`;

/** An empty folder; gives the path of its `cur`. */
function makeCur(): string {
	const root = temporaryDirectory();
	makeFolder(root);
	return join(root, 'cur');
}

describe('openMaildirMessage()', () => {
	test('gives the bytes, date, mode and owner of a message', () => {
		const path = join(makeCur(), '1.a:2,S');
		writeFileSync(path, 'Subject: x\r\n\r\n\0\xff', { encoding: 'latin1', mode: 0o640 });
		const date = new Date('2019-03-04T05:06:07.125Z');
		utimesSync(path, date, date);
		expect(openMaildirMessage(path, { limit: LIMIT })).toEqual({
			bytes: Buffer.from('Subject: x\r\n\r\n\0\xff', 'latin1'),
			size: 16,
			date: date.getTime(),
			mode: 0o640,
			owner: [process.getuid?.(), process.getgid?.()],
		});
	});

	test('reads a message of no bytes', () => {
		const path = join(makeCur(), '1.a');
		writeFileSync(path, '');
		expect(openMaildirMessage(path, { limit: LIMIT })).toMatchObject({ bytes: Buffer.alloc(0), size: 0 });
	});

	test('keeps a date that no calendar has inside the years 0 to 9999', () => {
		const path = join(makeCur(), '1.a');
		writeFileSync(path, 'x');
		utimesSync(path, 0, 15_000_000_000_000);
		const message = openMaildirMessage(path, { limit: LIMIT });
		expect('date' in message && message.date <= Date.UTC(9999, 11, 31, 23, 59, 59, 999)).toBe(true);
		utimesSync(path, new Date(0), new Date(-1500));
		expect(openMaildirMessage(path, { limit: LIMIT })).toMatchObject({ date: -1500 });
	});

	test('gives no bytes of a message above the limit, but its size', () => {
		const path = join(makeCur(), '1.a');
		writeFileSync(path, 'x'.repeat(LIMIT + 1));
		expect(openMaildirMessage(path, { limit: LIMIT })).toMatchObject({ bytes: null, size: LIMIT + 1 });
		expect(openMaildirMessage(path, { limit: LIMIT + 1 })).toMatchObject({ size: LIMIT + 1, bytes: Buffer.from('x'.repeat(LIMIT + 1)) });
	});

	test('undoes compression, whatever the limit, and keeps what cannot be undone', () => {
		const cur = makeCur();
		const text = Buffer.from('Subject: x\n\n'.repeat(500));
		writeFileSync(join(cur, '1.a'), gzipSync(text));
		expect(openMaildirMessage(join(cur, '1.a'), { limit: LIMIT })).toMatchObject({ bytes: text, size: text.length });
		const broken = gzipSync(text).subarray(0, -1);
		writeFileSync(join(cur, '2.b'), broken);
		expect(openMaildirMessage(join(cur, '2.b'), { limit: LIMIT })).toMatchObject({
			bytes: broken,
			size: broken.length,
			oddity: 'broken-compression',
		});
		writeFileSync(join(cur, '3.c'), Buffer.concat([broken, Buffer.alloc(LIMIT)]));
		expect(openMaildirMessage(join(cur, '3.c'), { limit: LIMIT })).toMatchObject({
			bytes: null,
			size: broken.length + LIMIT,
			oddity: 'broken-compression',
		});
	});

	test('says why it cannot read: vanished, link, directory, FIFO, socket, no permission', async () => {
		const cur = makeCur();
		writeFileSync(join(cur, 'target'), 'secret');
		symlinkSync('target', join(cur, 'link'));
		mkdirSync(join(cur, 'directory'));
		execFileSync('mkfifo', [join(cur, 'fifo')]);
		const server = createServer();
		await new Promise<void>((resolve) => server.listen(join(cur, 'socket'), resolve));
		expect(openMaildirMessage(join(cur, 'none'), { limit: LIMIT })).toMatchObject({ unreadable: 'vanished' });
		expect(openMaildirMessage(join(cur, 'link'), { limit: LIMIT })).toMatchObject({ unreadable: 'symbolic-link' });
		for (const name of ['directory', 'fifo', 'socket']) {
			expect(openMaildirMessage(join(cur, name), { limit: LIMIT }), name).toMatchObject({ unreadable: 'not-a-file' });
		}
		await new Promise((resolve) => server.close(resolve));
		chmodSync(join(cur, 'target'), 0);
		chmodSync(join(cur, '..'), 0o755);
		chmodSync(cur, 0o755);
		expect(await asNobody(async () => openMaildirMessage(join(cur, 'target'), { limit: LIMIT }))).toMatchObject({
			unreadable: 'permission',
		});
	});

	test.skipIf(process.platform !== 'linux')(
		'does not wait for a file that its owner holds a lease on, and takes it for unreadable',
		async () => {
			const path = join(makeCur(), '1.a');
			writeFileSync(path, 'x');
			const holder = spawn('python3', ['-c', HOLD_LEASE, path], { stdio: ['pipe', 'pipe', 'inherit'] });
			onTestFinished(() => void holder.kill());
			await once(holder.stdout, 'data');
			expect(openMaildirMessage(path, { limit: LIMIT })).toEqual({ unreadable: 'io', text: 'a program holds a lease on it' });
			expect(readSmallFile(path, LIMIT)).toMatchObject({ kind: 'skipped', finding: { code: 'control-unreadable' } });
		},
	);

	test('takes a message for unreadable whose place cannot be looked at', () => {
		const path = join(makeCur(), '1.a');
		writeFileSync(path, 'x');
		onTestFinished(() => void Object.assign(trouble, { code: '' }));
		const damaged = getSystemErrorName(-117);
		const seen = ['ELOOP', 'EACCES', 'ENAMETOOLONG', damaged].map((code) => {
			trouble.code = code;
			const message = openMaildirMessage(path, { limit: LIMIT });
			return 'unreadable' in message ? message.unreadable : null;
		});
		expect(seen).toEqual(['symbolic-link', 'permission', 'io', 'io']);
	});

	test.skipIf(process.platform !== 'linux')('does not follow a symbolic link that took the place of cur after the listing', () => {
		const cur = makeCur();
		const other = makeCur();
		writeFileSync(join(other, 'shadow'), 'secret');
		renameSync(cur, `${cur}.old`);
		symlinkSync(other, cur);
		expect(openMaildirMessage(join(cur, 'shadow'), { limit: LIMIT })).toMatchObject({ unreadable: 'symbolic-link' });
		const source = openMaildirSource(join(cur, '..'));
		expect(() => source.openLarge(join(cur, 'shadow'))).toThrow(/symbolic link/);
	});
});

describe('openLarge() and measure()', () => {
	test('give a message in pieces, the same bytes each time, though it was renamed or removed', () => {
		const cur = makeCur();
		const source = openMaildirSource(join(cur, '..'));
		const bytes = Buffer.alloc(2_500_000, 'Subject: large\n');
		const path = join(cur, '1.a');
		writeFileSync(path, bytes);
		expect(source.measure(path)).toMatchObject({ size: bytes.length });
		const large = source.openLarge(path);
		if (large === null) throw new Error('gone');
		unlinkSync(path);
		for (let round = 0; round < 2; round++) {
			const chunks = [...large.chunks()];
			expect(chunks.map(({ length }) => length)).toEqual([1_048_576, 1_048_576, 402_848]);
			expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
		}
		large.close();
		large.close();
		expect(source.measure(path)).toBeNull();
		expect(source.openLarge(path)).toBeNull();
	});

	test('fail where the file is cut while it is read', () => {
		const cur = makeCur();
		const path = join(cur, '1.a');
		writeFileSync(path, Buffer.alloc(1_500_000));
		const large = openMaildirSource(join(cur, '..')).openLarge(path);
		if (large === null) throw new Error('gone');
		truncateSync(path, 1_000_000);
		expect(() => [...large.chunks()]).toThrow(
			expect.objectContaining({ code: 'io', message: expect.stringContaining('ends at byte 1000000') }),
		);
		large.close();
	});
});
