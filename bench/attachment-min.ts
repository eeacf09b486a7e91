import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { splitMessage } from '../src/attachments/index.ts';
import { openPrng } from './mail/prng.ts';
import { readArchiveFacts } from './run/archive-facts.ts';
import { MEGA } from './run/bytes.ts';
import { listMail, makeMaildirOf } from './run/mail-files.ts';
import { PROGRAM, pack } from './run/mailseal.ts';
import { median, medianCost, stopwatch } from './run/measure.ts';
import { hasOption, numberOption, readOptions, textOption } from './run/options.ts';
import { type Row, report } from './run/report.ts';
import { NOW, openTree, openWorkplace } from './run/workplace.ts';

const KIBI = 1024;
/** The last is more than any message of these stores has: nothing is stored apart. */
const MINIMA = [1, 2, 4, 8, 16, 32, 128, KIBI * KIBI] as const;
const EXTRACTED = 20;
/** Base64 of the smallest minimum: a message with such a part has an attachment under some minimum of the table. */
const SMALLEST_PART = (MINIMA[0] * KIBI * 4) / 3;

interface Store {
	readonly name: string;
	readonly root: string;
	readonly messages: number;
	readonly bytes: number;
}

const options = readOptions(['small', 'mail', 'messages', 'runs', 'dir', 'keep']);
const small = hasOption(options, 'small');
const workplace = openWorkplace(options);
try {
	const runs = numberOption(options, 'runs', 1);
	const rows: Row[] = [];
	for (const store of stores()) {
		const chosen = chooseMessages(store);
		for (const minimum of MINIMA) rows.push(await measureMinimum(store, { minimum, chosen, runs }));
	}
	report('attachment-min', 'The size from which attachments are stored apart', rows);
} finally {
	workplace.close();
}

function stores(): Store[] {
	const trees = [false, true].map((logos) => {
		const messages = numberOption(options, 'messages', small ? 1000 : 38_000);
		const tree = openTree(workplace, { bytes: 'real-life', messages, accounts: Math.max(5, Math.round(messages / 380)), logos });
		return { ...tree, name: logos ? 'real-life, with logos' : 'real-life' };
	});
	const folder = textOption(options, 'mail', '');
	if (folder === '') {
		console.error('no mail of its own: --mail DIR names a folder of .eml files');
		return trees;
	}
	const root = join(workplace.scratch, 'mail');
	return [{ name: 'mail', root, ...makeMaildirOf(folder, root) }, ...trees];
}

/** Ids of the messages to extract, the same for each minimum. Reading all of them also warms the page cache. */
function chooseMessages(store: Store): string[] {
	const candidates: string[] = [];
	for (const path of listMail(store.root)) {
		const message = readFileSync(path);
		const { leaves } = splitMessage(message);
		const large = leaves.some(({ encoding, start, end }) => encoding === 'base64' && end - start >= SMALLEST_PART);
		if (large) candidates.push(createHash('sha256').update(message).digest('hex'));
	}
	const prng = openPrng('attachment-min', store.name);
	return candidates.length === 0 ? [] : Array.from({ length: EXTRACTED }, () => prng.pick(candidates));
}

async function measureMinimum(
	store: Store,
	given: { readonly minimum: number; readonly chosen: readonly string[]; readonly runs: number },
): Promise<Row> {
	const { minimum, chosen, runs } = given;
	const archive = join(workplace.scratch, 'archive');
	const costs = Array.from({ length: runs }, () => {
		rmSync(archive, { recursive: true, force: true });
		return pack({
			root: store.root,
			archive,
			now: NOW,
			messages: store.messages,
			options: ['--attachment-min', String(minimum * KIBI)],
		}).cost;
	});
	const cost = medianCost(costs);
	const facts = await readArchiveFacts(archive);
	const walls = chosen.map((id) => {
		const { wall, stdout } = stopwatch(process.execPath, [PROGRAM, 'extract', id, '-a', archive]);
		if (createHash('sha256').update(stdout).digest('hex') !== id) throw new Error(`Cannot go on: message ${id} came out with other bytes`);
		return wall;
	});
	rmSync(archive, { recursive: true, force: true });
	const { sealed, volatile, catalog } = facts;
	const bytes = sealed.bytes + volatile.bytes;
	return {
		store: store.name,
		'minimum KiB': minimum === MINIMA.at(-1) ? 'none' : String(minimum),
		'archive MB': bytes / MEGA,
		'archive/mail': bytes / store.bytes,
		'sealed MB': sealed.bytes / MEGA,
		'volatile MB': volatile.bytes / MEGA,
		'catalog MB': catalog.bytes / MEGA,
		messages: facts.messages,
		recipes: facts.recipes,
		attachments: facts.attachments,
		'stored decoded': facts.decoded,
		bundles: sealed.files + volatile.files,
		'pack s': cost.wall,
		'CPU s': cost.user + cost.system,
		'peak MB': cost.peak / MEGA,
		'extract ms': median(walls) * 1000,
	};
}
