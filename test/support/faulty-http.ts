import { once } from 'node:events';
import {
	Agent,
	createServer,
	type IncomingHttpHeaders,
	type IncomingMessage,
	type OutgoingHttpHeaders,
	request,
	type ServerResponse,
} from 'node:http';

/** What goes wrong with one request. */
export type Fault =
	/** The proxy answers by itself, before it has read the body, or after. */
	| {
			readonly kind: 'answer';
			readonly status: number;
			readonly body?: string;
			readonly headers?: OutgoingHttpHeaders;
			readonly late?: boolean;
	  }
	/** Nobody ever answers. */
	| { readonly kind: 'silence' }
	/** The connection is cut when so many bytes of the body have gone to the server; 0: before any, and before the server hears of it. */
	| { readonly kind: 'cut-request'; readonly after: number }
	/** When so many bytes of the answer's body have come, the connection is reset, ended as if all were said, or falls silent. */
	| { readonly kind: 'cut-answer'; readonly after: number; readonly how: 'reset' | 'end' | 'silence' }
	/** The server does what it was asked to, and nobody hears of it. */
	| { readonly kind: 'lose-answer' }
	/** One bit of the body is another when it reaches the server. */
	| { readonly kind: 'damage-request'; readonly at: number }
	/** The answer has other headers. */
	| { readonly kind: 'change-answer'; change(headers: IncomingHttpHeaders): OutgoingHttpHeaders };

export interface FaultyHttp {
	readonly endpoint: string;
	/** Every request so far, as `METHOD /path?query`. */
	readonly requests: string[];
	/** Those of them whose body came to its end. */
	readonly whole: string[];
	/** Connections so far. */
	readonly connections: number;
	/** The next request that `matches` goes wrong, and no other; several wait in their order. */
	fail(fault: Fault, matches?: Matcher): void;
	/** Forgets what is still to go wrong. */
	forgive(): void;
	/** Faults that have not come about. */
	waiting(): number;
	close(): Promise<void>;
}

/** Picks a request by `METHOD /path?query` and headers. */
export type Matcher = (asked: string, headers: IncomingHttpHeaders) => boolean;

/** A way to a server that speaks HTTP, on which things go wrong as they are told to. */
export async function openFaultyHttp(target: string): Promise<FaultyHttp> {
	const { hostname, port } = new URL(target);
	const agent = new Agent({ keepAlive: false });
	const requests: string[] = [];
	const whole: string[] = [];
	const faults: { readonly fault: Fault; readonly matches: Matcher }[] = [];
	let connections = 0;

	function nextFault(asked: string, headers: IncomingHttpHeaders): Fault | null {
		const at = faults.findIndex(({ matches }) => matches(asked, headers));
		return at < 0 ? null : (faults.splice(at, 1)[0]?.fault ?? null);
	}

	function handle(near: IncomingMessage, answer: ServerResponse): void {
		const asked = `${near.method} ${near.url}`;
		requests.push(asked);
		near.on('end', () => whole.push(asked));
		const fault = nextFault(asked, near.headers);
		if (fault?.kind === 'silence') return;
		if (fault?.kind === 'answer') {
			const { status, headers, body, late = false } = fault;
			function say(): void {
				answer.writeHead(status, { 'content-type': 'application/xml', ...headers });
				answer.end(near.method === 'HEAD' ? undefined : body);
			}
			if (late) {
				if (near.headers.expect !== undefined) answer.writeContinue();
				near.on('end', say).resume();
			} else say();
			return;
		}
		if (fault?.kind === 'cut-request' && fault.after === 0) {
			near.socket.resetAndDestroy();
			return;
		}
		if (near.headers.expect !== undefined) answer.writeContinue();
		// The signature covers the host that the client knows.
		const { expect: _expect, ...headers } = near.headers;
		const far = request({ hostname, port, agent, method: near.method, path: near.url, headers });
		far.on('error', () => near.socket.destroy());
		far.on('response', (response) => passAnswer(response, answer, fault));
		near.on('error', () => far.destroy());
		passBody(near, far, fault);
	}

	function passBody(near: IncomingMessage, far: ReturnType<typeof request>, fault: Fault | null): void {
		let seen = 0;
		near.on('data', (piece: Buffer) => {
			const bytes = Buffer.from(piece);
			if (fault?.kind === 'damage-request' && fault.at >= seen && fault.at < seen + bytes.length) {
				bytes.writeUInt8(bytes.readUInt8(fault.at - seen) ^ 1, fault.at - seen);
			}
			if (fault?.kind === 'cut-request' && seen + bytes.length >= fault.after) {
				near.pause();
				far.write(bytes.subarray(0, fault.after - seen), () => {
					far.destroy();
					near.socket.resetAndDestroy();
				});
				return;
			}
			seen += bytes.length;
			if (!far.write(bytes)) near.pause();
		});
		far.on('drain', () => near.resume());
		near.on('end', () => far.end());
	}

	function passAnswer(response: IncomingMessage, answer: ServerResponse, fault: Fault | null): void {
		const cut = fault?.kind === 'cut-answer' ? fault : null;
		function end(): void {
			response.destroy();
			if (cut?.how === 'end') answer.socket?.end();
			if (cut?.how !== 'end' && cut?.how !== 'silence') answer.socket?.resetAndDestroy();
		}
		if (fault?.kind === 'lose-answer') {
			response.on('end', end).resume();
			return;
		}
		answer.writeHead(response.statusCode ?? 0, fault?.kind === 'change-answer' ? fault.change(response.headers) : response.headers);
		answer.flushHeaders();
		let seen = 0;
		response.on('data', (bytes: Buffer) => {
			if (cut !== null && seen + bytes.length >= cut.after) {
				response.pause();
				answer.write(bytes.subarray(0, cut.after - seen), end);
				return;
			}
			seen += bytes.length;
			if (!answer.write(bytes)) response.pause();
		});
		answer.on('drain', () => response.resume());
		answer.on('close', () => response.destroy());
		response.on('end', () => answer.end());
		response.on('error', () => answer.socket?.destroy());
	}

	const server = createServer({ noDelay: true }, handle);
	server.on('checkContinue', handle);
	server.on('connection', () => connections++);
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	if (address === null || typeof address === 'string') throw new Error('no port was given');
	return {
		endpoint: `http://127.0.0.1:${address.port}`,
		requests,
		whole,
		get connections() {
			return connections;
		},
		fail(fault, matches = () => true) {
			faults.push({ fault, matches });
		},
		forgive() {
			faults.length = 0;
		},
		waiting: () => faults.length,
		async close() {
			agent.destroy();
			server.close();
			server.closeAllConnections();
			await once(server, 'close');
		},
	};
}
