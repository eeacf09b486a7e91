import { sha256 } from '../src/archive/hash.ts';
import { splitMessage, takeApart, takeApartStream } from '../src/attachments/index.ts';
import { parseSize } from '../src/domain/index.ts';
import { openMaildirMessage } from '../src/sources/index.ts';
import { openLargeMessage } from './mail/large-message.ts';
import { countLeaves } from './run/base64-leaves.ts';
import { MEGA } from './run/bytes.ts';
import { listMail } from './run/mail-files.ts';
import { measure, median } from './run/measure.ts';
import { hasOption, numberOption, readOptions, textOption } from './run/options.ts';
import { type Row, report } from './run/report.ts';
import { openTree, openWorkplace } from './run/workplace.ts';

const GIGA = 1e9;
const LARGE = 64 * 1024 * 1024;
const STAGES = ['read', 'hash', 'split', 'takeApart', 'hashAttachments'] as const;
type Seconds = Record<(typeof STAGES)[number], number>;

const options = readOptions(['small', 'mail', 'minimum', 'runs', 'dir', 'keep', 'stream']);
const small = hasOption(options, 'small');
const minimum = parseSize(textOption(options, 'minimum', '8KiB'));
const runs = numberOption(options, 'runs', 3);
const stream = textOption(options, 'stream', '');
if (stream === '') runAll();
else takeApartLarge(stream);

function runAll(): void {
	const workplace = openWorkplace(options);
	try {
		const folder = textOption(options, 'mail', '');
		const root =
			folder === '' ? openTree(workplace, { bytes: 'real-life', messages: small ? 1000 : 38_000, accounts: small ? 5 : 100 }).root : folder;
		const paths = listMail(root);
		if (paths.length === 0) throw new Error(`Cannot measure "${root}": it holds no mail (*.eml, or files in cur and new)`);
		reportStages(paths, folder === '' ? 'real-life' : 'mail');
		report('split-base64', 'base64 of one message with an attachment of 8 MB (target: 1 GB/s)', base64Rows());
		report('split-large', 'A message too large for memory, taken apart in a process of its own', largeRows());
		report('split-leaves', `Base64 leaves of at least ${minimum} bytes: how they are stored`, countLeaves(paths, { minimum }));
	} finally {
		workplace.close();
	}
}

function reportStages(paths: readonly string[], store: string): void {
	// What ran once is compiled.
	timeStages(paths.slice(0, 500));
	const timed = Array.from({ length: runs }, () => timeStages(paths));
	const seconds = Object.fromEntries(STAGES.map((stage) => [stage, median(timed.map((one) => one.seconds[stage]))])) as Seconds;
	const bytes = timed[0]?.bytes ?? 0;
	const floor = seconds.read + seconds.hash;
	const apart = median(timed.map((one) => one.seconds.takeApart - one.seconds.hashAttachments));
	const row = (what: string, spent: number): Row => ({
		what,
		seconds: spent,
		'us/MB': (spent * 1e6) / (bytes / MEGA),
		'us/message': (spent * 1e6) / paths.length,
		'MB/s': bytes / MEGA / spent,
		'of read and hash': spent / floor,
	});
	const mail = `${store}, ${paths.length.toLocaleString('en')} messages, ${(bytes / MEGA).toFixed(0)} MB`;
	report('split', `Splitting, one thread: ${mail}, attachments from ${minimum} bytes (target: split, decode, proof at most 0.5)`, [
		row('read', seconds.read),
		row('SHA-256', seconds.hash),
		row('read and SHA-256', floor),
		row('split', seconds.split),
		row('take apart: split, decode, ids, proof', seconds.takeApart),
		row('SHA-256 of the attachments', seconds.hashAttachments),
		row('split, decode, proof (the difference)', apart),
	]);
}

