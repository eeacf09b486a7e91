import { describe, expect, it } from 'vitest';
import type { Session, SftpCall } from '../../src/remote/sftp/connection.ts';
import { keepOpenFiles, type OpenFile } from '../../src/remote/sftp/open-files.ts';

/** A session that only opens and closes, and remembers what is open. */
function fakeSession() {
	const open = new Set<string>();
	const opened: string[] = [];
	const call = {
		wait: <T>(shared: Promise<T>) => shared,
		async close(handle: Buffer) {
			if (!open.delete(handle.toString())) throw new Error(`${handle} was closed twice`);
		},
		end() {},
	} as SftpCall;
	return {
		session: { begin: () => call } as unknown as Session,
		call,
		open,
		opened,
		async openOne(name: string): Promise<OpenFile> {
			opened.push(name);
			open.add(name);
			return { handle: Buffer.from(name), size: 1 };
		},
	};
}

async function settled(): Promise<void> {
	await new Promise((resolve) => setImmediate(resolve));
}

describe('keepOpenFiles()', () => {
	it('opens a file once, and closes the one that was not used for longest', async () => {
		const { session, call, open, opened, openOne } = fakeSession();
		const files = keepOpenFiles(session, 2);
		for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) {
			expect(await files.use(name, { call, open: () => openOne(name), work: async ({ handle }) => handle.toString() })).toBe(name);
		}
		await settled();
		expect(opened).toEqual(['a', 'b', 'c', 'b']);
		expect([...open].sort()).toEqual(['a', 'b']);
	});

	it('opens a file once for two who ask side by side, and closes none that is in use', async () => {
		const { session, call, open, opened, openOne } = fakeSession();
		const files = keepOpenFiles(session, 1);
		let finish = (): void => {};
		const long = new Promise<void>((resolve) => {
			finish = resolve;
		});
		const reading = [1, 2].map(() => files.use('a', { call, open: () => openOne('a'), work: () => long }));
		for (const name of ['b', 'c']) await files.use(name, { call, open: () => openOne(name), work: async () => {} });
		files.forget('a');
		await settled();
		expect(opened).toEqual(['a', 'b', 'c']);
		expect(open.has('a')).toBe(true);
		finish();
		await Promise.all(reading);
		await settled();
		expect(open.has('a')).toBe(false);
	});

	it('opens a file anew after it was forgotten, and after work with it failed', async () => {
		const { session, call, open, opened, openOne } = fakeSession();
		const files = keepOpenFiles(session, 4);
		const use = (work: () => Promise<void>) => files.use('a', { call, open: () => openOne('a'), work });
		await use(async () => {});
		files.forget('a');
		files.forget('a');
		await settled();
		expect([...open]).toEqual([]);
		await expect(
			use(async () => {
				throw new Error('stale');
			}),
		).rejects.toThrow('stale');
		await use(async () => {});
		await settled();
		expect(opened).toEqual(['a', 'a', 'a']);
		expect([...open]).toEqual(['a']);
	});

	it('tries again to open what could not be opened', async () => {
		const { session, call, openOne } = fakeSession();
		const files = keepOpenFiles(session, 4);
		const refuse = async (): Promise<OpenFile> => {
			throw new Error('refused');
		};
		await expect(files.use('a', { call, open: refuse, work: async () => 1 })).rejects.toThrow('refused');
		expect(await files.use('a', { call, open: () => openOne('a'), work: async () => 2 })).toBe(2);
	});
});
