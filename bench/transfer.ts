import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { lacksCeph } from '../test/support/ceph.ts';
import { lacksSshd } from '../test/support/sshd.ts';
import { countFiles, MEGA } from './run/bytes.ts';
import { pack } from './run/mailseal.ts';
import { type Cost, measureShell, median, medianCost } from './run/measure.ts';
import { folderMovers, type Load, type Mover, mailsealMovers, PLAIN_S3, s3Movers, sftpMovers } from './run/movers.ts';
import { hasOption, numberOption, readOptions } from './run/options.ts';
import { type PlainS3, runPlainS3 } from './run/plain-s3.ts';
import { makeRandomMail } from './run/random-mail.ts';
import { type Row, report } from './run/report.ts';
import { openFolderPlace, openS3Place, openSftpPlace, type Place } from './run/servers.ts';
import { openSlowLine, runSlowLine, SLOW_LINE } from './run/slow-line.ts';
import { NOW, openWorkplace, type Workplace } from './run/workplace.ts';

const MEBI = 1024 * 1024;

/** Movers at a place where none of them has left anything. */
interface Site {
	readonly movers: readonly Mover[];
	close(): Promise<void>;
}

type Ways = Readonly<Record<'up' | 'down', Map<string, Cost[]>>>;

const [first, what, endpoint = '', bucket = '', folder = '', ...files] = process.argv.slice(2);
if (first === SLOW_LINE) await runSlowLine({ port: Number(what), bytesPerSecond: Number(endpoint) });
else if (first === PLAIN_S3) await runPlainS3(what as PlainS3, { endpoint, bucket, folder, files });
else await bench();

async function bench(): Promise<void> {
	const options = readOptions(['small', 'runs', 'bundles', 'mbit', 'dir', 'keep']);
	const small = hasOption(options, 'small');
	const mbit = numberOption(options, 'mbit', 0);
	const workplace = openWorkplace(options);
	const { scratch } = workplace;
	try {
		const runs = numberOption(options, 'runs', small ? 1 : 3);
		const load = await makeLoad(workplace, { bundles: numberOption(options, 'bundles', small ? 2 : 16), mebibytes: small ? 4 : 64 });
		const rows: Row[] = [];

		async function measureAt(kind: Place['kind'], open: () => Promise<Site>): Promise<void> {
			const ways = await moveAll({ runs, scratch, open });
			for (const way of ['up', 'down'] as const) rows.push(...rowsOf(ways[way], { to: kind, way, bytes: load.bytes }));
		}

		if (mbit === 0) {
			await measureAt('folder', async () => {
				const place = openFolderPlace(join(scratch, 'disk'));
				const movers = [...mailsealMovers(place, load), ...folderMovers(place, load)];
				return { movers, close: async () => rmSync(place.path('.'), { recursive: true }) };
			});
		}
		if (!lacksSshd()) {
			await measureAt('SFTP', async () => {
				const { place, close } = await overLine(await openSftpPlace(scratch), mbit);
				return { movers: [...mailsealMovers(place, load), ...sftpMovers(place, load)], close };
			});
		}
		if (!lacksCeph()) {
			await measureAt('S3', async () => {
				const { place, close } = await overLine(await openS3Place(), mbit);
				return { movers: [...mailsealMovers(place, load), ...s3Movers(place, load)], close };
			});
		}
		const what = `${load.files.length} bundles, ${Math.round(load.bytes / MEGA)} MB that nothing compresses, there and back`;
		report(
			mbit === 0 ? 'transfer' : `transfer-${mbit}`,
			`${what}${mbit === 0 ? '' : ` over a line of ${mbit} Mbit/s`} (target: 0.8 of the plain tool)`,
			rows,
		);
	} finally {
		workplace.close();
	}
}

/** The place itself, or behind a line of so many million bits a second. */
async function overLine<P extends Place & { readonly port: number; by(port: number): P }>(
	place: P,
	mbit: number,
): Promise<{ readonly place: P; close(): Promise<void> }> {
	if (mbit === 0) return { place, close: () => place.close() };
	const line = await openSlowLine(place.port, (mbit * MEGA) / 8);
	return {
		place: place.by(line.port),
		async close() {
			await line.close();
			await place.close();
		},
	};
}

/** An archive of bundles of about that size, full of attachments that nothing compresses, and two small ones with what belongs to them. */
async function makeLoad(workplace: Workplace, size: { readonly bundles: number; readonly mebibytes: number }): Promise<Load> {
	const root = join(workplace.scratch, 'tree');
	const archive = join(workplace.scratch, 'archive');
	const bundle = size.mebibytes * MEBI;
	const messages = makeRandomMail(root, { bytes: size.bundles * bundle, each: bundle / 16 });
	pack({ root, archive, now: NOW, messages, options: ['--bundle-target', `${size.mebibytes}MiB`] });
	rmSync(root, { recursive: true });
	const secret = await generateIdentity();
	const identity = join(workplace.scratch, 'identity');
	writeFileSync(identity, `${secret}\n`, { mode: 0o600 });
	const folder = join(archive, 'bundles');
	const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.zip'));
	return { archive, folder, files, bytes: countFiles(folder).bytes, recipient: await identityToRecipient(secret), identity };
}

/** A round opens a new site for each mover, so that none pays for what another left in memory. */
async function moveAll(options: { readonly runs: number; readonly scratch: string; readonly open: () => Promise<Site> }): Promise<Ways> {
	const ways: Ways = { up: new Map(), down: new Map() };
	for (let run = 0; run < options.runs; run++) {
		for (let n = 0, count = 1; n < count; n++) {
			const site = await options.open();
			try {
				count = site.movers.length;
				const mover = site.movers[n];
				if (mover === undefined) break;
				const back = join(options.scratch, 'back');
				// What somebody wrote before must not go to the disk meanwhile.
				measureShell('sync');
				add(ways.up, mover, mover.up());
				measureShell('sync');
				add(ways.down, mover, mover.down(back));
				rmSync(back, { recursive: true });
			} finally {
				await site.close();
			}
		}
	}
	return ways;
}

function add(costs: Map<string, Cost[]>, { program }: Mover, cost: Cost): void {
	costs.set(program, [...(costs.get(program) ?? []), cost]);
}

function rowsOf(
	costs: ReadonlyMap<string, readonly Cost[]>,
	of: { readonly to: string; readonly way: string; readonly bytes: number },
): Row[] {
	const [plain = [], sealed = []] = costs.values();
	return [...costs].map(([program, own], index) => {
		const cost = medianCost(own);
		/** Of what this program reaches, round by round. */
		const reached = (by: readonly Cost[]): number => median(own.map(({ wall }, run) => wall / (by[run]?.wall ?? Number.NaN)));
		return {
			to: of.to,
			way: of.way,
			program,
			seconds: cost.wall,
			'MB/s': of.bytes / MEGA / cost.wall,
			'best MB/s': of.bytes / MEGA / Math.min(...own.map(({ wall }) => wall)),
			'CPU s': cost.user + cost.system,
			'peak MB': cost.peak / MEGA,
			'mailseal reaches': index < 2 ? '' : reached(plain),
			'encrypted reaches': index < 2 ? '' : reached(sealed),
		};
	});
}
