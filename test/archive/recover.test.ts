import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { README_TEXT, RECOVER_SCRIPT } from '../../src/archive/readme.ts';

function sha256(bytes: Uint8Array | string): string {
	return createHash('sha256').update(bytes).digest('hex');
}

/** A zip without compression, as bundles are. */
function zip(entries: readonly (readonly [name: string, bytes: Buffer])[]): Buffer {
	const parts: Buffer[] = [];
	const directory: Buffer[] = [];
	let offset = 0;
	for (const [name, bytes] of entries) {
		const common = Buffer.alloc(26);
		common.writeUInt16LE(20, 0);
		common.writeUInt16LE(0x21, 8);
		common.writeUInt32LE(crc32(bytes), 10);
		common.writeUInt32LE(bytes.length, 14);
		common.writeUInt32LE(bytes.length, 18);
		common.writeUInt16LE(Buffer.byteLength(name), 22);
		const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), bytes]);
		const tail = Buffer.alloc(14);
		tail.writeUInt32LE(offset, 10);
		directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, tail, Buffer.from(name)]));
		parts.push(local);
		offset += local.length;
	}
	const central = Buffer.concat(directory);
	const end = Buffer.alloc(22);
	end.write('PK\x05\x06', 'latin1');
	end.writeUInt16LE(entries.length, 8);
	end.writeUInt16LE(entries.length, 10);
	end.writeUInt32LE(central.length, 12);
	end.writeUInt32LE(offset, 16);
	return Buffer.concat([...parts, central, end]);
}

interface Bundle {
	readonly kind?: 'sealed' | 'volatile';
	readonly messages?: readonly (Buffer | { readonly id: string; readonly bytes: Buffer })[];
	readonly words: readonly object[];
	readonly gzip?: boolean;
	readonly manifest?: Buffer;
}

function bundleBytes(bundle: Bundle): Buffer {
	const entries: [string, Buffer][] = [['mailseal.json', Buffer.from(`{"format":1,"kind":"volatile"}`)]];
	for (const message of bundle.messages ?? []) {
		const { id, bytes } = Buffer.isBuffer(message) ? { id: sha256(message), bytes: message } : message;
		const name = `messages/${id.slice(0, 2)}/${id}.eml${bundle.gzip === true ? '.gz' : ''}`;
		entries.push([name, bundle.gzip === true ? gzipSync(bytes) : bytes]);
	}
	const lines = bundle.words.map((word) => `${JSON.stringify(word)}\n`).join('');
	entries.push(['manifest.ndjson.gz', bundle.manifest ?? gzipSync(lines)]);
	return zip(entries);
}

let folder: string;
let archive: string;
let out: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'mailseal-recover-'));
	archive = join(folder, 'archive');
	out = join(folder, 'out');
	mkdirSync(archive);
	writeFileSync(join(archive, 'recover.py'), RECOVER_SCRIPT);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function addBundle(bundle: Bundle): { readonly id: string; readonly kind: string; readonly size: number; readonly path: string } {
	const bytes = bundleBytes(bundle);
	const [id, kind] = [sha256(bytes), bundle.kind ?? 'volatile'];
	const path = join(archive, 'bundles', kind, id.slice(0, 2), `${id}.zip`);
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, bytes);
	return { id, kind, size: bytes.length, path };
}

function addSnapshot(moment: string, bundles: readonly { readonly id: string; readonly kind: string; readonly size: number }[]): string {
	const refs = bundles.map(({ id, kind, size }) => ({ id, kind, size }));
	const text = JSON.stringify({ format: 1, time: moment, parent: null, bundles: refs, counts: {}, skipped: [] });
	const path = join(archive, 'snapshots', moment.slice(0, 4), `${moment}-${sha256(text).slice(0, 8)}.json`);
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, text);
	return path;
}

function recover(): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
	return spawnSync('python3', [join(archive, 'recover.py'), archive, out], { encoding: 'utf8' });
}

function placed(message: Buffer, fields: object = {}): object {
	const facts = { flags: [], keywords: [], date: '2020-02-29T12:34:56.789Z', dir: 'cur', info: ':2,S' };
	return { type: 'placed', account: 'alice@example.org', folder: 'INBOX', key: 'one', message: sha256(message), ...facts, ...fields };
}

function tree(path: string): string[] {
	if (!existsSync(path)) return [];
	return readdirSync(path, { recursive: true, withFileTypes: true })
		.filter((entry) => !entry.isDirectory())
		.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
		.sort();
}

const FIRST = Buffer.from('Subject: first\r\n\r\nbody without an end of line');
const SECOND = Buffer.from('Subject: second\n\nbody\0\xff\n', 'latin1');

