import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type AuthContext, type AuthenticationType, Server } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { MailsealError } from '../../src/domain/index.ts';
import { openSftpStore, type SftpStoreOptions } from '../../src/remote/sftp-store.ts';
import { freePort } from '../support/free-port.ts';
import { knownHostsLine, lacksSshd, makeKey, openSshd, type Sshd, storeOptions } from '../support/sshd.ts';

const NEVER = new AbortController().signal;

/** How the first call ends: null where it succeeds. */
async function firstCall(options: SftpStoreOptions): Promise<MailsealError | null> {
	const store = openSftpStore(options);
	try {
		await store.top(1, NEVER);
		return null;
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
		return error;
	} finally {
		await store.close();
	}
}

function everythingIn(error: MailsealError | null): string {
	return `${error?.message} ${error?.hint} ${JSON.stringify(error?.details)} ${error?.cause}`;
}

describe.skipIf(lacksSshd())('an SFTP store at OpenSSH', () => {
	let dir: string;
	let sshd: Sshd;
	beforeAll(async () => {
		dir = realpathSync(mkdtempSync(join(tmpdir(), 'mailseal-keys-')));
		makeKey(join(dir, 'rsa-host'), { type: 'rsa' });
		sshd = await openSshd({ config: [`HostKey ${join(dir, 'rsa-host')}`, 'MaxAuthTries 3'] });
		makeKey(join(dir, 'stranger'));
		makeKey(join(dir, 'locked'), { passphrase: 'sesame' });
	});
	afterAll(async () => {
		await sshd.close();
		rmSync(dir, { recursive: true });
	});

	function key(name: string, passphrase?: string) {
		const path = join(dir, name);
		return { path, text: readFileSync(path, 'utf8'), ...(passphrase === undefined ? {} : { passphrase }) };
	}
	function mine() {
		return storeOptions(sshd).auth.privateKeys;
	}
	function signingIn(auth: SftpStoreOptions['auth']): Promise<MailsealError | null> {
		return firstCall({ ...storeOptions(sshd), auth });
	}

	/** An ssh-agent of this test's own, with the keys. */
	async function openAgent(...keys: readonly string[]): Promise<string> {
		const socket = join(dir, `agent-${keys.length}`);
		const agent: ChildProcess = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
		const ended = once(agent, 'exit');
		onTestFinished(async () => {
			agent.kill();
			await ended;
		});
		while (!existsSync(socket)) await delay(5);
		for (const path of keys) execFileSync('ssh-add', ['-q', path], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' });
		return socket;
	}

	describe('signing in', () => {
		it('takes the key that the server knows, and passes over those that it does not', async () => {
			expect(await signingIn({ privateKeys: mine() })).toBe(null);
			expect(await signingIn({ privateKeys: [key('stranger'), ...mine()] })).toBe(null);
		});

		it('ends at once with `permission` where the server refuses every key, and names them', async () => {
			const error = await signingIn({ privateKeys: [key('stranger')], password: 'open sesame' });
			expect(error).toMatchObject({ code: 'permission', retryable: false });
			expect(error?.message).toContain(`the key "${join(dir, 'stranger')}"`);
			expect(error?.hint).toContain('authorized_keys');
			expect(everythingIn(error)).not.toContain('open sesame');
			expect(everythingIn(error)).not.toContain('PRIVATE KEY');
		});

		it('is `permission` too where the server hangs up on somebody who tries too much', async () => {
			const error = await signingIn({ privateKeys: Array.from({ length: 5 }, () => key('stranger')) });
			expect(error).toMatchObject({ code: 'permission', retryable: false });
		});

		it('says so where a key is encrypted, and goes on with what else there is', async () => {
			const error = await signingIn({ privateKeys: [key('locked')] });
			expect(error).toMatchObject({ code: 'permission', retryable: false });
			expect(error?.message).toContain(`"${join(dir, 'locked')}" cannot be used: it is encrypted`);
			expect(error?.hint).toContain(`ssh-add ${join(dir, 'locked')}`);
			const both = await signingIn({ privateKeys: [key('locked'), key('stranger')] });
			expect(both?.message).toContain('refuses the key');
			expect(both?.message).toContain('it is encrypted');
			expect(await signingIn({ privateKeys: [key('locked'), ...mine()] })).toBe(null);
		});

		it('opens an encrypted key with its passphrase, and names no passphrase that is wrong', async () => {
			const right = await signingIn({ privateKeys: [key('locked', 'sesame')] });
			expect(right?.message).toContain('the server refuses the key');
			const wrong = await signingIn({ privateKeys: [key('locked', 'open-barley')] });
			expect(wrong).toMatchObject({ code: 'permission', retryable: false });
			expect(wrong?.message).toContain('its passphrase is another one');
			expect(everythingIn(wrong)).not.toContain('barley');
		});

		it('says what is no private key', async () => {
			const error = await signingIn({ privateKeys: [key('stranger.pub'), { path: '/junk', text: 'junk' }] });
			expect(error).toMatchObject({ code: 'permission' });
			expect(error?.message).toContain('it is a public key');
			expect(error?.message).toContain('"/junk" cannot be used: it is in no form that is known');
		});

		it('says so where there is nothing to sign in with', async () => {
			const error = await signingIn({ privateKeys: [] });
			expect(error).toMatchObject({ code: 'permission', retryable: false });
			expect(error?.message).toContain('nothing to sign in with');
		});

		it('lets an ssh-agent sign', async () => {
			expect(await signingIn({ privateKeys: [], agent: await openAgent(join(dir, 'stranger'), sshd.privateKey) })).toBe(null);
		});

		it('says so where the agent has no good key, and where there is no agent', async () => {
			const agent = await openAgent(join(dir, 'stranger'));
			expect((await signingIn({ privateKeys: [], agent }))?.message).toContain(`refuses the ssh-agent at "${agent}"`);
			const error = await signingIn({ privateKeys: [], agent: join(dir, 'nowhere') });
			expect(error).toMatchObject({ code: 'permission', retryable: false });
			expect(error?.message).toContain('the ssh-agent says');
			expect(await signingIn({ privateKeys: mine(), agent: join(dir, 'nowhere') })).toBe(null);
		});
	});

	describe('trusting the host', () => {
		function trusting(text: string): Promise<MailsealError | null> {
			return firstCall({ ...storeOptions(sshd), knownHosts: [{ path: '/etc/known_hosts', text }] });
		}
		function fingerprintOf(publicKey: string): string {
			return execFileSync('ssh-keygen', ['-l', '-f', publicKey], { encoding: 'utf8' }).split(' ')[1] ?? '';
		}

		it('shows the fingerprint of an unknown host, and how to add it', async () => {
			const error = await trusting('');
			expect(error).toMatchObject({ code: 'permission', retryable: false });
			expect(error?.message).toContain('its host key is unknown');
			expect(error?.message).toContain(fingerprintOf(join(sshd.privateKey, '..', 'host.pub')));
			const command = /run "(ssh-keyscan .*) >> \/etc\/known_hosts"/.exec(error?.hint ?? '')?.[1] ?? '';
			const [program = '', ...args] = command.split(' ');
			const added = execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
			expect(await trusting(added)).toBe(null);
		});

		it('is loud where the key is not the one that is known', async () => {
			const error = await trusting(knownHostsLine(sshd, join(dir, 'stranger.pub')));
			expect(error).toMatchObject({ code: 'permission', retryable: false });
			expect(error?.message).toContain('ITS HOST KEY IS NOT THE ONE THAT IS KNOWN (/etc/known_hosts:1)');
			expect(error?.hint).toContain('ssh-keygen -R');
		});

		it('is loud where the key was revoked', async () => {
			const error = await trusting(`${sshd.knownHosts}@revoked ${sshd.knownHosts}`);
			expect(error).toMatchObject({ code: 'permission', retryable: false });
			expect(error?.message).toContain('REVOKED');
		});

		it('asks a host with several keys for one that is known', async () => {
			expect(await trusting(knownHostsLine(sshd, join(dir, 'rsa-host.pub')))).toBe(null);
			expect(await trusting(sshd.knownHosts)).toBe(null);
		});

		it('sends no password and no key to a host that it does not trust', async () => {
			const before = sshd.log();
			await trusting('');
			await delay(50);
			expect(sshd.log().slice(before.length)).not.toMatch(/Failed|Accepted|Postponed/);
		});
	});
});

describe.skipIf(lacksSshd())('an SFTP store at a server that takes passwords', () => {
	interface PasswordServer {
		readonly options: SftpStoreOptions;
		/** How often somebody was let in, and sent away again. */
		signedIn(): number;
	}

	/** A server that names `methods`, and asks `accept` about each try; null where `accept` answers by itself. */
	async function openPasswordServer(
		accept: (context: AuthContext) => boolean | null,
		methods: AuthenticationType[],
	): Promise<PasswordServer> {
		const dir = mkdtempSync(join(tmpdir(), 'mailseal-password-'));
		makeKey(join(dir, 'host'));
		let signedIn = 0;
		const server = new Server({ hostKeys: [readFileSync(join(dir, 'host'))] }, (client) => {
			client.on('authentication', (context) => {
				const accepted = accept(context);
				if (accepted === true) context.accept();
				else if (accepted === false) context.reject(methods);
			});
			client.on('ready', () => {
				signedIn++;
				client.end();
			});
			client.on('error', () => {});
		});
		const port = await freePort();
		server.listen(port, '127.0.0.1');
		await once(server, 'listening');
		onTestFinished(async () => {
			server.close();
			rmSync(dir, { recursive: true });
		});
		const knownHosts = [{ path: '/kh', text: knownHostsLine({ host: '127.0.0.1', port }, join(dir, 'host.pub')) }];
		const place = `sftp://me@127.0.0.1:${port}/data`;
		return {
			options: { host: '127.0.0.1', port, user: 'me', path: '/data', place, knownHosts, auth: { privateKeys: [], password: 'sesame' } },
			signedIn: () => signedIn,
		};
	}

	it('sends the password where the server asks for one', async () => {
		const { options, signedIn } = await openPasswordServer(
			(context) => context.method === 'password' && context.password === 'sesame',
			['password'],
		);
		await firstCall(options);
		expect(signedIn()).toBe(1);
	});

	it('answers with the password where the server asks questions', async () => {
		const { options, signedIn } = await openPasswordServer(
			(context) => {
				if (context.method !== 'keyboard-interactive') return false;
				context.prompt([{ prompt: 'Password:', echo: false }], (answers) => {
					if (answers[0] === 'sesame') context.accept();
					else context.reject();
				});
				return null;
			},
			['keyboard-interactive'],
		);
		await firstCall(options);
		expect(signedIn()).toBe(1);
	});

	it.each([
		['key, then password', ['publickey', 'password']],
		['password, then key', ['password', 'publickey']],
	] as const)('gives both proofs where the server wants two: %s', async (_order, order) => {
		const wanted: AuthenticationType[] = [...order];
		const { options, signedIn } = await openPasswordServer((context) => {
			if (context.method !== wanted[0]) {
				context.reject(wanted.slice(0, 1));
				return null;
			}
			// A key is shown first, and signs when the server would take it.
			if (context.method === 'publickey' && context.signature === undefined) return true;
			wanted.shift();
			if (wanted.length === 0) return true;
			context.reject([...wanted], true);
			return null;
		}, []);
		const dir = mkdtempSync(join(tmpdir(), 'mailseal-two-'));
		onTestFinished(() => rmSync(dir, { recursive: true }));
		makeKey(join(dir, 'mine'));
		const privateKeys = [{ path: '/mine', text: readFileSync(join(dir, 'mine'), 'utf8') }];
		await firstCall({ ...options, auth: { privateKeys, password: 'sesame' } });
		expect(signedIn()).toBe(1);
	});

	it('is refused at once with a wrong password, which it does not name', async () => {
		const { options, signedIn } = await openPasswordServer(() => false, ['password', 'keyboard-interactive']);
		const error = await firstCall({ ...options, auth: { privateKeys: [], password: 'barley' } });
		expect(signedIn()).toBe(0);
		expect(error).toMatchObject({ code: 'permission', retryable: false });
		expect(error?.message).toContain('refuses the password');
		expect(everythingIn(error)).not.toContain('barley');
	});
});

describe('an SFTP store at what is no SSH server', () => {
	const options = { host: '127.0.0.1', user: 'me', path: '/data', place: 'sftp://me@127.0.0.1/data', knownHosts: [] };

	it('is `unreachable` where nothing listens', async () => {
		const error = await firstCall({ ...options, port: await freePort(), auth: { privateKeys: [], password: 'sesame' } });
		expect(error).toMatchObject({ code: 'unreachable', retryable: true });
		expect(error?.message).toBe('Cannot reach "sftp://me@127.0.0.1/data": nothing answers at that port');
	});

	it.each([
		['hangs up', ''],
		['speaks another language', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
	])('is `unreachable` where somebody %s', async (_what, text) => {
		const server = createServer((socket) => {
			socket.on('error', () => {});
			socket.end(text);
		}).listen(0, '127.0.0.1');
		await once(server, 'listening');
		onTestFinished(() => void server.close());
		const address = server.address();
		const port = typeof address === 'object' && address !== null ? address.port : 0;
		const error = await firstCall({ ...options, port, auth: { privateKeys: [], password: 'sesame' } });
		expect(error).toMatchObject({ code: 'unreachable', message: expect.stringContaining('before it said that it is an SSH server') });
	});

	it('ends with `interrupted` while it waits for a server that says nothing', async () => {
		const server = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
		await once(server, 'listening');
		onTestFinished(() => void server.close());
		const address = server.address();
		const port = typeof address === 'object' && address !== null ? address.port : 0;
		const store = openSftpStore({ ...options, port, auth: { privateKeys: [], password: 'sesame' } });
		const controller = new AbortController();
		const call = store.top(1, controller.signal);
		setTimeout(() => controller.abort(), 20);
		await expect(call).rejects.toMatchObject({ code: 'interrupted' });
		await store.close();
	});
});
