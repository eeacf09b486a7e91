import { type Progress, SILENT } from '../domain/index.ts';
import type { Io } from './io.ts';
import { clip, formatCount, printable } from './text.ts';

export type ProgressMode = 'auto' | 'json' | 'none';

/** Progress that is drawn somewhere, and must be ended before anything else is written there. */
export interface DrawnProgress extends Progress {
	end(): void;
}

const CLEAR_LINE = '\r\u001b[2K';
const BAR_EVERY = 100;
const LINE_EVERY = 500;
const BAR_WIDTH = 24;

interface Step {
	readonly name: string;
	readonly total: number | null;
	done: number;
}

/** A bar on a lively terminal, JSON lines on request, silence otherwise. */
export function openProgress(io: Io, options: { readonly mode: ProgressMode; readonly json: boolean }): DrawnProgress {
	if (options.mode === 'json') return drawLines(io);
	if (options.mode === 'auto' && io.stderr.lively && !options.json) return drawBar(io);
	return { ...SILENT, end() {} };
}

function track(io: Io, options: { readonly every: number; draw(step: Step): void; finish(step: Step): void }): DrawnProgress {
	let current: Step | null = null;
	let last = 0;
	function end(): void {
		if (current) options.finish(current);
		current = null;
	}
	return {
		step(name, total) {
			end();
			current = { name, total: total ?? null, done: 0 };
			last = io.now();
			options.draw(current);
		},
		advance(units) {
			if (!current) return;
			current.done += units;
			const now = io.now();
			if (now >= last && now - last < options.every) return;
			last = now;
			options.draw(current);
		},
		end,
	};
}

function drawBar(io: Io): DrawnProgress {
	return track(io, {
		every: BAR_EVERY,
		draw(step) {
			send(io, CLEAR_LINE + clip(describe(step), io.stderr.columns - 1));
		},
		finish() {
			send(io, CLEAR_LINE);
		},
	});
}

function describe(step: Step): string {
	const name = printable(step.name).padEnd(8);
	if (step.total === null || step.total <= 0) return `${name} ${formatCount(step.done)}`;
	const share = Math.min(1, step.done / step.total);
	const bar = '#'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
	return `${name} [${bar}] ${Math.floor(share * 100)} %  ${formatCount(step.done)} of ${formatCount(step.total)}`;
}

function drawLines(io: Io): DrawnProgress {
	function draw(step: Step): void {
		send(io, `${JSON.stringify({ mailseal: 1, step: step.name, done: step.done, total: step.total })}\n`);
	}
	return track(io, { every: LINE_EVERY, draw, finish: draw });
}

function send(io: Io, text: string): void {
	// Standard error is where a failure would be told: with it gone there is nobody left to tell, and the work goes on.
	io.stderr.write(text).catch(() => {});
}
