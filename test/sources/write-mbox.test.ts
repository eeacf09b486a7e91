import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFolderName } from '../../src/domain/index.ts';
import { mboxWriter, openMessageWriter } from '../../src/sources/index.ts';
import { asctime, envelopeSender } from '../../src/sources/mbox/from-line.ts';
import { quoteMessage } from '../../src/sources/mbox/quote.ts';
import { mboxPath } from '../../src/sources/mbox/write-mbox.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { sharedData } from '../support/shared-data.ts';
import { bytesOf, control, emptyFolder, folder, mail, message, placed, tree, writeAll } from './write-sample.ts';

const A = 'alice@example.org';

/** Pieces of the kind that break mbox writers. */
const tricky = fc
	.array(fc.constantFrom('From ', '>From ', '>>>From ', '>', 'Fro', 'm ', '\n', '\n', '\r\n', 'F', 'x', '\0', '\xff', 'From: a', ' '), {
		maxLength: 30,
	})
	.map((pieces) => Buffer.from(pieces.join(''), 'latin1'));

/** Takes one `>` away from each quoted line, independently of the code under test. */
function unquote(bytes: Buffer): Buffer {
	return Buffer.from(bytes.toString('latin1').replace(/^>(>*From )/gm, '$1'), 'latin1');
}

function withFinalNewline(bytes: Buffer): Buffer {
	return bytes.at(-1) === 10 || bytes.length === 0 ? bytes : Buffer.concat([bytes, Buffer.from('\n')]);
}

const READ = `
import hashlib, json, mailbox, re, sys
box = mailbox.mbox(sys.argv[1], create=False)
def plain(key):
    return re.sub(rb'(?m)^>(>*From )', rb'\\1', box.get_bytes(key)).hex()
print(json.dumps([[plain(key), box.get_message(key).get_from()] for key in box.keys()]))
`;

/** Messages and what follows "From ", as Python's mailbox module reads them. */
function readByPython(path: string): { readonly bytes: Buffer; readonly from: string }[] {
	const run = spawnSync('python3', ['-c', READ, path], { encoding: 'utf8', maxBuffer: 1 << 30 });
	expect(run.stderr).toBe('');
	return (JSON.parse(run.stdout) as [string, string][]).map(([hex, from]) => ({ bytes: Buffer.from(hex, 'hex'), from }));
}

describe('quoteMessage()', () => {
	test('is undone by taking one ">" away', () => {
		fc.assert(
			fc.property(tricky, (bytes) => {
				const quoted = Buffer.concat([...quoteMessage([bytes])]);
				expect(quoted.toString('latin1')).not.toMatch(/^From /m);
				expect(unquote(quoted)).toEqual(Buffer.concat([withFinalNewline(bytes), Buffer.from('\n')]));
			}),
			propertyRuns(),
		);
	});

	test('gives the same bytes whole, in odd pieces and byte by byte', () => {
		fc.assert(
			fc.property(tricky, fc.integer({ min: 1, max: 9 }), (bytes, length) => {
				const pieces: Buffer[] = [];
				for (let at = 0; at < bytes.length; at += length) pieces.push(bytes.subarray(at, at + length), Buffer.alloc(0));
				expect(Buffer.concat([...quoteMessage(pieces)])).toEqual(Buffer.concat([...quoteMessage([bytes])]));
			}),
			propertyRuns(),
		);
	});

	test('takes a line of a hundred million ">" in pieces without keeping it', () => {
		const piece = Buffer.alloc(1 << 20, '>');
		function* pieces(): Generator<Uint8Array> {
			for (let count = 0; count < 96; count++) yield piece;
			yield Buffer.from('From me');
		}
		let length = 0;
		for (const part of quoteMessage(pieces())) length += part.length;
		expect(length).toBe(96 * piece.length + '>From me\n\n'.length);
	});
});

test('the From line has the date in UTC as asctime writes it', () => {
	expect(asctime(Date.parse('2020-02-09T03:04:05.999Z'))).toBe('Sun Feb  9 03:04:05 2020');
	expect(asctime(Date.parse('1969-12-31T23:59:59.999Z'))).toBe('Wed Dec 31 23:59:59 1969');
});

