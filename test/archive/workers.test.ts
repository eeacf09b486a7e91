import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inThisThread, temporaryFolder } from '../support/archive.ts';

test('what was read in this thread holds no more memory than what is stored of it', async () => {
	const folder = temporaryFolder();
	const mail = {
		large: Buffer.alloc(1_900_000, 'Subject: large\n'),
		small: randomBytes(100),
		apart: Buffer.concat([Buffer.from('Content-Type: image/png\n\n'), randomBytes(10_000)]),
	};
	const paths = Object.entries(mail).map(([name, bytes]) => {
		const path = join(folder, name);
		writeFileSync(path, bytes);
		return path;
	});
	const bytes = Object.values(mail).reduce((total, { length }) => total + length, 0);
	const { items } = await inThisThread().run({ type: 'ingest', paths, bytes, compress: true, attachmentMin: 8192, limit: 1e7 });
	const messages = items.flatMap((item) => (item.kind === 'message' ? [item.message] : []));
	const attachments = messages.flatMap((message) => message.attachments);
	expect([messages.length, attachments.length]).toEqual([3, 1]);
	const held = new Set([...messages, ...attachments].map(({ stored }) => stored.buffer));
	expect([...held].reduce((total, { byteLength }) => total + byteLength, 0)).toBeLessThan(50_000);
});
