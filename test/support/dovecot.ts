import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Owner of all mail. No account of the machine need have the number. */
export const MAIL_OWNER = 5000;
export const PASSWORD = 'secret';

const USERS = ['dovecot', 'dovenull'];
/** A unix socket has a path of at most 107 bytes. */
const LONGEST_FOLDER = 70;
const PATIENCE = 15_000;

/** A Dovecot of this test's own: every user name logs in with PASSWORD. */
export interface Dovecot {
	readonly port: number;
	/** Has one home directory each user, made here by `adopt` or by Dovecot itself. */
	readonly homes: string;
	/** Makes a Maildir the `Maildir` of a user: moves it, and gives it to the owner of all mail. */
	adopt(user: string, maildir: string): void;
	/** Warnings and errors that it has logged. */
	complaints(): string[];
	stop(): Promise<void>;
}

/** True where Dovecot cannot be started, which is said aloud. */
export function lacksDovecot(): boolean {
	const reasons: string[] = [];
	if (process.platform !== 'linux' || process.getuid?.() !== 0)
		reasons.push('root on Linux (Dovecot drops its rights to users of its own)');
	if (spawnSync('dovecot', ['--version']).error !== undefined || !existsSync('/usr/lib/dovecot/imap')) reasons.push('dovecot with imapd');
	else if (USERS.some((user) => spawnSync('id', ['-u', user]).status !== 0)) reasons.push(`the users ${USERS.join(' and ')}`);
	for (const reason of reasons) console.warn(`skipped: needs ${reason}`);
	return reasons.length > 0;
}

function configOf(options: { readonly dir: string; readonly port: number; readonly location: string }): string {
	const { dir, port, location } = options;
	return `
base_dir = ${dir}/run
state_dir = ${dir}/run
log_path = ${dir}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = ${MAIL_OWNER}
mail_location = ${location}
passdb {
  driver = static
  args = password=${PASSWORD}
}
userdb {
  driver = static
  args = uid=${MAIL_OWNER} gid=${MAIL_OWNER} home=${dir}/home/%u allow_all_users=yes
}
namespace inbox {
  inbox = yes
  separator = /
}
service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
`;
}

/** Starts a private Dovecot; `location` is its mail_location. */
export async function startDovecot(location = 'maildir:~/Maildir'): Promise<Dovecot> {
	const parent = realpathSync(tmpdir());
	const dir = mkdtempSync(join(parent.length < LONGEST_FOLDER ? parent : '/tmp', 'ms-'));
	const homes = join(dir, 'home');
	mkdirSync(homes);
	mkdirSync(join(dir, 'run'));
	// The processes that read mail run as its owner.
	chmodSync(dir, 0o711);
	give(homes);
	const port = await freePort();
	const config = join(dir, 'dovecot.conf');
	const log = join(dir, 'dovecot.log');
	writeFileSync(config, configOf({ dir, port, location }));
	const child = spawn('dovecot', ['-F', '-c', config], { stdio: 'ignore' });
	const ended = once(child, 'exit');
	const kill = (): boolean => child.kill('SIGTERM');
	process.once('exit', kill);
	async function stop(): Promise<void> {
		process.removeListener('exit', kill);
		if (child.exitCode === null && child.signalCode === null) {
			kill();
			await ended;
		}
		rmSync(dir, { recursive: true, force: true });
	}
	for (const deadline = Date.now() + PATIENCE; !(await accepts(port)); await delay(20)) {
		if (child.exitCode === null && Date.now() < deadline) continue;
		const said = existsSync(log) ? readFileSync(log, 'utf8') : 'nothing';
		await stop();
		throw new Error(`Cannot start dovecot; it logged: ${said}`);
	}
	return {
		port,
		homes,
		adopt(user, maildir) {
			const place = join(homes, user, 'Maildir');
			mkdirSync(dirname(place), { recursive: true });
			renameSync(maildir, place);
			give(dirname(place));
		},
		complaints: () =>
			readFileSync(log, 'utf8')
				.split('\n')
				.filter((line) => /(Warning|Error|Fatal|Panic):/.test(line)),
		stop,
	};
}

function give(path: string): void {
	execFileSync('chown', ['-R', `${MAIL_OWNER}:${MAIL_OWNER}`, path]);
}

async function freePort(): Promise<number> {
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	server.close();
	await once(server, 'close');
	if (address === null || typeof address === 'string') throw new Error('no port was given');
	return address.port;
}

async function accepts(port: number): Promise<boolean> {
	const socket = connect(port, '127.0.0.1');
	try {
		await once(socket, 'connect');
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}
