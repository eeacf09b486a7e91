import type { ClientChannel } from 'ssh2';
import { openSlots } from '../slots.ts';
import type { Session, SftpCall } from './connection.ts';

/** Programs that print the SHA-256 of what they read, at the start of a line; the faster one first. */
const PROGRAMS = ['openssl dgst -sha256 -r', 'sha256sum'];

const HASH = /^([0-9a-f]{64})(?=\s|$)/m;

/** OpenSSH lets ten channels share a connection, and a hash keeps a core of the far side busy. */
const AT_ONCE = 4;

/** More is no hash. */
const LONGEST_OUTPUT = 4_096;

export interface FarHashOptions {
	readonly session: Session;
	readonly call: SftpCall;
	readonly signal: AbortSignal;
}

/** Lets the server hash its own files, where it lets the user run programs. */
export interface FarHash {
	/** SHA-256 in lower-case hex, or null where the server does not tell. */
	sha256(path: string, at: FarHashOptions): Promise<string | null>;
	/** Says that the server's programs see other files than its SFTP does. */
	distrust(): void;
}

/** Remembers which program a server has. */
export function openFarHash(): FarHash {
	let programs = PROGRAMS;
	const slots = openSlots(AT_ONCE);

	return {
		async sha256(path, at) {
			const leave = await slots.take(at.signal);
			try {
				for (const program of programs) {
					const found = await run(`${program} < ${quote(path)}`, at);
					if (found !== null) {
						programs = [program];
						return found;
					}
					programs = programs.filter((one) => one !== program);
				}
				return null;
			} finally {
				leave();
			}
		},
		distrust() {
			programs = [];
		},
	};
}

/** A word of a shell, whatever it holds. */
function quote(path: string): string {
	return `'${path.replaceAll("'", "'\\''")}'`;
}

/** What a command says, where that is a hash and the command ended well. */
async function run(command: string, { session, call }: FarHashOptions): Promise<string | null> {
	return call.ask<string | null>(
		(answer) => {
			session.client.exec(command, (error, channel) => {
				// A server that opens no channel for programs is one without programs; where the connection is lost, the call has ended.
				if (error) answer(null, null);
				else collect(channel, (said) => answer(null, said));
			});
		},
		() => {},
	);
}

function collect(channel: ClientChannel, give: (found: string | null) => void): void {
	let output = '';
	let code: number | null = null;
	channel.on('data', (bytes: Buffer) => {
		if (output.length < LONGEST_OUTPUT) output += bytes.toString('latin1');
	});
	channel.stderr.resume();
	channel.on('exit', (status: number | null) => {
		code = status;
	});
	channel.on('close', () => give(code === 0 ? (HASH.exec(output)?.[1] ?? null) : null));
	channel.end();
}
