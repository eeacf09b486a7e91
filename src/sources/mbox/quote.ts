const LINE_FEED = 0x0a;
const QUOTE = 0x3e;
const FROM = Buffer.from('From ');
const MORE = Buffer.from('>');

/**
 * The mboxrd form of a message: every line that starts with any number of `>` and `From ` gets one more `>`, so that taking one
 * away gives the message back. A message that does not end with a line feed gets one; an empty line follows.
 */
export function* quoteMessage(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
	/** The first letters of `From ` at the end of a chunk, all `>` of the line being given already: an attacker chooses how many. */
	let pending = Buffer.alloc(0);
	let atLineStart = true;
	let last = LINE_FEED;
	for (const chunk of chunks) {
		if (chunk.length === 0) continue;
		last = chunk[chunk.length - 1] ?? last;
		const bytes = pending.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([pending, chunk]);
		let given = 0;
		let position = 0;
		while (position < bytes.length) {
			if (atLineStart) {
				// After letters of `From `, a `>` is none of the line's quotes.
				if (position > 0 || pending.length === 0) while (bytes[position] === QUOTE) position++;
				const seen = bytes.subarray(position, position + FROM.length);
				const match = FROM.subarray(0, seen.length).equals(seen);
				if (match && seen.length < FROM.length) break;
				if (match) {
					yield bytes.subarray(given, position);
					yield MORE;
					given = position;
				}
				atLineStart = false;
			}
			const end = bytes.indexOf(LINE_FEED, position);
			position = end < 0 ? bytes.length : end + 1;
			atLineStart = end >= 0;
		}
		yield bytes.subarray(given, position);
		pending = Buffer.from(bytes.subarray(position));
	}
	yield pending;
	yield Buffer.from(last === LINE_FEED ? '\n' : '\n\n');
}
