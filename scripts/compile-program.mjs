// Keeps the code that V8 makes of the built program, so that a start does not compile it again. Functions are compiled when
// they are first called, so the usual commands run once, on a mailbox of one message: node scripts/compile-program.mjs DIST
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';
import { V8_FLAGS } from './v8-flags.mjs';

if (V8_FLAGS !== '') setFlagsFromString(V8_FLAGS);
const filename = resolve(process.argv[2], 'program.cjs');
const source = readFileSync(filename);
// The code keeps the name, for stack traces: where it was built is no affair of where it runs.
const script = new Script(source.toString('latin1'), { filename: 'program.cjs' });
const place = mkdtempSync(join(tmpdir(), 'mailseal-build-'));
process.on('exit', () => rmSync(place, { recursive: true, force: true }));
const mail = join(place, 'anna', 'Maildir');
for (const name of ['cur', 'new', 'tmp']) mkdirSync(join(mail, name), { recursive: true });
const attachment = Buffer.alloc(16384, 'mail').toString('base64').replace(/.{76}/g, '$&\n');
writeFileSync(
	join(mail, 'cur', '1.a:2,S'),
	'From: a@example.org\nSubject: hello\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\n' +
		`Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\n${attachment}\n--b--\n`,
);
writeFileSync(join(mail, 'dovecot-uidlist'), '3 V1 N2 G00\n1 :1.a\n');

const night = [
	['pack', mail],
	['sync', join(place, 'target')],
];
const calls = [...night, ...night, ['ls', 'messages'], ['extract', 'anna/INBOX/1.a'], ['status']];

/** Each call begins when the one before has nothing left to do. */
function next() {
	if (process.exitCode) {
		console.error(`Cannot compile the program: a call of it ended with ${process.exitCode}`);
		process.exit();
	}
	const call = calls.shift();
	if (call === undefined) {
		const code = script.createCachedData();
		const lead = Buffer.alloc(8);
		lead.writeUInt32LE(crc32(source, crc32(`${process.versions.v8} ${process.arch}`)), 0);
		lead.writeUInt32LE(crc32(code), 4);
		writeFileSync(join(dirname(filename), 'program.code'), Buffer.concat([lead, code]));
		process.off('beforeExit', next);
		return;
	}
	process.argv = [process.execPath, 'mailseal', '--archive', join(place, 'archive'), '--config', '/dev/null', ...call];
	// A call that never waits would end the process, since nothing is left to wait for.
	setImmediate(() => {});
	script.runInThisContext()({}, createRequire(filename), {}, filename, dirname(filename));
}

process.on('beforeExit', next);
