import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const PATIENCE = 30_000;

/** A server that a test started. */
export interface Daemon {
	/** SIGKILL, and the wait for its end; may be called twice. */
	kill(): Promise<void>;
}

/** Servers of one test file and the folder that they live in. */
export interface Daemons {
	readonly dir: string;
	/** Starts a server that stays in the foreground. What it says goes to `NAME.out` in the folder. */
	start(program: string, args: readonly string[], environment?: Readonly<Record<string, string>>): Daemon;
	/** Runs a program to its end, which must be a good one, and gives what it said. */
	run(program: string, args: readonly string[]): Promise<string>;
	/** Asks until `ready` says so; throws what the servers said where one of them ended, or none became ready in time. */
	wait(ready: () => Promise<boolean>): Promise<void>;
	/** Ends every server and removes the folder. */
	close(): Promise<void>;
}

/** True where something answers HTTP at `url`, whatever it says. */
export function answers(url: string): Promise<boolean> {
	return new Promise((resolve) => {
		get(url, { agent: false }, (response) => {
			response.destroy();
			resolve(true);
		}).on('error', () => resolve(false));
	});
}

/** Makes the folder; `environment` goes to everything that is run. */
export function openDaemons(environment: (dir: string) => Readonly<Record<string, string>> = () => ({})): Daemons {
	const dir = realpathSync(mkdtempSync(join(tmpdir(), 'mailseal-')));
	const started: { readonly name: string; readonly child: ChildProcess; readonly daemon: Daemon }[] = [];
	const env = { PATH: process.env.PATH, HOME: dir, ...environment(dir) };

	/** For a run that ends without `close()`. */
	function endAll(): void {
		for (const { child } of started) child.kill('SIGKILL');
		rmSync(dir, { recursive: true, force: true });
	}
	process.once('exit', endAll);

	function said(): string {
		return started
			.map(({ name }) => join(dir, `${name}.out`))
			.filter(existsSync)
			.map((path) => `${basename(path)}: ${readFileSync(path, 'utf8').slice(-2_000)}`)
			.join('\n');
	}

	return {
		dir,
		start(program, args, more = {}) {
			const name = basename(program);
			const out = openSync(join(dir, `${name}.out`), 'a');
			const child = spawn(program, args, { cwd: dir, env: { ...env, ...more }, stdio: ['ignore', out, out] });
			closeSync(out);
			const ended = once(child, 'exit');
			const daemon: Daemon = {
				async kill() {
					const at = started.findIndex((one) => one.child === child);
					if (at >= 0) started.splice(at, 1);
					if (child.exitCode === null && child.signalCode === null) {
						child.kill('SIGKILL');
						await ended;
					}
				},
			};
			started.push({ name, child, daemon });
			return daemon;
		},
		async run(program, args) {
			const { stdout } = await promisify(execFile)(program, args, { cwd: dir, env, timeout: PATIENCE });
			return stdout;
		},
		async wait(ready) {
			const until = Date.now() + PATIENCE;
			while (!(await ready())) {
				const ended = started.find(({ child }) => child.exitCode !== null || child.signalCode !== null);
				if (ended !== undefined) throw new Error(`${ended.name} ended with ${ended.child.exitCode}\n${said()}`);
				if (Date.now() > until) throw new Error(`the servers are not ready\n${said()}`);
				await delay(20);
			}
		},
		async close() {
			process.off('exit', endAll);
			await Promise.all([...started].map(({ daemon }) => daemon.kill()));
			rmSync(dir, { recursive: true, force: true });
		},
	};
}
