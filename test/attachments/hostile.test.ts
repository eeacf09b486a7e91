import { describe, expect, it } from 'vitest';
import { openSplitter, rebuildMessage, type SplitProblem, splitMessage, takeApart } from '../../src/attachments/index.ts';

/** Milliseconds below which a measurement says nothing. */
const FLOOR = 60;

function milliseconds(message: Buffer): number {
	let best = Number.POSITIVE_INFINITY;
	for (let run = 0; run < 3; run++) {
		const start = performance.now();
		const { recipe, attachments } = takeApart(message, { minimum: 1000 });
		if (recipe !== null) for (const _ of rebuildMessage([recipe], (id) => [attachments.get(id) ?? new Uint8Array()]));
		best = Math.min(best, performance.now() - start);
	}
	return best;
}

/** Asserts that twice the input takes no more than three and a half times the time, and tells what became of it. */
function linear(make: (count: number) => string | Buffer, count: number): SplitProblem | 'recipe-mismatch' | null {
	const once = Buffer.from(make(count) as string, 'latin1');
	const twice = Buffer.from(make(2 * count) as string, 'latin1');
	milliseconds(once);
	expect(milliseconds(twice)).toBeLessThan(3.5 * Math.max(FLOOR, milliseconds(once)));
	return takeApart(twice, { minimum: 1000 }).problem;
}

const MULTIPART = 'Content-Type: multipart/mixed; boundary=b\n\n';