/** Message by message, read as a pack reads it, so that every stage finds the message in the processor's caches as it does there. */
function timeStages(paths: readonly string[]): { readonly seconds: Seconds; readonly bytes: number } {
	const seconds: Seconds = { read: 0, hash: 0, split: 0, takeApart: 0, hashAttachments: 0 };
	let total = 0;
	let last = 0;
	function take(stage: keyof Seconds): void {
		const now = performance.now();
		seconds[stage] += (now - last) / 1000;
		last = now;
	}
	for (const path of paths) {
		last = performance.now();
		const message = readMail(path);
		take('read');
		sha256(message);
		take('hash');
		splitMessage(message);
		take('split');
		const { attachments } = takeApart(message, { minimum });
		take('takeApart');
		for (const attachment of attachments.values()) sha256(attachment);
		take('hashAttachments');
		total += message.length;
	}
	return { seconds, bytes: total };
}

function readMail(path: string): Uint8Array {
	const read = openMaildirMessage(path, { limit: LARGE });
	if ('unreadable' in read || read.bytes === null) throw new Error(`Cannot measure "${path}": it cannot be read at once`);
	return read.bytes;
}

function base64Rows(): Row[] {
	const forms = [
		{ columns: 76, end: '\n' },
		{ columns: 76, end: '\r\n' },
		{ columns: 72, end: '\n' },
	] as const;
	return forms.map(({ columns, end }) => {
		const message = Buffer.concat([...openLargeMessage({ encoding: 'base64', size: (8 * MEGA * 4) / 3, columns, end })()]);
		const { leaves } = splitMessage(message);
		const leaf = leaves.find(({ encoding }) => encoding === 'base64');
		const body = message.subarray(leaf?.start, leaf?.end);
		const decoded = Buffer.alloc(message.length);
		const best = { native: Infinity, apart: Infinity, hash: Infinity };
		let problem: string | null = null;
		for (let run = 0; run < 10 * runs; run++) {
			const started = performance.now();
			decoded.write(body.toString('latin1'), 'base64');
			const native = performance.now();
			const taken = takeApart(message, { minimum });
			const apart = performance.now();
			for (const attachment of taken.attachments.values()) sha256(attachment);
			const hashed = performance.now();
			best.native = Math.min(best.native, native - started);
			best.apart = Math.min(best.apart, apart - native);
			best.hash = Math.min(best.hash, hashed - apart);
			problem = taken.recipe === null ? (taken.problem ?? 'kept whole') : null;
		}
		const speed = (milliseconds: number): number => message.length / GIGA / (milliseconds / 1000);
		return {
			columns,
			'line end': end === '\n' ? 'LF' : 'CRLF',
			MB: message.length / MEGA,
			'split, decode, proof GB/s': speed(best.apart - best.hash),
			'with the id GB/s': speed(best.apart),
			'native decoder alone GB/s': speed(best.native),
			problem: problem ?? '',
		};
	});
}

function largeRows(): Row[] {
	const sizes = small ? [1, 32] : [1, 100, 1000];
	return (['base64', '8bit'] as const).flatMap((encoding) =>
		sizes.map((megabytes) => {
			const [program = ''] = process.argv.slice(1);
			const ran = measure(process.execPath, [program, '--stream', `${encoding}:${megabytes}`, '--minimum', String(minimum)]);
			if (ran.status !== 0) throw new Error(`Cannot take apart ${megabytes} MB: it ended with ${ran.status}: ${ran.stderr}`);
			const result = JSON.parse(ran.stdout.toString()) as Row;
			return { encoding, MB: megabytes, 'peak MB': ran.peak / MEGA, ...result };
		}),
	);
}

/** The child's part: `<encoding>:<MB>`. Takes the message apart and reads what is to be stored, as a pack does. */
function takeApartLarge(text: string): void {
	const [encoding, megabytes] = text.split(':');
	const open = openLargeMessage({ encoding: encoding === 'base64' ? 'base64' : '8bit', size: Number(megabytes) * MEGA });
	const started = performance.now();
	const { recipe, attachments, problem } = takeApartStream(open, { minimum, check() {} });
	const taken = performance.now();
	let stored = 0;
	for (const item of [...(recipe ? [recipe] : []), ...attachments.values()]) for (const chunk of item.chunks()) stored += chunk.length;
	const read = performance.now();
	console.log(
		JSON.stringify({
			'take apart s': (taken - started) / 1000,
			'read the pieces s': (read - taken) / 1000,
			'stored MB': stored / MEGA,
			attachments: attachments.size,
			problem: problem ?? '',
		}),
	);
}
