import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
	chmodSync,
	chownSync,
	closeSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readFileSync,
	realpathSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SftpStoreOptions } from '../../src/remote/sftp-store.ts';
import { freePort } from './free-port.ts';
import { lacks } from './needs.ts';

/** An SSH server of this test's own. */
export interface Sshd {
	readonly host: string;
	readonly port: number;
	/** Who may sign in. */
	readonly user: string;
	/** Path of a key that may sign in. */
	readonly privateKey: string;
	/** Text of a known_hosts file that knows the server. */
	readonly knownHosts: string;
	/** A folder for data that belongs to the user. */
	readonly root: string;
	/** What the server logged. */
	log(): string;
	/** Ends the server and every connection, as a power failure would. */
	kill(): Promise<void>;
	/** Starts it again at the same port, with the same key. */
	restart(): Promise<void>;
	/** Ends the server and removes its folder; may be called twice. */
	close(): Promise<void>;
}

export interface SshdOptions {
	/** No shell: ForceCommand internal-sftp. */
	readonly sftpOnly?: boolean;
	/** Who signs in; usually who runs the test. Another one needs root. */
	readonly user?: string;
	/** What serves SFTP, a command of the shell. Usually a part of sshd itself. */
	readonly subsystem?: string;
	/** Lines for sshd_config. */
	readonly config?: readonly string[];
}

const PATIENCE = 15_000;
const PROGRAM = '/usr/sbin/sshd';
const HOST = '127.0.0.1';

/** True where OpenSSH cannot be started, which is said aloud. */
export function lacksSshd(): boolean {
	const missing = existsSync(PROGRAM) ? [] : ['sshd'];
	for (const program of missing) console.warn(`skipped: needs ${program}`);
	return lacks('ssh-keygen') || missing.length > 0;
}

/** Makes a key without a passphrase; its public half is at `PATH.pub`. */
export function makeKey(path: string, options: { readonly type?: 'ed25519' | 'ecdsa' | 'rsa'; readonly passphrase?: string } = {}): void {
	const { type = 'ed25519', passphrase = '' } = options;
	execFileSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'test', '-f', path], { stdio: 'ignore' });
}

/** Line of a known_hosts file for the public key in a file. */
export function knownHostsLine(at: { readonly host: string; readonly port: number }, publicKey: string): string {
	return `[${at.host}]:${at.port} ${readFileSync(publicKey, 'utf8').split(' ').slice(0, 2).join(' ')}\n`;
}

/** How a store signs in to a server: with its key, knowing its host key. */
export function storeOptions(server: Omit<Sshd, 'kill' | 'restart'>): SftpStoreOptions {
	const { host, port, user, privateKey, knownHosts, root } = server;
	return {
		host,
		port,
		user,
		path: root,
		auth: { privateKeys: [{ path: privateKey, text: readFileSync(privateKey, 'utf8') }] },
		knownHosts: [{ path: '/etc/known_hosts', text: knownHosts }],
		place: `sftp://${user}@${host}:${port}${root}`,
	};
}

/** Starts a private SSH server. */
export async function openSshd(options: SshdOptions = {}): Promise<Sshd> {
	const user = options.user ?? userInfo().username;
	const dir = realpathSync(mkdtempSync(join(tmpdir(), 'mailseal-sshd-')));
	// The user who signs in reads authorized_keys and reaches the data; the keys stay with who made them.
	chmodSync(dir, 0o755);
	const root = join(dir, 'data');
	mkdirSync(root, { mode: 0o700 });
	if (options.user !== undefined) chownSync(root, idOf('-u', user), idOf('-g', user));
	if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
	const hostKey = join(dir, 'host');
	const privateKey = join(dir, 'id');
	makeKey(hostKey);
	makeKey(privateKey);
	const authorized = join(dir, 'authorized_keys');
	writeFileSync(authorized, readFileSync(`${privateKey}.pub`), { mode: 0o644 });
	const port = await freePort();
	const config = join(dir, 'sshd_config');
	writeFileSync(
		config,
		[
			`Port ${port}`,
			`ListenAddress ${HOST}`,
			`HostKey ${hostKey}`,
			`PidFile ${join(dir, 'sshd.pid')}`,
			`AuthorizedKeysFile ${authorized}`,
			'StrictModes no',
			'UsePAM no',
			'PasswordAuthentication no',
			'KbdInteractiveAuthentication no',
			`Subsystem sftp ${options.subsystem ?? 'internal-sftp'}`,
			...(options.sftpOnly === true ? ['ForceCommand internal-sftp'] : []),
			...(options.config ?? []),
			'',
		].join('\n'),
	);
	const logPath = join(dir, 'log');
	let server: ChildProcess | null = null;

	async function start(): Promise<void> {
		const log = openSync(logPath, 'a');
		const child = spawn(PROGRAM, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', log] });
		closeSync(log);
		server = child;
		for (const deadline = Date.now() + PATIENCE; !(await accepts(port)); await delay(5)) {
			if (child.exitCode !== null || Date.now() > deadline)
				throw new Error(`Cannot start sshd; it logged: ${readFileSync(logPath, 'utf8')}`);
		}
	}

	async function kill(): Promise<void> {
		const child = server;
		server = null;
		if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
		const ended = once(child, 'exit');
		for (const pid of [child.pid, ...childrenOf(child.pid)]) endProcess(pid);
		await ended;
	}

	function killNow(): void {
		if (server?.pid !== undefined) endProcess(server.pid);
	}

	await start();
	process.once('exit', killNow);
	return {
		host: HOST,
		port,
		user,
		privateKey,
		knownHosts: knownHostsLine({ host: HOST, port }, `${hostKey}.pub`),
		root,
		log: () => readFileSync(logPath, 'utf8'),
		kill,
		restart: start,
		async close() {
			process.off('exit', killNow);
			await kill();
			rmSync(dir, { recursive: true, force: true });
		},
	};
}

/** Processes that a process started, and those that they did. */
function childrenOf(pid: number): number[] {
	let children: string;
	try {
		children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
	} catch {
		return [];
	}
	return children
		.split(' ')
		.filter((text) => text !== '')
		.map(Number)
		.flatMap((child) => [child, ...childrenOf(child)]);
}

/** A process may have ended by itself meanwhile. */
function endProcess(pid: number): void {
	try {
		process.kill(pid, 'SIGKILL');
	} catch {
		return;
	}
}

function idOf(which: '-u' | '-g', user: string): number {
	return Number(execFileSync('id', [which, user], { encoding: 'utf8' }));
}

async function accepts(port: number): Promise<boolean> {
	const socket = connect(port, HOST);
	try {
		await once(socket, 'connect');
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}
