import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Archive, ATTACHMENT_MIN, type AttachmentListing, type ExtractedPart, type ListRequest } from '../../src/archive/index.ts';
import { main } from '../../src/cli/main.ts';
import { formatExactSize } from '../../src/cli/text.ts';
import { MailsealError, parseAttachmentId, parseBundleId } from '../../src/domain/index.ts';
import { recordIo } from '../support/recorded-io.ts';
import { call, id, services, snapshot } from './call-main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'mailseal-attachments-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const bundles = ['c0ffee', 'decade'].map((start) => parseBundleId(start.padEnd(64, '0')));
const attachment = parseAttachmentId('5f1d0c3a9b27'.padEnd(64, 'e'));

describe('ls attachments', () => {
	const [sealed = parseBundleId('a'.repeat(64)), volatile = sealed] = bundles;
	const listing: AttachmentListing = {
		rows: [
			{
				id: attachment,
				size: 1_234_567,
				type: 'application/pdf',
				names: ['offer.pdf', 'bad\u001b[2J\n.pdf'],
				messages: 1200,
				accounts: 50,
				savedBytes: 61_000_000,
				bundle: sealed,
				kind: 'sealed',
			},
		],
		more: true,
		bundles: [
			{ id: sealed, kind: 'sealed', size: 64_000_000, attachments: 310, bytes: 60_000_000 },
			{ id: volatile, kind: 'volatile', size: 1_000_000, attachments: 1, bytes: 2000 },
		],
	};

	function listed(result: AttachmentListing = listing) {
		const requests: ListRequest[] = [];
		const load = services({
			async listAttachments(_archive, request) {
				requests.push(request);
				return { result, findings: [] };
			},
		});
		return { load, requests };
	}

	it('prints rows in full into a pipe, and nothing else', async () => {
		const { code, out, err } = await call(['ls', 'attachments'], listed({ ...listing, more: false }).load);
		expect({ code, err }).toEqual({ code: 0, err: '' });
		expect(out).toBe(`1.2 MB  application/pdf  1,200  50  61 MB  offer.pdf, bad\\x1b[2J\\n.pdf  ${attachment}\n`);
	});

	it('names the bundles that all of them need on a terminal, below the rows, and tells what the limit cut', async () => {
		const io = recordIo({ terminal: true, columns: 100 });
		const { out, err } = await call(['ls', 'attachments', '--account', 'alice'], listed().load, io);
		expect(out.split('\n')).toEqual([
			expect.stringMatching(/^ *SIZE +TYPE +MESSAGES +ACCOUNTS +SAVED +NAMES +ID$/),
			expect.stringMatching(/^1\.2 MB +application\/pdf +1,200 +50 +61 MB +offer\.pdf, .* 5f1d0c3a9b27$/),
			'',
			'To read all attachments of alice, 2 bundles (65 MB) must be there; --bundles prints the paths:',
			'KIND        SIZE  ATTACHMENTS  ID',
			'sealed     64 MB          310  c0ffee000000',
			'volatile  1.0 MB            1  decade000000',
			'',
		]);
		expect(err).toBe('only 1 attachment is listed, more exist; --limit COUNT shows more\n');
	});

	it('shows ten bundles on a terminal, and how many more there are', async () => {
		const [bundle] = listing.bundles;
		const many = { ...listing, bundles: Array.from({ length: 1234 }, () => bundle ?? never()) };
		const { out } = await call(['ls', 'attachments'], listed(many).load, recordIo({ terminal: true }));
		expect(out).toContain('To read all attachments, 1,234 bundles (79 GB) must be there');
		expect(out.match(/^sealed /gm)).toHaveLength(10);
		expect(out).toMatch(/\nand 1,224 more\n$/);
	});

	it('prints no list of bundles where there are no attachments', async () => {
		const { out } = await call(['ls', 'attachments'], listed({ rows: [], more: false, bundles: [] }).load, recordIo({ terminal: true }));
		expect(out).toBe('SIZE  TYPE  MESSAGES  ACCOUNTS  SAVED  NAMES  ID\n');
	});

	it('fits into a narrow terminal, however long a type a stranger made up', async () => {
		const [row] = listing.rows;
		const rows = [{ ...(row ?? never()), type: `application/${'x'.repeat(500)}`, names: ['y'.repeat(500)] }];
		const { out } = await call(['ls', 'attachments'], listed({ ...listing, rows }).load, recordIo({ terminal: true, columns: 80 }));
		expect(out.split('\n')[1]?.length).toBe(80);
	});

	it('prints the paths of the bundles alone with --bundles', async () => {
		for (const terminal of [false, true]) {
			const { load, requests } = listed();
			const { code, out, err } = await call(
				['ls', 'attachments', '--bundles', '--account', 'a', '--at', '3d'],
				load,
				recordIo({ terminal }),
			);
			expect({ code, err }).toEqual({ code: 0, err: '' });
			expect(out).toBe(`bundles/sealed/c0/${sealed}.zip\nbundles/volatile/de/${volatile}.zip\n`);
			expect(requests[0]).toMatchObject({ account: 'a', at: '3d', limit: 1 });
		}
	});

	it('gives rows and bundles as JSON, with --bundles too', async () => {
		for (const more of [[], ['--bundles']]) {
			const { load, requests } = listed();
			const { out } = await call(['ls', 'attachments', '--json', ...more], load);
			expect(JSON.parse(out).result).toEqual(listing);
			expect(requests[0]?.limit).toBeUndefined();
		}
	});
});

