import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A way to a server that breaks once. */
export interface CuttingProxy {
	readonly host: string;
	readonly port: number;
	/** Connections that were cut so far. */
	readonly cuts: number;
	/** Connections that were opened so far. */
	readonly connections: number;
	/** Bytes that went to the server and came from it so far, over all connections. */
	readonly up: number;
	readonly down: number;
	/** Cuts whatever is open now. */
	cutNow(): void;
	/** Sets the next cut, counted from now over all connections. */
	cutAfter(bytes: { readonly up?: number; readonly down?: number }): void;
	close(): Promise<void>;
}

export interface CuttingProxyOptions {
	/** 0 or left out for one that is free. */
	readonly port?: number;
	readonly target: { readonly host: string; readonly port: number };
	/** Bytes to the server that are let through before the connection is cut; later connections pass. */
	readonly cutAfterUp?: number;
	/** The same for bytes from the server. */
	readonly cutAfterDown?: number;
}

/** Opens a proxy that cuts one connection after so many bytes, and lets all later ones pass. */
export async function openCuttingProxy(options: CuttingProxyOptions): Promise<CuttingProxy> {
	const { target } = options;
	const open = new Set<Socket>();
	const seen = { up: 0, down: 0 };
	let limit: { readonly up: number; readonly down: number } | null = null;
	let cuts = 0;
	let connections = 0;

	function cutAfter({
		up = Number.POSITIVE_INFINITY,
		down = Number.POSITIVE_INFINITY,
	}: {
		readonly up?: number;
		readonly down?: number;
	}): void {
		limit = { up: seen.up + up, down: seen.down + down };
	}
	if (options.cutAfterUp !== undefined || options.cutAfterDown !== undefined) {
		cutAfter({
			...(options.cutAfterUp === undefined ? {} : { up: options.cutAfterUp }),
			...(options.cutAfterDown === undefined ? {} : { down: options.cutAfterDown }),
		});
	}

	const server = createServer({ noDelay: true }, (near) => {
		connections++;
		const far = connect({ ...target, noDelay: true });
		function cut(): void {
			limit = null;
			cuts++;
			near.resetAndDestroy();
			far.resetAndDestroy();
		}
		function forward(from: Socket, to: Socket, way: 'up' | 'down'): void {
			open.add(from);
			from.on('data', (bytes: Buffer) => {
				const room = limit === null ? bytes.length : limit[way] - seen[way];
				seen[way] += Math.min(room, bytes.length);
				if (room > bytes.length || limit === null) {
					if (!to.write(bytes)) from.pause();
					return;
				}
				to.write(bytes.subarray(0, room), cut);
				from.pause();
			});
			to.on('drain', () => from.resume());
			from.on('end', () => to.end());
			from.on('error', () => to.destroy());
			from.on('close', () => {
				open.delete(from);
				to.destroy();
			});
		}
		forward(near, far, 'up');
		forward(far, near, 'down');
		if (limit !== null && (limit.up <= seen.up || limit.down <= seen.down)) cut();
	});
	server.listen(options.port ?? 0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	if (address === null || typeof address === 'string') throw new Error('no port was given');
	return {
		host: '127.0.0.1',
		port: address.port,
		get cuts() {
			return cuts;
		},
		get connections() {
			return connections;
		},
		get up() {
			return seen.up;
		},
		get down() {
			return seen.down;
		},
		cutNow() {
			if (open.size > 0) cuts++;
			for (const socket of open) socket.resetAndDestroy();
		},
		cutAfter,
		async close() {
			for (const socket of open) socket.destroy();
			server.close();
			await once(server, 'close');
		},
	};
}
