import { createCipheriv } from 'node:crypto';

export interface LargeMessage {
	readonly encoding: 'base64' | '8bit';
	/** Bytes of its one attachment, as it stands in the message; rounded up to whole pieces. */
	readonly size: number;
	readonly columns?: number;
	readonly end?: '\n' | '\r\n';
}

/** Pieces of about 64 KiB are made from a stock of this many, so that making them costs little. */
const STOCK = 64;
const PIECE = 65_536;
const BOUNDARY = '=_large';

/** Gives the bytes of a message with one large attachment, from the start at each call; no more than 4 MiB of it are in memory. */
export function openLargeMessage(message: LargeMessage): () => Iterable<Uint8Array> {
	const stock = Array.from({ length: STOCK }, (_, n) => makePiece(n, message));
	const head = Buffer.from(
		[
			'From: a@example.org\nTo: b@example.org\nSubject: a large file\nDate: Mon, 1 Jun 2026 02:00:00 +0000\nMIME-Version: 1.0\n',
			`Content-Type: multipart/mixed; boundary="${BOUNDARY}"\n\n--${BOUNDARY}\nContent-Type: text/plain\n\nSee the file.\n--${BOUNDARY}\n`,
			`Content-Type: application/octet-stream; name="large.bin"\nContent-Transfer-Encoding: ${message.encoding}\n`,
			'Content-Disposition: attachment; filename="large.bin"\n\n',
		].join(''),
	);
	const tail = Buffer.from(`\n--${BOUNDARY}--\n`);
	return function* chunks() {
		yield head;
		let left = message.size;
		for (let n = 0; left > 0; n++) {
			const piece = stock[n % STOCK] ?? tail;
			yield piece;
			left -= piece.length;
		}
		yield tail;
	};
}

/** Whole lines: each holds whole groups of base64, so that pieces can follow each other. */
function makePiece(n: number, message: LargeMessage): Buffer {
	const { encoding, columns = 76, end = '\n' } = message;
	const counter = Buffer.alloc(16);
	counter.writeUInt32BE(n, 0);
	const random = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), counter).update(Buffer.alloc(PIECE));
	if (encoding === '8bit') return random;
	const bytes = (columns / 4) * 3;
	const rows = Math.floor(((PIECE / 4) * 3) / bytes);
	return Buffer.from(random.toString('base64', 0, rows * bytes).replace(new RegExp(`.{${columns}}`, 'g'), `$&${end}`), 'latin1');
}
