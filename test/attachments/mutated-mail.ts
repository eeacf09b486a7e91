/** Numbers below `limit`, always the same for the same seed (mulberry32). */
export function openDice(seed: number): (limit: number) => number {
	let state = seed >>> 0;
	return (limit) => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
	};
}

type Mutation = (message: Buffer, dice: (limit: number) => number) => Buffer;

const MUTATIONS: readonly Mutation[] = [flip, cut, double, swapLineEnds, damageDelimiter, insert, dropLine, truncate];

/** The message with one to four things gone wrong. */
export function mutate(message: Buffer, dice: (limit: number) => number): Buffer {
	let result = message;
	for (let left = 1 + dice(4); left > 0; left--) result = MUTATIONS[dice(MUTATIONS.length)]?.(result, dice) ?? result;
	return result;
}

function flip(message: Buffer, dice: (limit: number) => number): Buffer {
	const result = Buffer.from(message);
	for (let left = 1 + dice(5); left > 0 && result.length > 0; left--) {
		const at = dice(result.length);
		result[at] = (result[at] ?? 0) ^ (1 << dice(8));
	}
	return result;
}

function range(message: Buffer, dice: (limit: number) => number): readonly [number, number] {
	const start = dice(message.length + 1);
	return [start, Math.min(message.length, start + dice(dice(2) === 0 ? 10 : 5000))];
}

function cut(message: Buffer, dice: (limit: number) => number): Buffer {
	const [start, end] = range(message, dice);
	return Buffer.concat([message.subarray(0, start), message.subarray(end)]);
}

function double(message: Buffer, dice: (limit: number) => number): Buffer {
	const [start, end] = range(message, dice);
	return Buffer.concat([message.subarray(0, end), message.subarray(start)]);
}

function truncate(message: Buffer, dice: (limit: number) => number): Buffer {
	return message.subarray(0, dice(message.length + 1));
}

function swapLineEnds(message: Buffer, dice: (limit: number) => number): Buffer {
	const [start, end] = dice(2) === 0 ? [0, message.length] : range(message, dice);
	const text = message.toString('latin1', start, end);
	const swapped = text.includes('\r\n') ? text.replaceAll('\r\n', '\n') : text.replaceAll('\n', '\r\n');
	return Buffer.concat([message.subarray(0, start), Buffer.from(swapped, 'latin1'), message.subarray(end)]);
}

function damageDelimiter(message: Buffer, dice: (limit: number) => number): Buffer {
	const found: number[] = [];
	for (let at = message.indexOf('\n--'); at >= 0; at = message.indexOf('\n--', at + 1)) found.push(at);
	const at = found[dice(Math.max(1, found.length))];
	if (at === undefined) return message;
	const end = Math.max(at + 3, message.indexOf('\n', at + 3));
	const line = message.toString('latin1', at, end);
	const changed = [`${line}--`, `${line} `, line.slice(0, -1), `${line}x`, `\r${line}`, line.toUpperCase(), `${line}\r`, `\n\n${line}`];
	return Buffer.concat([message.subarray(0, at), Buffer.from(changed[dice(changed.length)] ?? '', 'latin1'), message.subarray(end)]);
}

function insert(message: Buffer, dice: (limit: number) => number): Buffer {
	const at = dice(message.length + 1);
	const pieces = ['\n', '\r', '=', '-', '_', ' ', '\0', '\n\n', '--', '"', '(', 'Content-Transfer-Encoding: base64\n'];
	return Buffer.concat([message.subarray(0, at), Buffer.from(pieces[dice(pieces.length)] ?? ''), message.subarray(at)]);
}

function dropLine(message: Buffer, dice: (limit: number) => number): Buffer {
	const start = message.indexOf('\n', dice(message.length + 1)) + 1;
	const end = message.indexOf('\n', start) + 1;
	return end <= start ? message : Buffer.concat([message.subarray(0, start), message.subarray(end)]);
}
