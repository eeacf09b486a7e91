import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** First argument of the process that runs `runSlowLine()`. */
export const SLOW_LINE = 'slow-line';

const HOST = '127.0.0.1';
/** What may pass before its time, so that timers, which are coarse, do not make the line slower than it is. Milliseconds. */
const AHEAD = 4;

/**
 * Passes connections on to a server on this machine, no faster than a line of so many bytes a second each way: all connections share it.
 * Says its port on standard output, and runs until it is killed.
 */
export async function runSlowLine(options: { readonly port: number; readonly bytesPerSecond: number }): Promise<void> {
	/** When the line is free again, by the clock of `performance`, for each way. */
	const free = { up: 0, down: 0 };

	function forward(from: Socket, to: Socket, way: 'up' | 'down'): void {
		from.on('data', (bytes: Buffer) => {
			const now = performance.now();
			free[way] = Math.max(free[way], now) + (bytes.length / options.bytesPerSecond) * 1000;
			const early = free[way] - now - AHEAD;
			const isFull = !to.write(bytes);
			if (early <= 0 && !isFull) return;
			from.pause();
			const passed = early <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, early));
			const drained = isFull ? once(to, 'drain') : Promise.resolve();
			Promise.all([passed, drained]).then(
				() => from.resume(),
				() => from.destroy(),
			);
		});
		from.on('end', () => to.end());
		from.on('error', () => to.destroy());
		from.on('close', () => to.destroy());
	}

	const server = createServer({ noDelay: true }, (near) => {
		const far = connect({ host: HOST, port: options.port, noDelay: true });
		forward(near, far, 'up');
		forward(far, near, 'down');
	});
	server.listen(0, HOST);
	await once(server, 'listening');
	const address = server.address();
	if (address === null || typeof address === 'string') throw new Error('no port was given');
	process.stdout.write(`${address.port}\n`);
}

/** Starts such a line in a process of its own, which is this program once more. */
export async function openSlowLine(port: number, bytesPerSecond: number): Promise<{ readonly port: number; close(): Promise<void> }> {
	const child: ChildProcess = spawn(process.execPath, [process.argv[1] ?? '', SLOW_LINE, String(port), String(bytesPerSecond)], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const kill = (): boolean => child.kill('SIGKILL');
	process.once('exit', kill);
	if (child.stdout === null) throw new Error('the line has no output');
	const [said] = (await once(child.stdout, 'data')) as [Buffer];
	return {
		port: Number(said),
		async close() {
			process.off('exit', kill);
			const ended = once(child, 'exit');
			kill();
			await ended;
		},
	};
}
