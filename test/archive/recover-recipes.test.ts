import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ZipFile } from 'yazl';
import { RECOVER_SCRIPT } from '../../src/archive/readme.ts';

type Entry = readonly [name: string, bytes: Buffer];
type Run = readonly [count: number, width: number, end: string];

interface Sample {
	readonly message: Buffer;
	readonly recipe: Buffer;
}

interface Ref {
	readonly id: string;
	readonly kind: 'sealed' | 'volatile';
	readonly size: number;
	readonly path: string;
}

function sha256(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex');
}

/** Bytes that look random and are the same in every run. */
function noise(size: number, seed: string): Buffer {
	return createHash('shake256', { outputLength: size }).update(seed).digest();
}

/** A recipe entry: the line, then the literal bytes. */
function recipeEntry(line: unknown, literal: string | Buffer = ''): Buffer {
	return Buffer.concat([Buffer.from(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`), Buffer.from(literal)]);
}

/** The base64 text of `bytes` with `last` in place of its last group, cut as `lines` say; no code of ours helps. */
function base64Body(bytes: Buffer, form: { readonly lines: readonly Run[]; readonly last?: string }): string {
	const plain = bytes.toString('base64');
	const text = form.last === undefined ? plain : plain.slice(0, -4) + form.last;
	let [body, at] = ['', 0];
	for (const [count, width, end] of form.lines) {
		for (let line = 0; line < count; line++, at += width) body += text.slice(at, at + width) + end;
	}
	return body + text.slice(at);
}

/** A message of one attachment between a header and a last line. */
function sample(file: Buffer, form?: { readonly lines: readonly Run[]; readonly last?: string }): Sample {
	const [head, tail] = ['Subject: file\r\n\r\n', '\r\n--x--\r\n'];
	const body = form === undefined ? file : Buffer.from(base64Body(file, form));
	const message = Buffer.concat([Buffer.from(head), body, Buffer.from(tail)]);
	const piece = { attachment: sha256(file), size: file.length, ...(form === undefined ? {} : { base64: form }) };
	const pieces = [{ literal: head.length }, piece, { literal: tail.length }];
	return { message, recipe: recipeEntry({ recipe: 1, size: message.length, pieces }, head + tail) };
}

function recipeAt(id: string, bytes: Buffer, ending: '' | '.gz' = ''): Entry {
	return [`messages/${id.slice(0, 2)}/${id}.recipe${ending}`, ending === '' ? bytes : gzipSync(bytes)];
}

function fileAt(id: string, bytes: Buffer, ending: '' | '.gz' = ''): Entry {
	return [`attachments/${id.slice(0, 2)}/${id}${ending}`, ending === '' ? bytes : gzipSync(bytes)];
}

function placed(message: string, key: string): object {
	const facts = { flags: [], keywords: [], date: '2020-02-29T12:34:56.789Z', dir: 'cur' };
	return { type: 'placed', account: 'alice@example.org', folder: 'INBOX', key, message, ...facts };
}

let folder: string;
let archive: string;
let out: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'mailseal-recipes-'));
	archive = join(folder, 'archive');
	out = join(folder, 'out');
	mkdirSync(archive);
	writeFileSync(join(archive, 'recover.py'), RECOVER_SCRIPT);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function addBundle(
	kind: 'messages' | 'attachments' | 'volatile',
	entries: readonly Entry[],
	words: readonly object[] = [],
): Promise<Ref> {
	const zip = new ZipFile();
	const manifest = gzipSync(words.map((word) => `${JSON.stringify(word)}\n`).join(''));
	const marker = Buffer.from(`{"format":1,"kind":"${kind}"}\n`);
	for (const [name, bytes] of [['mailseal.json', marker] as const, ...entries, ['manifest.ndjson.gz', manifest] as const]) {
		zip.addBuffer(bytes, name, { compress: false });
	}
	zip.end();
	const bytes = await buffer(zip.outputStream);
	const id = sha256(bytes);
	const where = kind === 'volatile' ? 'volatile' : 'sealed';
	const path = join(archive, 'bundles', where, id.slice(0, 2), `${id}.zip`);
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, bytes);
	return { id, kind: where, size: bytes.length, path };
}

function addSnapshot(refs: readonly Ref[]): void {
	const bundles = refs.map(({ id, kind, size }) => ({ id, kind, size }));
	const text = JSON.stringify({ format: 1, time: '2026-11-23T02:15:00.000Z', parent: null, counts: {}, bundles, skipped: [] });
	const path = join(archive, 'snapshots/2026', `20261123T021500Z-${sha256(Buffer.from(text)).slice(0, 8)}.json`);
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, text);
}

/** Runs the script in 20 s at most and so many MiB of address space, writing no file above 64 MiB. */
function recover(memory = 2048): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
	const limits = `ulimit -v ${memory * 1024}; ulimit -f 65536; exec python3 "$0" "$1" "$2"`;
	return spawnSync('bash', ['-c', limits, join(archive, 'recover.py'), archive, out], { encoding: 'utf8', timeout: 20_000 });
}

function recovered(key: string): Buffer {
	return readFileSync(join(out, 'alice@example.org/INBOX/cur', key));
}

/** Keys of what lies in the recovered folder; empty where there is none. */
function keys(): string[] {
	const names = readdirSync(out, { recursive: true, encoding: 'utf8' });
	return names.flatMap((name) => (name.includes('/cur/') ? [name.slice(name.indexOf('/cur/') + 5)] : [])).sort();
}

/** One volatile bundle with the message as a recipe and its attachment, and the snapshot. */
async function archiveOf({ message, recipe }: Sample, file: Buffer): Promise<void> {
	const id = sha256(message);
	addSnapshot([await addBundle('volatile', [recipeAt(id, recipe), fileAt(sha256(file), file)], [placed(id, 'one')])]);
}

const FILE = noise(100_001, 'file');
const PAIR = noise(100_001 - 1, 'pair');

describe('recover.py rebuilds a message', () => {
	test.each<[what: string, file: Buffer, form: { lines: Run[]; last?: string } | undefined]>([
		['of an attachment as it is', FILE, undefined],
		['of lines of 76, CRLF', FILE, { lines: [[1754, 76, '\r\n']] }],
		['of lines of 72, LF', FILE, { lines: [[1851, 72, '\n']] }],
		['of one line', FILE, { lines: [] }],
		[
			'of several runs with spaces and tabs',
			FILE,
			{
				lines: [
					[3, 76, '\r\n'],
					[1, 5, ' \t\r\n'],
					[100, 1, '\n'],
					[7, 1000, '\n'],
				],
			},
		],
		[
			'of a line longer than a chunk',
			noise(3_000_000, 'long'),
			{
				lines: [
					[1, 3_500_001, '\r\n'],
					[2, 76, '\n'],
				],
			},
		],
		['of several chunks in lines of 76', noise(3_000_000, 'long'), { lines: [[52_631, 76, '\r\n']] }],
		['without padding', FILE, { lines: [[1754, 76, '\r\n']], last: FILE.subarray(-2).toString('base64').slice(0, 3) }],
		[
			'with pad bits that are not zero',
			PAIR,
			{ lines: [[1754, 76, '\r\n']], last: `${PAIR.subarray(-1).toString('base64').slice(0, 1)}9==` },
		],
		['with too much padding', FILE, { lines: [[1754, 76, '\r\n']], last: `${FILE.subarray(-2).toString('base64')}====` }],
		['whose last group is cut by a line end', FILE, { lines: [[1, 133_334, '\n']], last: 'QR=====' }],
		['of one byte', Buffer.from('x'), { lines: [], last: 'eA' }],
	])('%s', async (_, file, form) => {
		const made = sample(file, form);
		await archiveOf(made, file);
		expect(recover()).toMatchObject({ status: 0, stderr: '' });
		expect(recovered('one').equals(made.message)).toBe(true);
	});

	test('of any runs over any bytes', async () => {
		const run = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 80 }), fc.constantFrom('\n', '\r\n', ' \n', '\n\n'));
		const shape = fc.record({ file: fc.uint8Array({ minLength: 1, maxLength: 3000 }), runs: fc.array(run, { maxLength: 5 }) });
		const made = fc.sample(shape, { numRuns: 300, seed: 7 }).map(({ file, runs }) => {
			let left = Math.ceil(file.length / 3) * 4;
			const lines = runs.filter(([count, width]) => {
				const fits = count * width < left;
				left -= fits ? count * width : 0;
				return fits;
			});
			return { ...sample(Buffer.from(file), { lines }), file: Buffer.from(file) };
		});
		const messages = new Map(made.map(({ message, recipe }) => [sha256(message), { message, recipe }]));
		const files = new Map(made.map(({ file }) => [sha256(file), file]));
		addSnapshot([
			await addBundle(
				'attachments',
				[...files].map(([id, file]) => fileAt(id, file)),
			),
			await addBundle(
				'messages',
				[...messages].map(([id, { recipe }]) => recipeAt(id, recipe)),
				[...messages.keys()].map((id) => placed(id, id)),
			),
		]);
		expect(recover()).toMatchObject({ status: 0, stderr: '' });
		for (const [id, { message }] of messages) expect(recovered(id)).toEqual(message);
	});

	test('whose attachments lie in many bundles, later ones too, compressed or not, and writes it to all its places', async () => {
		const files = Array.from({ length: 12 }, (_, index) => noise(5000 + index, `many ${index}`));
		const order = [...files, ...files.toReversed()];
		const message = Buffer.concat(order.flatMap((file) => [Buffer.from('--\n'), file]));
		const pieces = order.flatMap((file) => [{ literal: 3 }, { attachment: sha256(file), size: file.length }]);
		const recipe = recipeEntry({ recipe: 1, size: message.length, pieces }, '--\n'.repeat(order.length));
		const id = sha256(message);
		const refs = [await addBundle('messages', [recipeAt(id, recipe, '.gz')], [placed(id, 'one'), placed(id, 'two')])];
		for (const [index, file] of files.entries()) {
			refs.push(await addBundle(index % 3 === 0 ? 'volatile' : 'attachments', [fileAt(sha256(file), file, index % 2 === 0 ? '.gz' : '')]));
		}
		addSnapshot(refs);
		expect(recover()).toMatchObject({ status: 0, stderr: '' });
		expect(recovered('one')).toEqual(message);
		expect(recovered('two')).toEqual(message);
	});

	test('from a good copy of an attachment where another copy is damaged or forged', async () => {
		const made = sample(FILE, { lines: [[1754, 76, '\r\n']] });
		const [id, file] = [sha256(made.message), sha256(FILE)];
		const damaged = await addBundle('attachments', [fileAt(file, FILE)]);
		const bytes = readFileSync(damaged.path);
		bytes.writeUInt8(bytes.readUInt8(50_000) ^ 1, 50_000);
		const refs = [
			await addBundle('attachments', [fileAt(file, noise(FILE.length, 'forged'))]),
			damaged,
			await addBundle('attachments', [fileAt(file, FILE.subarray(0, 9), '.gz')]),
			await addBundle('volatile', [fileAt(file, FILE, '.gz'), recipeAt(id, made.recipe)].reverse(), [placed(id, 'one')]),
		];
		writeFileSync(damaged.path, bytes);
		addSnapshot(refs);
		const run = recover();
		expect(run.stderr.trim().split('\n')).toEqual([expect.stringContaining(`${damaged.id}.zip is damaged`)]);
		expect(recovered('one')).toEqual(made.message);
	});
});

describe('recover.py names what is lost', () => {
	test.each(['missing', 'damaged'])('an attachment that is %s, and each message that needs it', async (what) => {
		const lost = [sample(FILE, { lines: [] }), sample(FILE)];
		const good = sample(PAIR);
		const all = [...lost, good].map(({ message, recipe }) => ({ id: sha256(message), recipe }));
		const words = all.map(({ id }, index) => placed(id, `number ${index}`));
		const entries = [fileAt(sha256(PAIR), PAIR), ...(what === 'missing' ? [] : [fileAt(sha256(FILE), FILE.subarray(1))])];
		addSnapshot([
			await addBundle(
				'messages',
				all.map(({ id, recipe }) => recipeAt(id, recipe)),
				words,
			),
			await addBundle('attachments', entries),
		]);
		const run = recover();
		expect(run.status).toBe(1);
		const lines = run.stderr.trim().split('\n').sort();
		expect(lines).toHaveLength(2);
		for (const [index, line] of lines.entries()) {
			expect(line).toContain(`"alice@example.org/INBOX/number ${index}" was not recovered`);
			expect(line).toContain(`its attachment ${sha256(FILE)} is ${what}`);
		}
		expect(run.stdout).toContain('1 of 3 messages recovered');
		expect(keys()).toEqual(['number 2']);
	});

	test('an attachment that does not fit into memory, and goes on', async () => {
		const [large, good] = [Buffer.alloc(100_000_000), sample(FILE)];
		const [bad, id] = [{ attachment: sha256(large), size: large.length, base64: { lines: [] } }, sha256(good.message)];
		const recipe = recipeEntry({ recipe: 1, size: 200_000_000, pieces: [bad] });
		const entries = [recipeAt('b'.repeat(64), recipe), recipeAt(id, good.recipe), fileAt(bad.attachment, large, '.gz')];
		const words = [placed('b'.repeat(64), 'large'), placed(id, 'one')];
		addSnapshot([await addBundle('volatile', [...entries, fileAt(sha256(FILE), FILE)], words)]);
		const run = recover(256);
		expect(run.status).toBe(1);
		expect(run.stderr).toMatch(/^recover: "alice@example.org\/INBOX\/large" was not recovered: [ -~]*MemoryError[ -~]*\n$/);
		expect(recovered('one')).toEqual(good.message);
	});

	test('a message whose recipe gives other bytes', async () => {
		const made = sample(FILE);
		await archiveOf({ message: sample(PAIR).message, recipe: made.recipe }, FILE);
		expect(recover().stderr).toMatch(/was not recovered: taking it from bundle .* failed \(its bytes do not match its SHA-256\)/);
		expect(keys()).toEqual([]);
	});
});

describe('recover.py goes on past a recipe', () => {
	const id = sha256(FILE);
	const nested = `${'['.repeat(200_000)}`;
	const whole = { attachment: id, size: FILE.length };
	const base64 = (form: unknown): object => ({ ...whole, base64: form });
	const of = (...pieces: unknown[]): object => ({ recipe: 1, size: 1_000_000, pieces });
	const lines = (...runs: unknown[]): object => of(base64({ lines: runs }));

	const forged: readonly (readonly [what: string, line: unknown])[] = [
		['that is no JSON', 'not json'],
		['that is no UTF-8 and no line', '\u0000'.repeat(99)],
		['that is nested deep', nested],
		['that is a list', []],
		['without fields', {}],
		['of a later version', { ...of({ literal: 3 }), recipe: 2 }],
		['whose size is text', { ...of({ literal: 3 }), size: '7' }],
		['whose size is negative', { ...of({ literal: 3 }), size: -1 }],
		['whose size is not a number', '{"recipe":1,"size":NaN,"pieces":[{"literal":3}]}'],
		['whose size is infinite', `{"recipe":1,"size":1e999,"pieces":[${'{"literal":3},'.repeat(9)}{"literal":3}]}`],
		['whose size has millions of digits', `{"recipe":1,"size":${'9'.repeat(4_000_000)},"pieces":[{"literal":1}]}`],
		['whose pieces are a number', { ...of(), pieces: 7 }],
		['whose pieces are text', { ...of(), pieces: 'literal' }],
		['of a piece that is null', of(null)],
		['of a piece that is nothing known', of({ other: 1 })],
		['of a negative literal', of({ literal: -5 })],
		['of a huge literal', of({ literal: 9e15 })],
		['of a literal that is a list', of({ literal: [] })],
		['of a fraction of a literal', of({ literal: 1.5 })],
		['of an attachment that is a list', of({ attachment: [], size: 1 })],
		['of an attachment that is an object', of({ attachment: {}, size: 1 })],
		['of an attachment without a size', of({ attachment: id })],
		['of an attachment of negative size', of({ attachment: id, size: -1 })],
		['of an attachment said to be huge', of({ attachment: id, size: 9e15 })],
		['of an attachment said to be small', of({ attachment: id, size: 1 })],
		['whose base64 is a number', of(base64(7))],
		['whose base64 is a list', of(base64([]))],
		['whose base64 says nothing', of(base64({}))],
		['whose lines are a number', of(base64({ lines: 7 }))],
		['whose lines are text', of(base64({ lines: 'abc' }))],
		['of a run with too few fields', lines([1, 2])],
		['of a run that is null', lines(null)],
		['of a negative count', lines([-1, 76, '\n'])],
		['of a huge count', lines([9e15, 76, '\n'])],
		[
			'of a count above all numbers',
			`{"recipe":1,"size":99,"pieces":[{"attachment":"${id}","size":100001,"base64":{"lines":[[${'9'.repeat(40)},76,"\\n"]]}}]}`,
		],
		['of lines of width 0', lines([9e15, 0, '\n'])],
		['of lines of negative width', lines([9e15, -76, '\n'])],
		['of lines of huge width', lines([1, 9e15, '\n'])],
		['whose width is text', lines([1, '76', '\n'])],
		['whose line end is a number', lines([1, 76, 7])],
		['whose line end is not ASCII', lines([1, 76, '\u00fc'])],
		['whose line end is long', lines([100_000, 1, '\n'.repeat(1_000_000)])],
		['of many runs of nothing', of(base64({ lines: Array.from({ length: 300_000 }, () => [0, 1, '\n']) }))],
		['whose last group is a number', of(base64({ lines: [], last: 7 }))],
		['whose last group is long', of(base64({ lines: [], last: 'A'.repeat(2_000_000) }))],
		['that is larger than it says', { recipe: 1, size: 200_000, pieces: Array.from({ length: 100_000 }, () => whole) }],
		['that is larger than any disk', { ...of(...Array.from({ length: 100 }, () => ({ ...whole, size: 9e15 }))), size: 9e15 }],
	];

	test.each(['', '.gz'] as const)('of any forged kind, stored as .recipe%s', async (ending) => {
		const good = sample(FILE, { lines: [[1754, 76, '\r\n']] });
		const all = forged.map(([what, line]) => ({ what, id: sha256(Buffer.from(what)), recipe: recipeEntry(line, 'abc') }));
		all.splice(20, 0, { what: 'good', id: sha256(good.message), recipe: good.recipe });
		const entries = all.map(({ id: message, recipe }) => recipeAt(message, recipe, ending));
		const words = all.map(({ what, id: message }) => placed(message, what));
		addSnapshot([await addBundle('volatile', [...entries, fileAt(id, FILE)], words)]);
		const run = recover();
		const complaint = /^recover: "alice@example.org\/INBOX\/(.*)" was not recovered: taking it from bundle .* failed \(.+\)$/;
		const named = run.stderr
			.trim()
			.split('\n')
			.map((line) => complaint.exec(line)?.[1] ?? line);
		expect(named.sort()).toEqual(forged.map(([what]) => what).sort());
		expect(run.stderr).toMatch(/that is larger than it says.* \(it is longer than it says/);
		expect(run.stderr).toMatch(/of a later version.* \(it needs a newer recover.py\)/);
		expect(run.status).toBe(1);
		expect(keys()).toEqual(['good']);
		expect(recovered('good')).toEqual(good.message);
	});

	test('whose attachment is a gzip bomb, and does not unpack it', async () => {
		const bomb = gzipSync(Buffer.alloc(300_000_000));
		const [bad, piece] = ['b'.repeat(64), { attachment: 'a'.repeat(64), size: 1000 }];
		const entries: Entry[] = [recipeAt(bad, recipeEntry(of(piece))), [`attachments/aa/${piece.attachment}.gz`, bomb]];
		addSnapshot([await addBundle('volatile', entries, [placed(bad, 'bad')])]);
		expect(recover().stderr).toContain(`its attachment ${piece.attachment} is damaged`);
	});

	test('that names an attachment by control characters, and shows none of them', async () => {
		const bad = 'b'.repeat(64);
		const piece = { attachment: '\u001b[2J\u009b\n', size: 1 };
		addSnapshot([await addBundle('volatile', [recipeAt(bad, recipeEntry(of(piece)))], [placed(bad, 'bad')])]);
		expect(recover().stderr).toMatch(/^recover: [ -~]* is missing\)\n$/);
	});
});
