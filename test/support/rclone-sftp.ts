import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { lacks } from './needs.ts';
import { knownHostsLine, lacksSshd, makeKey, type Sshd } from './sshd.ts';

const PATIENCE = 15_000;
const HOST = '127.0.0.1';

/** True where rclone cannot be started, which is said aloud. */
export function lacksRclone(): boolean {
	return lacks('rclone') || lacksSshd();
}

/** Starts an SFTP server that differs from OpenSSH: renames take the place of what is there, and neither fsync nor programs are offered. `root` is `/` to its users. */
export async function openRcloneSftp(): Promise<Omit<Sshd, 'kill' | 'restart'>> {
	const dir = realpathSync(mkdtempSync(join(tmpdir(), 'mailseal-rclone-')));
	const root = join(dir, 'data');
	mkdirSync(root);
	const hostKey = join(dir, 'host');
	const privateKey = join(dir, 'id');
	makeKey(hostKey);
	makeKey(privateKey);
	const port = await freePort();
	const logPath = join(dir, 'log');
	const log = openSync(logPath, 'a');
	// Bytes that a test puts there behind the server's back must show at once.
	const args = ['serve', 'sftp', root, '--addr', `${HOST}:${port}`, '--key', hostKey, '--authorized-keys', `${privateKey}.pub`];
	const child = spawn('rclone', [...args, '--dir-cache-time', '0s'], {
		env: { PATH: process.env.PATH, HOME: dir, RCLONE_CONFIG: join(dir, 'none.conf'), RCLONE_CACHE_DIR: join(dir, 'cache') },
		stdio: ['ignore', log, log],
	});
	closeSync(log);
	const ended = once(child, 'exit');
	const killNow = (): boolean => child.kill('SIGKILL');
	process.once('exit', killNow);
	async function close(): Promise<void> {
		process.off('exit', killNow);
		if (child.exitCode === null && child.signalCode === null) {
			killNow();
			await ended;
		}
		rmSync(dir, { recursive: true, force: true });
	}
	for (const deadline = Date.now() + PATIENCE; !(await accepts(port)); await delay(10)) {
		if (child.exitCode === null && Date.now() < deadline) continue;
		const said = readFileSync(logPath, 'utf8');
		await close();
		throw new Error(`Cannot start rclone; it said: ${said}`);
	}
	return {
		host: HOST,
		port,
		user: 'anybody',
		privateKey,
		knownHosts: knownHostsLine({ host: HOST, port }, `${hostKey}.pub`),
		root,
		log: () => readFileSync(logPath, 'utf8'),
		close,
	};
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
