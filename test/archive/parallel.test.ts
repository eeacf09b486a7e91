import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eachParallel } from '../../src/archive/parallel.ts';
import { MailsealError } from '../../src/domain/index.ts';
import { never } from '../support/archive.ts';

/** Numbers from 0 on, and how many of them were asked for. */
function* counting(end: number, asked: number[] = []): Generator<number> {
	for (let number = 0; number < end; number++) {
		asked.push(number);
		yield number;
	}
}

test('eachParallel() does all, starts them in order, and never has more under way than the width', async () => {
	for (const width of [1, 3, 50]) {
		const started: number[] = [];
		let running = 0;
		let most = 0;
		await eachParallel(counting(20), {
			width,
			signal: never,
			async work(item) {
				started.push(item);
				most = Math.max(most, ++running);
				// The first take longest: an end before theirs must not change the order of starts.
				await sleep(item % 3 === 0 ? 4 : 0);
				running--;
			},
		});
		expect(started).toEqual([...counting(20)]);
		expect(most).toBe(Math.min(width, 20));
	}
});

test('eachParallel() takes a width below one for one, and has nothing to do for no items', async () => {
	const done: number[] = [];
	await eachParallel([1, 2], { width: 0, signal: never, work: async (item) => void done.push(item) });
	await eachParallel([], { width: 0, signal: never, work: async (item) => void done.push(item) });
	expect(done).toEqual([1, 2]);
});

test('eachParallel() asks for an item only when it can begin with it', async () => {
	const asked: number[] = [];
	let release: () => void = () => {};
	const gate = new Promise<void>((resolve) => {
		release = resolve;
	});
	const all = eachParallel(counting(10, asked), { width: 2, signal: never, work: () => gate });
	await sleep(1);
	expect(asked).toEqual([0, 1]);
	release();
	await all;
	expect(asked).toHaveLength(10);
});

test('eachParallel() throws the first failure, after what was under way has ended, which its signal told to', async () => {
	const first = new MailsealError('io', 'Cannot do 3');
	const ended: string[] = [];
	const started: number[] = [];
	const call = eachParallel(counting(100), {
		width: 4,
		signal: never,
		async work(item, signal) {
			started.push(item);
			if (item === 3) throw first;
			await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
			await sleep(2);
			ended.push(`${item}`);
			throw new MailsealError('interrupted', 'the second failure');
		},
	});
	await expect(call).rejects.toBe(first);
	expect(started).toEqual([0, 1, 2, 3]);
	expect(ended).toEqual(['0', '1', '2']);
});

test('eachParallel() throws a failure that is undefined, too', async () => {
	const call = eachParallel([1], { width: 1, signal: never, work: () => Promise.reject(undefined) });
	await expect(call).rejects.toBeUndefined();
});

test('eachParallel() lets what is under way end where the next item cannot be had', async () => {
	let ended = false;
	function* failing(): Generator<number> {
		yield 1;
		throw new Error('no more');
	}
	const call = eachParallel(failing(), {
		width: 2,
		signal: never,
		async work() {
			await sleep(3);
			ended = true;
		},
	});
	await expect(call).rejects.toThrow('no more');
	expect(ended).toBe(true);
});

test.each([
	['says that it was interrupted', undefined, { code: 'interrupted' }],
	['gives its reason', new MailsealError('busy', 'Cannot go on'), { code: 'busy', message: 'Cannot go on' }],
])('an aborted eachParallel() begins nothing more and %s', async (_what, reason, expected) => {
	const stop = new AbortController();
	const started: number[] = [];
	const call = eachParallel(counting(50), {
		width: 2,
		signal: stop.signal,
		async work(item, signal) {
			started.push(item);
			if (item === 5) stop.abort(reason);
			await sleep(0);
			if (signal.aborted) throw new MailsealError('unreachable', 'the connection ended');
		},
	});
	await expect(call).rejects.toMatchObject(expected);
	expect(started.length).toBeLessThan(8);
	started.length = 0;
	await expect(eachParallel([1], { width: 1, signal: stop.signal, work: async (item) => void started.push(item) })).rejects.toMatchObject(
		expected,
	);
	expect(started).toEqual([]);
});