test.each([
	['Return-Path: <bob@example.org>\nSubject: x\n\n', 'bob@example.org'],
	['Subject: x\r\nreturn-path:\t<a+b@x.example>\r\n\r\n', 'a+b@x.example'],
	['Return-Path: <>\n\n', 'MAILER-DAEMON'],
	['Return-Path: <a b@example.org>\n\n', 'MAILER-DAEMON'],
	['Return-Path: <a@b>\rFrom x\n\n', 'MAILER-DAEMON'],
	['Subject: x\n\nReturn-Path: <body@example.org>\n', 'MAILER-DAEMON'],
	['', 'MAILER-DAEMON'],
])('the sender of %j is %s', (text, sender) => {
	expect(envelopeSender(Buffer.from(text))).toBe(sender);
});

test('no folder has the path of another one, or of a directory that another one needs', () => {
	const level = fc.constantFrom('a', 'a.mbox', 'a.mbox.d', 'A.MBOX', 'a.mbox.d.d', '.mbox', 'b', 'a.d');
	const name = fc.array(level, { minLength: 1, maxLength: 3 }).map((levels) => parseFolderName(levels.join('/')));
	fc.assert(
		fc.property(name, name, (one, other) => {
			const paths = [one, other].map((folderName) => [...mboxPath(folderName).parents, mboxPath(folderName).name]);
			const [first = [], second = []] = paths;
			if (one !== other) expect(first.join('/')).not.toBe(second.join('/'));
			expect(second.slice(0, -1).join('/')).not.toBe(first.join('/'));
			expect(`${second.slice(0, -1).join('/')}/`.startsWith(`${first.join('/')}/`)).toBe(false);
		}),
		propertyRuns(),
	);
});

