import { describe, expect, it } from 'vitest';
import type { PackResult } from '../../src/archive/index.ts';
import { MailsealError } from '../../src/domain/index.ts';
import type { BlobStore } from '../../src/remote/index.ts';
import { recordIo } from '../support/recorded-io.ts';
import { call, services, snapshot } from './call-main.ts';

const packed: PackResult = {
	snapshot,
	parent: null,
	accounts: 1,
	messages: { total: 1, added: 1, changed: 0, removed: 0 },
	sealed: { confirmed: 0, new: 0, newBytes: 0, rewrittenBytes: 0 },
	volatile: { bundles: 1, bytes: 10, newBytes: 10 },
	attachments: { total: 0, new: 0, sharedBytes: 0 },
	scan: { folders: 1, foldersRead: 1, filesRead: 1, bytesRead: 10 },
	seconds: 0,
};

/** A pack that succeeds, and a sync that ends with what `end` throws. */
function failing(end: () => unknown) {
	return services({
		pack: async () => ({ result: packed, findings: [] }),
		openStore: () => ({ async close() {} }) as BlobStore,
		async sync() {
			throw end();
		},
	});
}

describe('pack --sync', () => {
	const interrupted = new MailsealError('interrupted', 'Cannot finish: SIGINT was received', { hint: 'run the command again' });

	it.each([
		['the signal', interrupted],
		['what an aborted call throws', new DOMException('This operation was aborted', 'AbortError')],
	])('tells the pack that is done where the sync is interrupted, with 130: %s', async (_name, thrown) => {
		const io = recordIo();
		const load = failing(() => {
			io.abort(interrupted);
			return thrown;
		});
		const { code, out, err } = await call(['pack', '/m', '--sync', '/there'], load, io);
		expect(code).toBe(130);
		expect(out).toContain(`snapshot  ${snapshot}\n`);
		expect(err).toBe(
			'error: /there: The pack is done, and was not shipped: Cannot finish: SIGINT was received; run "mailseal sync TARGET" [sync-failed]\n',
		);
	});

	it('names the folder that took nothing in full, with the hint of the sync', async () => {
		const load = failing(() => new MailsealError('unreachable', 'Cannot reach it', { hint: 'is the disk mounted?' }));
		const { code, out } = await call(['pack', '/m', '--sync', './there', '--json'], load);
		expect(code).toBe(4);
		expect(JSON.parse(out)).toMatchObject({
			result: { snapshot, sync: null },
			findings: [{ code: 'sync-failed', subject: '/nowhere/here/there', hint: 'is the disk mounted?' }],
		});
	});

	it('takes no bug for a sync that failed', async () => {
		const load = failing(() => new TypeError('x is not a function'));
		expect((await call(['pack', '/m', '--sync', '/there'], load)).code).toBe(70);
	});

	it('refuses an address with a secret before the pack, and repeats none of it', async () => {
		const io = recordIo({ env: { AWS_ENDPOINT_URL_S3: 'https://user:hunter2@s3.example.org' } });
		const bare = services({});
		for (const target of ['sftp://user:hunter2@host/mail', 's3://bucket/mail']) {
			const { code, out } = await call(['pack', '/m', '--sync', target, '--json'], bare, io);
			expect(code).toBe(2);
			expect(out).not.toContain('hunter2');
		}
	});
});
