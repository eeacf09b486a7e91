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

test('messages that grew since they were listed are not all read into memory at once', async () => {
	const folder = temporaryFolder();
	const paths = ['small', 'large', 'larger', 'little'].map((name) => join(folder, name));
	for (const [index, size] of [100, 900_000, 5_000_000, 200].entries())
		writeFileSync(paths[index] ?? '', Buffer.alloc(size, 'Subject: x\n'));
	const task = { type: 'ingest', compress: true, attachmentMin: 8192, limit: 1e7 } as const;
	const { items } = await inThisThread().run({ ...task, paths, bytes: 400 });
	expect(items.map((item) => (item.kind === 'unreadable' ? item.why : item.kind))).toEqual(['message', 'message', 'vanished', 'message']);
	const alone = await inThisThread().run({ ...task, paths: paths.slice(2, 3), bytes: 100 });
	expect(alone.items).toMatchObject([{ kind: 'message', message: { size: 5_000_000 } }]);
});
