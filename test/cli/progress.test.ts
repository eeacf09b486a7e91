import { describe, expect, it } from 'vitest';
import { openProgress } from '../../src/cli/progress.ts';
import { recordIo } from '../support/recorded-io.ts';

describe('openProgress()', () => {
	it('is silent where standard error is no terminal', () => {
		const io = recordIo();
		const progress = openProgress(io, { mode: 'auto', json: false });
		progress.step('scan', 10);
		progress.advance(10);
		progress.end();
		expect(io.stderr.text()).toBe('');
	});

	it('is silent with --json, with none, and where NO_COLOR forbids moving the cursor', () => {
		for (const [io, mode, json] of [
			[recordIo({ terminal: true }), 'auto', true],
			[recordIo({ terminal: true }), 'none', false],
			[recordIo({ terminal: true, lively: false }), 'auto', false],
		] as const) {
			const progress = openProgress(io, { mode, json });
			progress.step('scan', 10);
			progress.advance(10);
			progress.end();
			expect(io.stderr.text()).toBe('');
		}
	});

	it('draws a bar on a terminal and leaves nothing of it behind', () => {
		const io = recordIo({ terminal: true, columns: 100 });
		const progress = openProgress(io, { mode: 'auto', json: false });
		progress.step('read', 4000);
		io.advance(150);
		progress.advance(1000);
		expect(io.stderr.text()).toContain('read     [######..................] 25 %  1,000 of 4,000');
		progress.end();
		expect(io.stderr.text().endsWith('\r\u001b[2K')).toBe(true);
	});

	it('draws at most ten times a second', () => {
		const io = recordIo({ terminal: true });
		const progress = openProgress(io, { mode: 'auto', json: false });
		progress.step('read');
		for (let i = 0; i < 10_000; i++) progress.advance(1);
		expect(io.stderr.text().split('\r')).toHaveLength(2);
		io.advance(100);
		progress.advance(1);
		expect(io.stderr.text()).toContain('10,001');
	});

	it('never draws wider than the terminal', () => {
		const io = recordIo({ terminal: true, columns: 20 });
		openProgress(io, { mode: 'auto', json: false }).step('read', 4000);
		expect(io.stderr.text().replace('\r\u001b[2K', '').length).toBeLessThan(20);
	});

	it('writes JSON lines on request, the last of a step with all that was done', () => {
		const io = recordIo();
		const progress = openProgress(io, { mode: 'json', json: true });
		progress.step('scan', 3);
		progress.advance(3);
		progress.step('write');
		progress.end();
		const lines = io.stderr
			.text()
			.trimEnd()
			.split('\n')
			.map((line) => JSON.parse(line));
		expect(lines).toEqual([
			{ mailseal: 1, step: 'scan', done: 0, total: 3 },
			{ mailseal: 1, step: 'scan', done: 3, total: 3 },
			{ mailseal: 1, step: 'write', done: 0, total: null },
			{ mailseal: 1, step: 'write', done: 0, total: null },
		]);
	});

	it('goes on when the clock is set back', () => {
		const io = recordIo();
		const progress = openProgress(io, { mode: 'json', json: false });
		progress.step('scan');
		io.advance(-3_600_000);
		progress.advance(7);
		expect(io.stderr.text()).toContain('"done":7');
	});
});
