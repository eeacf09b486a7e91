import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync as nodeGzip } from 'node:zlib';
import { gzipSync } from 'fflate';
import { libdeflateGzip } from '../src/bundle/libdeflate.ts';
import { numberOption, readOptions, textOption } from './run/options.ts';

// How much does each level of each codec save, and what does it cost? One thread, one message at a time, best of the runs.
const options = readOptions(['mail', 'runs']);
const folder = textOption(options, 'mail', 'fixtures/stores');
const runs = numberOption(options, 'runs', 5);
const mails = readdirSync(folder, { recursive: true, withFileTypes: true })
	.filter((entry) => entry.isFile())
	.map((entry) => readFileSync(join(entry.parentPath, entry.name)));
const total = mails.reduce((sum, mail) => sum + mail.length, 0);

function measure(compress: (mail: Buffer) => Uint8Array): { readonly size: number; readonly seconds: number } {
	let best = Number.POSITIVE_INFINITY;
	let size = 0;
	for (let run = 0; run < runs; run++) {
		const started = performance.now();
		size = mails.reduce((sum, mail) => sum + compress(mail).length, 0);
		best = Math.min(best, (performance.now() - started) / 1000);
	}
	return { size, seconds: best };
}

console.log(`${mails.length} mails, ${(total / 1e6).toFixed(1)} MB, best of ${runs}\n`);
console.log('| codec | level | size | MB/s | us a mail |\n| --- | ---: | ---: | ---: | ---: |');
for (const level of [1, 4, 6, 9] as const) {
	for (const [codec, compress] of [
		['libdeflate', (mail: Buffer) => libdeflateGzip(mail, level)],
		['fflate', (mail: Buffer) => gzipSync(mail, { level, mtime: 0 })],
		['node:zlib', (mail: Buffer) => nodeGzip(mail, { level })],
	] as const) {
		const { size, seconds } = measure(compress);
		const share = `${((100 * size) / total).toFixed(1)} %`;
		console.log(
			`| ${codec} | ${level} | ${share} | ${(total / 1e6 / seconds).toFixed(0)} | ${((seconds * 1e6) / mails.length).toFixed(0)} |`,
		);
	}
}
