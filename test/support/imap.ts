import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A part of an IMAP response: an atom or string, a literal, NIL, or a list. */
export type ImapValue = string | Buffer | null | readonly ImapValue[];

/** An untagged response, its words in order. */
export type ImapResponse = readonly ImapValue[];

export interface ImapClient {
	/**
	 * Sends a command, a Buffer as a literal, and gives its untagged responses (of an APPEND or COPY also the status line,
	 * which tells the new UIDs). Throws where the answer is not OK.
	 */
	send(...parts: readonly (string | Buffer)[]): Promise<readonly ImapResponse[]>;
	close(): Promise<void>;
}

/** Logs in to an IMAP server (RFC 9051) on this machine. Enough of the protocol to test with, no more. */
export async function openImap(port: number, login: { readonly user: string; readonly password: string }): Promise<ImapClient> {
	const socket = connect(port, '127.0.0.1');
	const lines = readLines(socket);
	let count = 0;
	async function next(): Promise<ImapResponse> {
		const step = await lines.next();
		if (step.done === true) throw new Error('the IMAP server closed the connection');
		return parseResponse(step.value);
	}
	async function send(...parts: readonly (string | Buffer)[]): Promise<readonly ImapResponse[]> {
		const tag = `t${++count}`;
		const [first] = parts;
		socket.write(`${tag} `);
		for (const part of parts) {
			if (typeof part === 'string') {
				socket.write(part);
				continue;
			}
			socket.write(`{${part.length}}\r\n`);
			const answer = await next();
			if (answer[0] !== '+') throw new Error(`IMAP refused a literal of "${first}": ${answer.join(' ')}`);
			socket.write(part);
		}
		socket.write('\r\n');
		const responses: ImapResponse[] = [];
		for (;;) {
			const response = await next();
			if (response[0] !== tag) {
				responses.push(response.slice(1));
				continue;
			}
			if (response[1] !== 'OK') throw new Error(`IMAP refused "${first}": ${response.slice(1).join(' ')}`);
			return [...responses, response.slice(1)];
		}
	}
	await next();
	await send(`LOGIN ${quote(login.user)} ${quote(login.password)}`);
	return {
		send,
		async close() {
			await send('LOGOUT');
			socket.destroy();
		},
	};
}

/** A text as a quoted string. */
export function quote(text: string): string {
	return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** One response a time: its text, cut where literals stand, and these. */
async function* readLines(socket: Socket): AsyncGenerator<(string | Buffer)[]> {
	await once(socket, 'connect');
	let waiting = Buffer.alloc(0);
	let line: (string | Buffer)[] = [];
	let literal: number | null = null;
	for await (const chunk of socket) {
		waiting = Buffer.concat([waiting, chunk]);
		for (;;) {
			if (literal !== null) {
				if (waiting.length < literal) break;
				line.push(Buffer.from(waiting.subarray(0, literal)));
				waiting = waiting.subarray(literal);
				literal = null;
			}
			const end = waiting.indexOf('\r\n');
			if (end < 0) break;
			const text = waiting.toString('utf8', 0, end);
			waiting = waiting.subarray(end + 2);
			const size = /\{(\d+)\}$/.exec(text);
			line.push(size === null ? text : text.slice(0, size.index));
			if (size !== null) {
				literal = Number(size[1]);
				continue;
			}
			yield line;
			line = [];
		}
	}
}

const TOKEN = /\s+|[()]|"(?:[^"\\]|\\.)*"|BODY\[[^\]]*\]|[^\s()"]+/g;

/** Status texts are for people and may hold any bracket: they stay words. */
const STATUS = /^\S+ (OK|NO|BAD|BYE|PREAUTH)\b|^\+/;

function parseResponse(parts: readonly (string | Buffer)[]): ImapResponse {
	const [head] = parts;
	if (typeof head === 'string' && STATUS.test(head)) return head.split(' ');
	const open: ImapValue[][] = [[]];
	for (const part of parts) {
		if (typeof part !== 'string') {
			open.at(-1)?.push(part);
			continue;
		}
		for (const [token] of part.matchAll(TOKEN)) {
			if (token === '(') open.push([]);
			else if (token === ')') {
				const list = open.pop() ?? [];
				open.at(-1)?.push(list);
			} else if (token.startsWith('"')) open.at(-1)?.push(token.slice(1, -1).replace(/\\(.)/g, '$1'));
			else if (token.trim() !== '') open.at(-1)?.push(token === 'NIL' ? null : token);
		}
	}
	return open[0] ?? [];
}
