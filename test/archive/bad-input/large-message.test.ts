import { createHash } from 'node:crypto';
import {
	closeSync,
	createReadStream,
	openSync,
	readdirSync,
	readFileSync,
	truncateSync,
	utimesSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { builtFile } from '../../support/build-program.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';
import { callerOf, openFolder, type PackSaid } from '../../support/program.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const program = builtFile('src/cli/bin.ts');

async function sha256Of(path: string): Promise<string> {
	const hash = createHash('sha256');
	await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
	return hash.digest('hex');
}

/** A store with a small message and a large one, and what calls the program on it; each call notes its peak memory. */
function makePlace(size: number) {
	const folder = openFolder();
	const store = makeMailStore(join(folder, 'store'));
	store.put('anna/INBOX/1.small:2,S');
	store.put('anna/INBOX/2.large:2,S', { content: 'Message-ID: <large@test.example>\nSubject: large\n\n' });
	const file = join(store.root, 'anna/Maildir/cur/2.large:2,S');
	truncateSync(file, size);
	// Something at the end too: the hole in between reads as zeros.
	const descriptor = openSync(file, 'r+');
	writeSync(descriptor, 'the end', size - 7);
	closeSync(descriptor);
	utimesSync(file, new Date(DAY_ZERO), new Date(DAY_ZERO));

	const peaks = join(folder, 'peaks');
	const meter = join(folder, 'meter.cjs');
	writeFileSync(
		meter,
		`if (require('node:worker_threads').isMainThread)
			process.on('exit', () => require('node:fs').appendFileSync(${JSON.stringify(peaks)}, process.resourceUsage().maxRSS + '\\n'));`,
	);
	const caller = callerOf(program, { archive: join(folder, 'archive'), env: { NODE_OPTIONS: `--require ${meter}` } });
	return {
		file,
		caller,
		pack(night: number) {
			const now = new Date(DAY_ZERO + night * DAY).toISOString();
			return caller.json<PackSaid>('pack', '--now', now, '--linger', '0s', '--seal-attachments', 'quiet', store.spec);
		},
		/** Extracts the large message; gives its SHA-256. */
		async extract(): Promise<string> {
			const to = openFolder();
			expect(caller.run('extract', '-o', to, '<large@test.example>')).toMatchObject({ code: 0, err: '' });
			return sha256Of(join(to, readdirSync(to)[0] ?? ''));
		},
		/** Megabytes, of each call so far. */
		memory: () =>
			readFileSync(peaks, 'utf8')
				.trim()
				.split('\n')
				.map((kilobytes) => Number(kilobytes) / 1000),
	};
}

test('a message of 1 GiB is packed and extracted to the byte, in less than 300 MB of memory', { timeout: 120_000 }, async () => {
	const { file, pack, extract, memory } = makePlace(GIB);
	expect(pack(70)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 2 }, sealed: { new: 2 } } });
	expect(await extract()).toBe(await sha256Of(file));
	expect(memory()).toHaveLength(2);
	expect(Math.max(...memory())).toBeLessThan(300);
});

test('a message of 200 MiB moves from a volatile bundle into a sealed one in less than 300 MB of memory', async () => {
	const { file, caller, pack, extract, memory } = makePlace(200 * MIB);
	expect(pack(1)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 2 }, sealed: { new: 0 } } });
	expect(pack(70)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 2, added: 0 }, sealed: { new: 2 } } });
	expect(await extract()).toBe(await sha256Of(file));
	expect(caller.run('verify', '--deep')).toMatchObject({ code: 0, err: '' });
	expect(memory()).toHaveLength(4);
	expect(Math.max(...memory())).toBeLessThan(300);
});