describe('recover.py', () => {
	test('writes messages, plain and compressed, with their names, folders and dates', () => {
		addSnapshot('20261123T021500Z', [
			addBundle({ kind: 'sealed', messages: [FIRST], words: [placed(FIRST)], gzip: true }),
			addBundle({ messages: [SECOND], words: [placed(SECOND, { folder: 'Work/Übung', key: 'two', dir: 'new', info: undefined })] }),
		]);
		const run = recover();
		expect(run).toMatchObject({ status: 0, stderr: '' });
		expect(run.stdout).toContain('2 of 2 messages recovered');
		expect(tree(out)).toEqual(['alice@example.org/INBOX/cur/one:2,S', 'alice@example.org/Work/Übung/new/two']);
		const path = join(out, 'alice@example.org/INBOX/cur/one:2,S');
		expect(readFileSync(path)).toEqual(FIRST);
		expect(statSync(path).mtimeMs).toBe(Date.parse('2020-02-29T12:34:56.789Z'));
		expect(statSync(path).mode & 0o777).toBe(0o600);
		expect(readFileSync(join(out, 'alice@example.org/Work/Übung/new/two'))).toEqual(SECOND);
	});

	test('believes the newest word on each placement', () => {
		addSnapshot('20261123T021500Z', [
			addBundle({
				messages: [FIRST, SECOND],
				words: [placed(FIRST), placed(FIRST, { key: 'gone' }), placed(FIRST, { key: 'back' }), placed(FIRST, { key: 'other bytes' })],
			}),
			addBundle({
				words: [
					{ ...placed(FIRST, { key: 'gone' }), type: 'removed' },
					{ ...placed(FIRST, { key: 'back' }), type: 'removed' },
				],
			}),
			addBundle({ words: [placed(FIRST, { info: ':2,FS' }), placed(FIRST, { key: 'back' }), placed(SECOND, { key: 'other bytes' })] }),
		]);
		expect(recover()).toMatchObject({ status: 0, stderr: '' });
		expect(tree(join(out, 'alice@example.org/INBOX/cur'))).toEqual(['back:2,S', 'one:2,FS', 'other bytes:2,S']);
		expect(readFileSync(join(out, 'alice@example.org/INBOX/cur/other bytes:2,S'))).toEqual(SECOND);
	});

	test('gives a file name to a placement that is not from a Maildir', () => {
		const word = placed(FIRST, { dir: undefined, info: undefined, flags: ['seen', 'answered', 'flagged'] });
		addSnapshot('20261123T021500Z', [addBundle({ messages: [FIRST], words: [word] })]);
		expect(recover().status).toBe(0);
		expect(tree(out)).toEqual(['alice@example.org/INBOX/cur/one:2,FRS']);
	});

	test('restores bytes of a key that are not UTF-8', () => {
		addSnapshot('20261123T021500Z', [addBundle({ messages: [FIRST], words: [placed(FIRST, { key: 'caf/e9.é/ff' })] })]);
		expect(recover().status).toBe(0);
		const names = readdirSync(join(out, 'alice@example.org/INBOX/cur'), { encoding: 'buffer' });
		expect(names).toEqual([
			Buffer.concat([Buffer.from('caf'), Buffer.from([0xe9]), Buffer.from('.é'), Buffer.from([0xff]), Buffer.from(':2,S')]),
		]);
	});

	test('writes no message whose bytes do not match its id, and takes a good copy from another bundle', () => {
		const lie = { id: sha256(FIRST), bytes: Buffer.from('Subject: forged\n\n') };
		const lost = { id: sha256(SECOND), bytes: Buffer.from('Subject: forged\n\n') };
		addSnapshot('20261123T021500Z', [
			addBundle({ messages: [lie, lost], words: [placed(FIRST), placed(SECOND, { key: 'two' })] }),
			addBundle({ messages: [FIRST], words: [], gzip: true }),
		]);
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr).toContain('"alice@example.org/INBOX/two:2,S" was not recovered: taking it from bundle');
		expect(tree(out)).toEqual(['alice@example.org/INBOX/cur/one:2,S']);
		expect(readFileSync(join(out, 'alice@example.org/INBOX/cur/one:2,S'))).toEqual(FIRST);
	});

	test.each([
		['account', '..'],
		['account', ''],
		['account', 'a/b'],
		['folder', '../../etc'],
		['folder', '/etc'],
		['folder', 'a//b'],
		['folder', 'a/./b'],
		['folder', 'a\0b'],
		['folder', '\ud800'],
		['key', '../../../evil'],
		['key', '/2e/2e/2fevil'],
		['key', '/etc/passwd'],
		['key', 'a\0b'],
		['info', '/../../../evil'],
		['dir', 'tmp'],
		['dir', '../..'],
		['dir', '../new'],
	])('refuses a placement whose %s is %j', (field, value) => {
		addSnapshot('20261123T021500Z', [
			addBundle({ messages: [FIRST], words: [placed(FIRST, { [field]: value }), placed(FIRST, { key: 'good' })] }),
		]);
		const before = tree(folder).filter((path) => !path.startsWith('out/'));
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr).toMatch(/was not recovered: taking it from bundle .* failed \((it would lie outside its folder|'utf-8' codec)/);
		expect(tree(folder).filter((path) => !path.startsWith('out/'))).toEqual(before);
		expect(tree(out)).toEqual(['alice@example.org/INBOX/cur/good:2,S']);
	});

	test('shows names without the control characters that a stranger put into them', () => {
		addSnapshot('20261123T021500Z', [addBundle({ words: [placed(FIRST, { key: '\u001b[2Jx' })] })]);
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr).toContain('\\x1b[2Jx');
		expect(run.stderr).not.toContain('\u001b');
	});

	test('leaves an existing file as it is, and says so where it is another message', () => {
		addSnapshot('20261123T021500Z', [addBundle({ messages: [FIRST], words: [placed(FIRST), placed(FIRST, { key: 'two' })] })]);
		const path = join(out, 'alice@example.org/INBOX/cur/one:2,S');
		mkdirSync(dirname(path), { recursive: true });
		writeFileSync(path, 'mine');
		const first = recover();
		expect(first.status).toBe(1);
		expect(first.stderr).toContain('another file of this name is there');
		expect(readFileSync(path, 'utf8')).toBe('mine');
		rmSync(path);
		expect(recover().stdout).toContain('1 of 2 messages recovered, 1 were there already, 0 not recovered');
		const third = recover();
		expect(third.status).toBe(0);
		expect(third.stdout).toContain('0 of 2 messages recovered, 2 were there already, 0 not recovered');
	});

	test('goes on past a bundle that is missing and one that is no zip', () => {
		const missing = addBundle({ messages: [SECOND], words: [placed(SECOND, { key: 'two' })] });
		const broken = addBundle({ words: [placed(SECOND, { key: 'three' })] });
		addSnapshot('20261123T021500Z', [
			missing,
			broken,
			addBundle({ messages: [FIRST], words: [placed(FIRST), placed(SECOND, { key: 'four' })] }),
		]);
		rmSync(missing.path);
		writeFileSync(broken.path, readFileSync(broken.path).subarray(0, 100));
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr).toMatch(new RegExp(`what bundle volatile/../${missing.id}.zip says .* No such file`));
		expect(run.stderr).toMatch(new RegExp(`bundle volatile/../${broken.id}.zip is damaged`));
		expect(run.stderr).toContain(`no readable bundle holds message ${sha256(SECOND)}`);
		expect(tree(out)).toEqual(['alice@example.org/INBOX/cur/one:2,S']);
		expect(run.stderr).not.toContain('Traceback');
	});

	test('takes what it can from a bundle with a damaged message, and from one with a damaged manifest', () => {
		const both = addBundle({ messages: [FIRST, SECOND], words: [placed(FIRST), placed(SECOND, { key: 'two' })] });
		const bytes = readFileSync(both.path);
		bytes.write('X', bytes.indexOf('Subject: first') + 3);
		writeFileSync(both.path, bytes);
		const third = Buffer.from('Subject: third\n\n');
		const unreadable = addBundle({ messages: [third], words: [], manifest: gzipSync('x').subarray(0, 9) });
		addSnapshot('20261123T021500Z', [both, unreadable, addBundle({ words: [placed(third, { key: 'three' })] })]);
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr).toMatch(/one:2,S" was not recovered: taking it from bundle [0-9a-f]{64}.zip failed \(Bad CRC-32/);
		expect(tree(out)).toEqual(['alice@example.org/INBOX/cur/three:2,S', 'alice@example.org/INBOX/cur/two:2,S']);
		expect(run.stderr).not.toContain('Traceback');
	});

	test('reads the other lines of a manifest when some are odd', () => {
		const deep = `${'['.repeat(100_000)}\n`;
		const odd = ['not json', '[]', '7', '{"type":"placed"}', '{"type":"placed","account":7,"folder":"x","key":"y","message":"z"}', '{}'];
		const lines = [...odd, JSON.stringify(placed(FIRST)), JSON.stringify({ type: 'later invention' })].map((line) => `${line}\n`).join('');
		addSnapshot('20261123T021500Z', [addBundle({ messages: [FIRST], words: [], manifest: gzipSync(deep + lines) })]);
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr.match(/line \d+ of the manifest/g)).toHaveLength(7);
		expect(tree(out)).toEqual(['alice@example.org/INBOX/cur/one:2,S']);
		expect(run.stderr).not.toContain('Traceback');
	});

	test('falls back to an older snapshot when the newest does not match its name', () => {
		const bundle = addBundle({ messages: [FIRST], words: [placed(FIRST)] });
		addSnapshot('20261121T021500Z', []);
		addSnapshot('20261122T021500Z', [bundle]);
		const newest = addSnapshot('20261123T021500Z', [addBundle({ words: [placed(SECOND)] })]);
		writeFileSync(newest, readFileSync(newest, 'utf8').replace('"format":1', '"format": 1'));
		mkdirSync(join(archive, 'snapshots/2027'));
		const text = JSON.stringify({ format: 1, bundles: [{ kind: '../..', id: 'x'.repeat(64) }] });
		writeFileSync(join(archive, `snapshots/2027/20270101T000000Z-${sha256(text).slice(0, 8)}.json`), text);
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr.match(/cannot be used/g)).toHaveLength(2);
		expect(run.stdout).toContain('snapshot 20261122T021500Z-');
		expect(tree(out)).toEqual(['alice@example.org/INBOX/cur/one:2,S']);
	});

	test('says that there is no usable snapshot', () => {
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr).toContain('no usable snapshot');
		expect(existsSync(out)).toBe(false);
	});

	test('goes on where a folder cannot be made', () => {
		addSnapshot('20261123T021500Z', [addBundle({ messages: [FIRST], words: [placed(FIRST, { folder: 'x'.repeat(300) }), placed(FIRST)] })]);
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr).toContain('File name too long');
		expect(tree(out)).toEqual(['alice@example.org/INBOX/cur/one:2,S']);
	});

	test('does not write through a dangling link', () => {
		addSnapshot('20261123T021500Z', [addBundle({ messages: [FIRST], words: [placed(FIRST)] })]);
		const path = join(out, 'alice@example.org/INBOX/cur/one:2,S');
		mkdirSync(dirname(path), { recursive: true });
		symlinkSync(join(folder, 'elsewhere'), path);
		expect(recover().status).toBe(1);
		expect(existsSync(join(folder, 'elsewhere'))).toBe(false);
	});

	test('leaves no temporary file behind', () => {
		addSnapshot('20261123T021500Z', [addBundle({ messages: [FIRST], words: [placed(FIRST)] })]);
		recover();
		expect(readdirSync(join(out, 'alice@example.org/INBOX')).sort()).toEqual(['cur', 'new', 'tmp']);
		expect(readdirSync(join(out, 'alice@example.org/INBOX/tmp'))).toEqual([]);
	});

	test('explains itself when it is called wrongly', () => {
		const run = spawnSync('python3', [join(archive, 'recover.py'), archive], { encoding: 'utf8' });
		expect(run.status).toBe(2);
		expect(run.stderr).toContain('python3 recover.py ARCHIVE OUT');
	});

	test('writes a message whose date cannot be read, and says so', () => {
		addSnapshot('20261123T021500Z', [addBundle({ messages: [FIRST], words: [placed(FIRST, { date: 'soon' })] })]);
		const run = recover();
		expect(run.status).toBe(1);
		expect(run.stderr).toContain('one:2,S": its date "soon" cannot be restored');
		expect(readFileSync(join(out, 'alice@example.org/INBOX/cur/one:2,S'))).toEqual(FIRST);
	});

	test('is short enough to be read in one sitting: 200 lines at most', () => {
		const lines = RECOVER_SCRIPT.trimEnd().split('\n');
		expect(lines.length).toBeLessThanOrEqual(200);
		expect(lines.filter((line) => line.length > 130 || /;\s*$/.test(line))).toEqual([]);
	});

	test('is accepted by Python 3.7', () => {
		const check = 'import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 7))';
		expect(spawnSync('python3', ['-c', check], { input: RECOVER_SCRIPT, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
	});
});

test('README.txt has lines that a plain terminal shows whole', () => {
	expect(README_TEXT).toContain('python3 recover.py ARCHIVE OUT');
	expect(README_TEXT.split('\n').filter((line) => line.length > 120 || /[^\x20-\x7e]/.test(line))).toEqual([]);
});
