import { connect as connectSocket } from 'node:net';
import type { Client, SFTPWrapper } from 'ssh2';
import type { MailsealError } from '../../domain/index.ts';
import { asStoreError, unreachable } from './errors.ts';
import { algorithmsFor, type HostTrust, judgeHost } from './host-trust.ts';
import { type Call, type Line, openLine } from './line.ts';
import { type Requests, requestsOf } from './requests.ts';
import { openRoot, type Root } from './root.ts';
import { type Auth, prepareSignIn } from './sign-in.ts';

/** Where a store lies and who signs in. */
export interface ConnectionOptions extends HostTrust {
	readonly user: string;
	/** The root folder; relative to where the server lets a user start, where it does not begin with `/`. */
	readonly path: string;
	readonly auth: Auth;
}

/** A call that talks to the SFTP session. */
export type SftpCall = Call & Requests;

/** One session with the server, as long as its connection lives. */
export interface Session {
	readonly client: Client;
	/** Absolute path of the root folder. It need not be there yet; the folder above it is. */
	readonly top: string;
	readonly root: Root;
	/** True where the server takes pieces of more than the 32 KiB that every server must take. */
	readonly large: boolean;
	begin(signal: AbortSignal | null): SftpCall;
	/** Ends the connection; calls under way are `unreachable`. */
	close(): void;
}

export interface Connection {
	/** The session that is there, or a new one. */
	session(signal: AbortSignal): Promise<Session>;
	close(): void;
}

/** Milliseconds until a server must have answered and let the user in. */
const PATIENCE = 20_000;

/** A connection that is silent for so many times so many milliseconds is lost. Two MiB under way must fit into that time. */
const KEEPALIVE = { keepaliveInterval: 15_000, keepaliveCountMax: 5 };

/** Keeps one connection, made when it is first asked for, and made anew when it is asked for after it was lost. */
export function openConnection(options: ConnectionOptions): Connection {
	let current: { readonly session: Promise<Session>; readonly line: Line } | null = null;
	let closed = false;
	const root = openRoot(options.path, options.place);
	return {
		async session(signal) {
			const waiting = openLine(options.place).begin(signal);
			try {
				waiting.check();
				if (closed) throw new Error(`the store at ${options.place} was closed`);
				if (current === null || current.line.lost() !== null) current = start();
				return await waiting.wait(current.session);
			} finally {
				waiting.end();
			}
		},
		close() {
			closed = true;
			current?.line.lose(unreachable(options.place, new Error('the connection was closed')));
			void current?.session.then(
				(session) => session.close(),
				() => {},
			);
		},
	};

	function start(): NonNullable<typeof current> {
		const line = openLine(options.place);
		const session = connect(options, { line, root });
		const mine = { session, line };
		session.catch(() => {
			if (current === mine) current = null;
		});
		return mine;
	}
}

async function connect(options: ConnectionOptions, { line, root }: { readonly line: Line; readonly root: Root }): Promise<Session> {
	const { Client, utils } = await import('ssh2');
	const { place, user, host, port } = options;
	const client = new Client();
	function end(error: MailsealError): void {
		line.lose(error);
		client.end();
	}
	const signIn = prepareSignIn({
		place,
		user,
		auth: options.auth,
		parseKey: utils.parseKey,
		giveUp: () => end(signIn.refused()),
	});
	let signedIn = false;
	client.on('error', (error) => {
		if (error.level === 'agent') signIn.agentFailed(error.message);
		// Of a key that cannot sign, the library tells, and goes on to the next one.
		else if (error.level === 'client-authentication') return;
		else if (!signedIn && error.level === undefined && /authentication/i.test(error.message)) end(signIn.refused());
		else end(unreachable(place, error));
	});
	const ended = (): void => line.lose(unreachable(place, new Error('the server ended the connection')));
	client.on('end', ended).on('close', ended);

	const call = line.begin(null);
	// A small request waits for nobody's answer: with Nagle's algorithm, a hundred of them take seconds.
	const socket = connectSocket({ host, port, noDelay: true });
	try {
		await call.ask<void>((answer) => {
			client.on('ready', () => answer(null, undefined));
			client.connect({
				sock: socket,
				username: user,
				readyTimeout: PATIENCE,
				...KEEPALIVE,
				algorithms: { serverHostKey: algorithmsFor(options) },
				authHandler: signIn.next,
				hostVerifier: (key: Buffer) => {
					const refusal = judgeHost(key, options);
					if (refusal !== null) line.lose(refusal);
					return refusal === null;
				},
			});
		});
		signedIn = true;
		const sftp = await call.ask<SFTPWrapper>((answer) => client.sftp(answer));
		const left = (): void => end(unreachable(place, new Error('the server ended the SFTP session')));
		sftp.on('end', left).on('close', left);
		sftp.on('error', (error: Error) => end(unreachable(place, error)));
		const top = await root.find(requestsOf(sftp, call.ask));
		return {
			client,
			top,
			root,
			// Only a server that tells its limits has that number.
			large: 'maxOpenHandles' in sftp && sftp.maxOpenHandles !== undefined,
			begin(signal) {
				const begun = line.begin(signal);
				return { ...begun, ...requestsOf(sftp, begun.ask) };
			},
			close() {
				end(unreachable(place, new Error('the connection was closed')));
				// Whoever is done does not wait for a server that is not.
				socket.unref();
			},
		};
	} catch (error) {
		client.end();
		socket.destroy();
		throw asStoreError(error, { action: 'open', name: options.path, place });
	} finally {
		call.end();
	}
}