function never(): never {
	throw new Error('the test lacks what it is about');
}

describe('extract --attachment', () => {
	function part(name: string, text: string, message = id): ExtractedPart {
		return { message, name, type: 'application/pdf', bytes: Buffer.from(text) };
	}
	const parts: Readonly<Record<string, readonly ExtractedPart[]>> = {
		aaaaaaaa: [part('../Offer.pdf', 'one\u001b[2J\r\n')],
		bbbbbbbb: [part('offer.pdf', 'two'), part('logo.png', 'three')],
		cccccccc: [part('logo.png', 'four'), part('logo.png', 'three'), part('bad\u202e.pdf', 'five')],
	};
	const asked: object[] = [];
	const load = services({
		openExtractor: async (_archive, { at }) => ({
			extract: never,
			async extractParts(reference, name) {
				asked.push({ reference, name, at });
				const found = parts[reference];
				if (!found) throw new MailsealError('not-found', `Cannot find an attachment "x" in message "${reference}"`, { hint: 'it has "y"' });
				return [...found];
			},
			close() {},
		}),
	});

	it('writes the exact bytes of one into a pipe', async () => {
		const io = recordIo();
		expect(await main(['extract', 'aaaaaaaa', '--attachment', 'offer*', '--at', '3d'], io, load)).toBe(0);
		expect(io.stdout.bytes()).toEqual(Buffer.from('one\u001b[2J\r\n'));
		expect(asked.at(-1)).toEqual({ reference: 'aaaaaaaa', name: 'offer*', at: '3d' });
	});

	it('never sends an escape sequence to a terminal', async () => {
		const { out } = await call(['extract', 'aaaaaaaa', '--attachment', '*'], load, recordIo({ terminal: true }));
		expect(out).toBe('one\\x1b[2J\n');
	});

	it('refuses to write several to standard output, and names them', async () => {
		const { code, out, err } = await call(['extract', 'cccccccc', '--attachment', '*'], load);
		expect({ code, out }).toEqual({ code: 2, out: '' });
		expect(err).toContain(
			'Cannot write 3 attachments "*" to standard output: it takes one (they are "logo.png", "logo.png", "bad\\u202e.pdf")',
		);
		expect(err).toContain('-o DIR');
	});

	it('refuses standard output with --json', async () => {
		const { code, out } = await call(['extract', 'aaaaaaaa', '--attachment', '*', '--json'], load);
		expect(code).toBe(2);
		expect(JSON.parse(out).error.text).toContain('Cannot write an attachment to standard output with --json');
	});

	it('refuses a file in place of the folder, and what lies below one, before it looks for the message', async () => {
		const file = join(scratch, 'file');
		writeFileSync(file, 'mine');
		for (const [output, problem] of [
			[file, 'it is not a folder'],
			[join(file, 'sub'), 'it lies below what is not a folder'],
		] as const) {
			for (const args of [['--attachment', 'offer.pdf'], []]) {
				const { code, out, err } = await call(['extract', '-o', output, 'aaaaaaaa', ...args], load);
				expect({ code, out }).toEqual({ code: 2, out: '' });
				expect(err).toBe(
					`mailseal: Cannot write files into "${output}": ${problem}\n  name a folder with -o DIR; each file gets its own name in it\n`,
				);
			}
		}
		expect(readFileSync(file, 'utf8')).toBe('mine');
	});

	it('ends with 3 where no attachment has the name', async () => {
		const { code, out, err } = await call(['extract', 'dddddddd', '--attachment', 'x'], load);
		expect({ code, out }).toEqual({ code: 3, out: '' });
		expect(err).toBe('mailseal: Cannot find an attachment "x" in message "dddddddd"\n  it has "y"\n');
	});

	it('writes all that match into a folder under safe names, and tells the message without one', async () => {
		const folder = join(scratch, 'several');
		const args = ['extract', '--attachment', '*', '-o', folder, 'aaaaaaaa', 'dddddddd', 'bbbbbbbb', 'cccccccc'];
		const { code, out, err } = await call(args, load);
		expect(code).toBe(3);
		expect(err).toContain('error: dddddddd: Cannot find an attachment "x" in message "dddddddd"; it has "y" [not-found]');
		const expected = ['Offer.pdf', 'offer.pdf', 'logo.png', 'logo (2).png', 'logo.png (there already)', 'bad_.pdf'];
		expect(out.trimEnd().split('\n')).toEqual(expected.map((name) => join(folder, name)));
		expect(readdirSync(folder).sort()).toEqual(['Offer.pdf', 'bad_.pdf', 'logo (2).png', 'logo.png', 'offer.pdf']);
		expect(readFileSync(join(folder, 'logo (2).png'), 'utf8')).toBe('four');
	});

	it('tells as JSON what was written where', async () => {
		const folder = join(scratch, 'json');
		const args = ['extract', '--attachment', '*', '-o', folder, '--json', 'aaaaaaaa'];
		for (const written of [true, false]) {
			const { code, out } = await call(args, load);
			expect(code).toBe(0);
			const file = join(folder, 'Offer.pdf');
			const row = { message: id, name: '../Offer.pdf', type: 'application/pdf', size: 9, file, written };
			expect(JSON.parse(out)).toEqual({ mailseal: 1, command: 'extract', result: { attachments: [row] }, findings: [] });
		}
	});

	it('stops quietly when the reader of its output goes', async () => {
		const io = recordIo();
		io.stdout.hangUp();
		expect(await main(['extract', 'aaaaaaaa', '--attachment', '*'], io, load)).toBe(0);
		expect(io.stderr.text()).toBe('');
	});
});