describe('hostile mail takes linear time', () => {
	it.each<[string, (count: number) => string, number, SplitProblem | null]>([
		['100,000 parts', (count) => MULTIPART + '--b\n\nx\n'.repeat(count), 50_000, 'mime-too-many-parts'],
		['1,000,000 empty parts', (count) => MULTIPART + '--b\n'.repeat(count), 500_000, 'mime-too-many-parts'],
		['1,000,000 end boundaries', (count) => MULTIPART + '--b--\n'.repeat(count), 500_000, null],
		[
			'10,000 multiparts within each other',
			(count) => Array.from({ length: count }, (_, index) => `Content-Type: multipart/mixed; boundary=b${index}\n\n--b${index}\n`).join(''),
			5000,
			'mime-too-deep',
		],
		['messages within each other', (count) => 'Content-Type: message/rfc822\n\n'.repeat(count), 5000, 'mime-too-deep'],
		['1,000,000 lines of --', (count) => `${MULTIPART}--b\n\n${'--\n'.repeat(count)}`, 500_000, null],
		['dashes in one line', (count) => `${MULTIPART}--b\n\n${'-'.repeat(count)}\n`, 5_000_000, null],
		['pairs of dashes', (count) => `${MULTIPART}--b\n\n${'x--'.repeat(count)}\n`, 500_000, null],
		['lines that begin like a boundary', (count) => `${MULTIPART}--b\n\n${'--bb\n--b-\n'.repeat(count)}`, 200_000, null],
		['a long line that begins with --', (count) => `${MULTIPART}--b\n\n--${'b'.repeat(count)}`, 5_000_000, null],
		['spaces behind a boundary', (count) => `${MULTIPART}--b\n\n${`--b${' '.repeat(5000)}x\n`.repeat(count)}`, 500, null],
		[
			'a boundary of 10 KB',
			(count) => `Content-Type: multipart/mixed; boundary=${'b'.repeat(10_000)}\n\n--${`${'b'.repeat(10_000)}\n`.repeat(count)}`,
			500,
			null,
		],
		[
			'spaces in a boundary parameter',
			(count) => `Content-Type: multipart/mixed; boundary="a${' '.repeat(count)}b"\n\nbody`,
			400_000,
			null,
		],
		[
			'spaces behind a boundary parameter',
			(count) => `Content-Type: multipart/mixed; boundary="a${' '.repeat(count)}"\n\nbody`,
			400_000,
			null,
		],
		['a header of 50 MB', (count) => `X: ${'y'.repeat(count)}\n\nbody`, 25_000_000, 'mime-header-too-large'],
		['a header of 50 MB of lines', (count) => 'X: y\n'.repeat(count), 5_000_000, 'mime-header-too-large'],
		['empty lines above the header', (count) => '\n'.repeat(count), 2_000_000, null],
		[
			'a quote of 10 MB that is not closed',
			(count) => `Content-Type: text/plain; name="${'\\"x'.repeat(count)}\n\nbody`,
			1_700_000,
			'mime-header-too-large',
		],
		['a quote that is not closed', (count) => `Content-Type: text/plain; name="${'\\"x'.repeat(count)}\n\nbody`, 150_000, null],
		['comments that are not closed', (count) => `Content-Type: text/plain; ${'(x'.repeat(count)}\n\nbody`, 250_000, null],
		[
			'comments of 10 MB that are not closed',
			(count) => `Content-Type: text/plain; ${'(x'.repeat(count)}\n\nbody`,
			2_500_000,
			'mime-header-too-large',
		],
		['empty parameters', (count) => `Content-Type: text/plain${';'.repeat(count)}\n\nbody`, 500_000, null],
		['parameters without values', (count) => `Content-Type: text/plain${'; a'.repeat(count)}\n\nbody`, 150_000, null],
		['parameters with quotes', (count) => `Content-Type: text/plain${';a="b"'.repeat(count)}\n\nbody`, 80_000, null],
		[
			'continuations',
			(count) => `Content-Type: a/b${Array.from({ length: count }, (_, index) => `;name*${index}=x`).join('')}\n\nbody`,
			35_000,
			null,
		],
		[
			'encoded continuations',
			(count) => `Content-Type: a/b${Array.from({ length: count }, (_, index) => `;name*${index}*=%41`).join('')}\n\nbody`,
			25_000,
			null,
		],
		['one continuation again and again', (count) => `Content-Type: a/b${';name*0=x'.repeat(count)}\n\nbody`, 50_000, null],
		['apostrophes in an extended value', (count) => `Content-Type: a/b; name*=${"'%41".repeat(count)}\n\nbody`, 120_000, null],
		['encoded words in a name', (count) => `Content-Type: a/b; name="${'=?utf-8?q?a?= '.repeat(count)}"\n\nbody`, 35_000, null],
		['slashes in a name', (count) => `Content-Type: a/b; name="${'/'.repeat(count)}"\n\nbody`, 500_000, null],
		['folds in a header', (count) => `Content-Type: text/plain;${'\n \n\t'.repeat(count)}x=y\n\nbody`, 120_000, null],
		['types that are no types', (count) => `Content-Type: ${'a/'.repeat(count)}\n\nbody`, 250_000, null],
		['one header again and again', (count) => `${'Content-Type: a/b; name=x\n'.repeat(count)}\nbody`, 19_000, null],
		['large headers in many parts', (count) => MULTIPART + `--b\nX: ${'y'.repeat(500_000)}\n\n\n`.repeat(count), 20, null],
		['base64 in lines of one character', (count) => `Content-Transfer-Encoding: base64\n\n${'A\n'.repeat(count)}`, 500_000, null],
		['base64 in lines of two widths', (count) => `Content-Transfer-Encoding: base64\n\n${'AAAA\nAA\n'.repeat(count)}`, 500_000, null],
		['base64 padding', (count) => `Content-Transfer-Encoding: base64\n\n${'A='.repeat(count)}`, 500_000, null],
		['base64 with a stain at its end', (count) => `Content-Transfer-Encoding: base64\n\n${'AAAA'.repeat(count)}_AAA`, 1_000_000, null],
		['base64 behind empty lines', (count) => `Content-Transfer-Encoding: base64\n\n${'\n'.repeat(count)}AAAA`, 2_000_000, null],
	])('%s', (_, make, count, problem) => {
		expect(linear(make, count)).toBe(problem);
	});

	it('pushed byte by byte, also within one long line of a header', () => {
		for (const message of [
			`X: ${'y'.repeat(600_000)}`,
			`${MULTIPART}--b\n\n${'--b \r'.repeat(100_000)}`,
			`${MULTIPART}--b\n\n${'\n--'.repeat(200_000)}`,
		]) {
			const bytes = Buffer.from(message);
			const start = performance.now();
			const splitter = openSplitter();
			for (let at = 0; at < bytes.length; at++) splitter.push(bytes.subarray(at, at + 1));
			expect(splitter.end()).toEqual(splitMessage(bytes));
			expect(performance.now() - start).toBeLessThan(10_000);
		}
	});
});

describe('a splitter holds little', () => {
	it('of a header that is too large, of the names of its parts, and of bodies', () => {
		const splitter = openSplitter();
		const part = Buffer.from(`--b\nContent-Type: application/x-${'a'.repeat(100)}; name="${'n'.repeat(200_000)}"\n\n${'x'.repeat(1000)}\n`);
		splitter.push(Buffer.from(MULTIPART));
		const before = process.memoryUsage();
		for (let count = 0; count < 1000; count++) splitter.push(part);
		const after = process.memoryUsage();
		expect(splitter.end().leaves).toHaveLength(1000);
		expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(100_000_000);
		const large = openSplitter();
		const chunk = Buffer.alloc(1 << 20, 'x');
		for (let count = 0; count < 200; count++) large.push(chunk);
		expect(large.end()).toEqual({ leaves: [], messages: [], problem: 'mime-header-too-large' });
		expect(process.memoryUsage().arrayBuffers - after.arrayBuffers).toBeLessThan(50_000_000);
	});
});