describe('mboxWriter()', () => {
	test('writes each folder as a file that Python reads back byte for byte, in the order of uids', () => {
		const to = emptyFolder();
		const texts = [
			'Subject: a\n\nFrom me\n>From you\n\nFrom x',
			'Return-Path: <bob@example.org>\r\n\r\nbody\r\nFrom z\r\n',
			'\n',
			'From first line\n\n\n\n',
		];
		const words = texts.map((text, at) => placed(`k${at}`, { folder: 'A/B', uid: 9 - at, message: message(text) }));
		const late = placed('late', { folder: 'A/B', message: message('late\n'), date: '2020-01-02T00:00:00.000Z' });
		const early = placed('z-early', { folder: 'A/B', message: message('early\n'), date: '2020-01-01T00:00:00.000Z' });
		const run = writeAll(mboxWriter({ to }), mail({ folders: [folder('A'), folder('A/B')], placements: [late, ...words, early] }));
		expect(run.codes).toEqual([]);
		expect(tree(to)).toEqual([`${A}/A.mbox`, `${A}/A/B.mbox`]);
		const read = readByPython(join(to, A, 'A/B.mbox'));
		expect(read.map(({ bytes }) => bytes.toString())).toEqual(
			[...texts.reverse(), 'early\n', 'late\n'].map((text) => withFinalNewline(Buffer.from(text)).toString()),
		);
		expect(read[2]?.from).toBe('bob@example.org Sat Feb 29 12:34:56 2020');
		expect(read[0]?.from).toBe('MAILER-DAEMON Sat Feb 29 12:34:56 2020');
		expect(readFileSync(join(to, A, 'A.mbox'), 'utf8')).toBe('');
	});

	test('is read back by Python for any bytes', () => {
		fc.assert(
			fc.property(fc.array(tricky, { minLength: 1, maxLength: 20 }), (texts) => {
				const to = emptyFolder();
				const placements = texts.map((bytes, at) => placed(`k${at}`, { uid: at + 1, message: message(bytes) }));
				writeAll(mboxWriter({ to }), mail({ placements }));
				expect(readByPython(join(to, A, 'INBOX.mbox')).map(({ bytes }) => bytes)).toEqual(texts.map(withFinalNewline));
			}),
			propertyRuns(8),
		);
	});

	const data = sharedData('mail/eml');
	test.skipIf(data === null)('keeps real messages byte for byte', () => {
		const paths = data === null ? [] : readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
		const files = paths.map((entry) => readFileSync(join(entry.parentPath, entry.name)));
		expect(files.length).toBeGreaterThan(1000);
		const to = emptyFolder();
		const placements = files.map((bytes, at) => placed(`k${at}`, { uid: at + 1, message: message(bytes) }));
		writeAll(mboxWriter({ to }), mail({ placements }));
		const read = readByPython(join(to, A, 'INBOX.mbox'));
		expect(read.length).toBe(files.length);
		expect(read.findIndex(({ bytes }, at) => !bytes.equals(withFinalNewline(files[at] ?? Buffer.alloc(0))))).toBe(-1);
	});

	test('never changes an mbox that is there, be it there before the plan or after', () => {
		const to = emptyFolder();
		mkdirSync(join(to, A));
		writeFileSync(join(to, A, 'INBOX.mbox'), 'mine');
		const run = writeAll(mboxWriter({ to }), mail({ placements: [placed('one'), placed('two', { folder: 'Sent' })] }));
		expect(run.codes).toEqual(['restore-folder-refused']);
		const plan = mboxWriter({ to }).plan(mail({ folders: [folder('Late')] }));
		plan.begin();
		writeFileSync(join(to, A, 'Late.mbox'), 'mine');
		expect(plan.finish().map((finding) => finding.code)).toEqual(['restore-folder-refused']);
		expect(readFileSync(join(to, A, 'INBOX.mbox'), 'utf8')).toBe('mine');
		expect(readFileSync(join(to, A, 'Late.mbox'), 'utf8')).toBe('mine');
		expect(tree(to)).toEqual([`${A}/INBOX.mbox`, `${A}/Late.mbox`, `${A}/Sent.mbox`]);
	});

	test('has no half of a message whose bytes cannot be had, and goes on with the next', () => {
		const to = emptyFolder();
		const plan = mboxWriter({ to }).plan(mail({ placements: [placed('a', { uid: 1 }), placed('b', { uid: 2 }), placed('c', { uid: 3 })] }));
		plan.begin();
		const output = openMessageWriter();
		function* broken(): Generator<Uint8Array> {
			yield Buffer.alloc(1 << 20, 'x');
			throw new RangeError('damaged');
		}
		for (const [at, job] of plan.jobs.entries()) {
			if (at === 1) expect(() => output.write(job, broken())).toThrow(RangeError);
			else output.write(job, [bytesOf(job.message)]);
		}
		output.close();
		expect(plan.finish()).toEqual([]);
		expect(readByPython(join(to, A, 'INBOX.mbox')).map(({ bytes }) => bytes.toString())).toEqual([
			'Subject: a\n\nbody of a\n',
			'Subject: c\n\nbody of c\n',
		]);
	});

	test('leaves nothing behind when it is given up', () => {
		const to = emptyFolder();
		const plan = mboxWriter({ to }).plan(mail({ placements: [placed('a')] }));
		plan.begin();
		expect(tree(to)).toHaveLength(1);
		plan.abandon();
		plan.abandon();
		expect(tree(to)).toEqual([]);
	});

	test('plans without touching the destination', () => {
		const to = join(emptyFolder(), 'not yet');
		const plan = mboxWriter({ to }).plan(mail({ placements: [placed('a', { folder: 'A/B' })] }));
		expect(plan.creates).toEqual([A, `${A}/A`, `${A}/A/B.mbox`]);
		expect(existsSync(to)).toBe(false);
	});

	test('says once that flags have no place', () => {
		const writer = mboxWriter({ to: emptyFolder() });
		const what = mail({ placements: [placed('a', { flags: ['seen'] })], controls: [control('subscriptions', { text: '' })] });
		expect(writer.plan(what).findings.map((finding) => [finding.code, finding.severity])).toEqual([['restore-flags-lost', 'note']]);
		expect(writer.plan(what).findings).toEqual([]);
	});

	test('does not follow a symbolic link', () => {
		const to = emptyFolder();
		const outside = emptyFolder();
		mkdirSync(join(to, A));
		symlinkSync(outside, join(to, A, 'Work'));
		symlinkSync(join(outside, 'evil'), join(to, A, 'INBOX.mbox'));
		const run = writeAll(mboxWriter({ to }), mail({ placements: [placed('a'), placed('b', { folder: 'Work/x' })] }));
		expect(run.codes).toEqual(['restore-folder-refused', 'restore-folder-refused']);
		expect(tree(outside)).toEqual([]);
	});
});
