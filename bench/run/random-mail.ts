import { createCipheriv } from 'node:crypto';
import { join } from 'node:path';
import { baseName, createMessage, makeMaildir } from '../mail/maildir.ts';
import { NOW } from './workplace.ts';

const BOUNDARY = '=_random';
const DAY = 86_400_000;

/**
 * Writes one account below `root` whose messages, a year old, each carry an attachment of `each` bytes that nothing compresses and no
 * other message has: the same bytes for the same options. Gives the number of messages.
 */
export function makeRandomMail(root: string, options: { readonly bytes: number; readonly each: number }): number {
	const maildir = join(root, 'mail@example.org', 'Maildir');
	makeMaildir(maildir);
	const messages = Math.ceil(options.bytes / options.each);
	for (let n = 0; n < messages; n++) {
		const bytes = message(n, options.each);
		const at = NOW - 365 * DAY + n * 1000;
		createMessage(join(maildir, 'cur', `${baseName({ at, micros: n, pid: 1, size: bytes.length, virtual: bytes.length })}:2,S`), {
			bytes,
			at,
		});
	}
	return messages;
}

function message(n: number, size: number): Buffer {
	const counter = Buffer.alloc(16);
	counter.writeUInt32BE(n, 0);
	const random = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), counter).update(Buffer.alloc(size));
	const head = [
		`From: a@example.org\nTo: b@example.org\nSubject: file ${n}\nDate: Sun, 1 Jun 2025 02:00:00 +0000\nMIME-Version: 1.0\n`,
		`Content-Type: multipart/mixed; boundary="${BOUNDARY}"\n\n--${BOUNDARY}\nContent-Type: text/plain\n\nSee the file.\n--${BOUNDARY}\n`,
		`Content-Type: application/octet-stream; name="${n}.bin"\nContent-Transfer-Encoding: base64\n`,
		`Content-Disposition: attachment; filename="${n}.bin"\n\n`,
	].join('');
	const body = random.toString('base64').replace(/.{76}(?=.)/g, '$&\n');
	return Buffer.from(`${head}${body}\n--${BOUNDARY}--\n`, 'latin1');
}
