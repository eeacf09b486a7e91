import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { openSftpStore } from '../../src/remote/sftp-store.ts';
import { describeBlobStore } from '../contract/blob-store.ts';
import { lacksRclone, openRcloneSftp } from '../support/rclone-sftp.ts';
import { lacksSshd, openSshd, type Sshd, storeOptions } from '../support/sshd.ts';

type Server = Omit<Sshd, 'kill' | 'restart'>;

/** Runs the contract against one server; each test has a root of its own there. */
function describeServer(options: {
	readonly name: string;
	readonly skip: boolean;
	readonly start: () => Promise<Server>;
	/** The path by which the server knows its folder for data. */
	readonly top: (server: Server) => string;
	readonly atomicCreate: boolean;
}): void {
	const { name, skip, start, top, atomicCreate } = options;
	describe(name, () => {
		let server: Server;
		beforeAll(async () => {
			if (!skip) server = await start();
		});
		afterAll(() => server?.close());
		describeBlobStore({
			name,
			skip,
			atomicCreate,
			temporaryName: 'bundles/ab/.tmp-0123456789abcdef',
			async open() {
				const folder = randomBytes(4).toString('hex');
				const root = join(server.root, folder);
				const store = openSftpStore({
					...storeOptions(server),
					path: join(top(server), folder),
				});
				return {
					store,
					async plant(blob, bytes) {
						const path = join(root, blob);
						mkdirSync(dirname(path), { recursive: true });
						rmSync(path, { force: true });
						writeFileSync(path, bytes);
					},
					async close() {
						rmSync(root, { recursive: true, force: true });
					},
				};
			},
		});
	});
}

const noSshd = lacksSshd();

describeServer({
	name: 'SFTP at OpenSSH with a shell',
	skip: noSshd,
	start: () => openSshd(),
	top: ({ root }) => root,
	atomicCreate: true,
});

describeServer({
	name: 'SFTP at OpenSSH without a shell',
	skip: noSshd,
	start: () => openSshd({ sftpOnly: true }),
	top: ({ root }) => root,
	atomicCreate: true,
});

describeServer({
	name: 'SFTP at rclone',
	skip: lacksRclone(),
	start: openRcloneSftp,
	top: () => '/',
	atomicCreate: false,
});