describe('pack --attachment-min', () => {
	const config = join(scratch, 'mailseal.toml');
	writeFileSync(config, 'sources = ["/m"]\nattachment-min = "64KiB"\n');

	/** An archive that was made with `atBirth`; with null it is made by this call. */
	function packing(atBirth: number | null) {
		const opened: (number | undefined)[] = [];
		const load = services({
			openArchive({ attachmentMin }) {
				opened.push(attachmentMin);
				return { close() {}, attachmentMin: atBirth ?? attachmentMin } as Archive;
			},
			async pack() {
				const result = {
					snapshot,
					parent: null,
					accounts: 1,
					messages: { total: 1, added: 1, changed: 0, removed: 0 },
					sealed: { confirmed: 0, new: 0, newBytes: 0, rewrittenBytes: 0 },
					volatile: { bundles: 1, bytes: 1000, newBytes: 1000 },
					attachments: { total: 0, new: 0, sharedBytes: 0 },
					scan: { folders: 1, foldersRead: 1, filesRead: 1, bytesRead: 10 },
					seconds: 0.1,
				};
				return { result, findings: [] };
			},
		});
		return { load, opened };
	}

	it('is for the archive that the call makes: option before config file, else left to the default', async () => {
		for (const [args, bytes] of [
			[['/m'], undefined],
			[['--config', config], 65_536],
			[['--config', config, '--attachment-min', '1'], 1],
			[['--attachment-min', '1GiB', '/m'], 1024 ** 3],
		] as const) {
			const { load, opened } = packing(null);
			expect(await call(['pack', ...args], load)).toMatchObject({ code: 0, err: '' });
			expect(opened).toEqual([bytes]);
		}
	});

	it('leaves an archive as it was made, and warns', async () => {
		const { code, err } = await call(['pack', '--attachment-min', '1500', '/m'], packing(8192).load);
		expect(code).toBe(0);
		expect(err).toBe(
			'mailseal: the attachment minimum of this archive stays at 8KiB (not 1500): it is fixed at birth, so that one file is always one attachment\n',
		);
		expect((await call(['pack', '--config', config], packing(8192).load)).err).toContain('stays at 8KiB (not 64KiB)');
	});

	it('is no matter for a warning where the archive has it already, or none is given', async () => {
		expect((await call(['pack', '--config', config], packing(65_536).load)).err).toBe('');
		expect((await call(['pack', '/m'], packing(8192).load)).err).toBe('');
	});

	it('tells the default of the library in its help, and the document tells the same', async () => {
		const { out } = await call(['pack', '--help'], services({ defaultAttachmentMin: 4096 }));
		expect(out.replace(/\s+/g, ' ')).toContain('(default: 4KiB)');
		const document = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'cli.md'), 'utf8');
		const rows = document.split('\n').filter((line) => /^\| `(--attachment-min SIZE|attachment-min)` /.test(line));
		expect(rows).toHaveLength(2);
		for (const row of rows) expect(row).toContain(`\`${formatExactSize(ATTACHMENT_MIN)}\` |`);
	});
});
