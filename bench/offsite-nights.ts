import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { openCuttingProxy } from '../test/support/cutting-proxy.ts';
import { lacksSshd } from '../test/support/sshd.ts';
import { liveOneDay } from './life.ts';
import { countFiles, MEGA } from './run/bytes.ts';
import { pack } from './run/mailseal.ts';
import { type Cost, measureShell, median } from './run/measure.ts';
import { hasOption, numberOption, readOptions, textOption } from './run/options.ts';
import { type Row, report } from './run/report.ts';
import { openFolderPlace, openSftpPlace, type SftpPlace } from './run/servers.ts';
import { backupWords, folderWords, initWords, type Sources, sftpShippers } from './run/shippers.ts';
import { runAside, runTool } from './run/tool.ts';
import { NOW, openTree, openWorkplace } from './run/workplace.ts';

const DAY = 24 * 3_600_000;
/** Of the profile real-life. */
const BYTES_PER_MESSAGE = 43_400;

/** What one night of one program came to; bytes. */
interface Night {
	/** To the far side. */
	readonly out: number;
	/** From there; NaN where nobody counted. */
	readonly back: number;
	/** Of the work before and the shipping. */
	readonly seconds: number;
	readonly shipping: number;
	readonly cpu: number;
	/** What lies at the far side then. */
	readonly far: number;
	/** Mail that was delivered since the night before. */
	readonly mail: number;
}

const options = readOptions(['small', 'nights', 'megabytes', 'churn-per-mille', 'without', 'dir', 'keep']);
const small = hasOption(options, 'small');
const workplace = openWorkplace(options);
try {
	if (lacksSshd()) throw new Error('Cannot measure what is shipped: there is no SSH server (install openssh-server)');
	const megabytes = numberOption(options, 'megabytes', small ? 8 : 400);
	const messages = Math.round((megabytes * MEGA) / BYTES_PER_MESSAGE);
	const tree = openTree(workplace, { bytes: 'real-life', messages, accounts: small ? 3 : 20 });
	const churn = numberOption(options, 'churn-per-mille', 10) / 1000;
	const { scratch } = workplace;
	const sources: Sources = {
		tree: join(scratch, 'tree'),
		archive: join(scratch, 'archive'),
		repository: join(scratch, 'restic'),
		cache: join(scratch, 'restic-cache'),
		recipient: await identityToRecipient(await generateIdentity()),
	};
	// Life never writes into a file that is there, so hard links protect the original.
	measureShell('cp -al "$1" "$2"', tree.root, sources.tree);
	const disk = openFolderPlace(join(scratch, 'disk'));
	const server = await openSftpPlace(scratch);
	const proxy = await openCuttingProxy({ target: { host: server.host, port: server.port } });
	try {
		const counted = server.by(proxy.port);
		const without = textOption(options, 'without', '');
		const shippers = sftpShippers(sources).filter(({ program }) => without === '' || !program.startsWith(without));
		const nights = new Map<string, Map<string, Night[]>>();
		let first = true;

		/** A second copy at the far side, by way of the proxy: its bytes are counted, and the time of the other one is its own. */
		async function bytesOf(
			words: (place: SftpPlace) => readonly (readonly string[])[],
		): Promise<{ readonly out: number; readonly back: number }> {
			const { up, down } = proxy;
			for (const line of words(counted)) await runAside(line);
			return { out: proxy.up - up, back: proxy.down - down };
		}

		async function night(label: string, at: { readonly now: number; readonly mail: number }): Promise<void> {
			const work = { pack: pack({ root: sources.tree, archive: sources.archive, now: at.now }).cost, backup: backup() };
			const programs = nights.get(label) ?? new Map<string, Night[]>();
			nights.set(label, programs);

			function add(program: string, before: Cost | null, ran: readonly Cost[], moved: Pick<Night, 'out' | 'back' | 'far'>): void {
				const costs = [...(before === null ? [] : [before]), ...ran];
				const told: Night = {
					...moved,
					seconds: costs.reduce((sum, { wall }) => sum + wall, 0),
					shipping: ran.reduce((sum, { wall }) => sum + wall, 0),
					cpu: costs.reduce((sum, { user, system }) => sum + user + system, 0),
					mail: at.mail,
				};
				programs.set(program, [...(programs.get(program) ?? []), told]);
			}

			const before = first ? 0 : countFiles(disk.path('mailseal')).bytes;
			const ran = runTool(folderWords(sources, disk, 'mailseal'));
			const far = countFiles(disk.path('mailseal')).bytes;
			add('mailseal pack, sync to a folder', work.pack, [ran], { out: far - before, back: Number.NaN, far });
			for (const [index, { program, after, words }] of shippers.entries()) {
				const moved = await bytesOf((place) => words(place, { name: `counted-${index}`, first }));
				const costs = words(server, { name: `timed-${index}`, first }).map(runTool);
				add(program, after === null ? null : work[after], costs, { ...moved, far: countFiles(server.path(`timed-${index}`)).bytes });
			}
			first = false;
		}

		function backup(): Cost | null {
			if (!shippers.some(({ after }) => after === 'backup')) return null;
			if (first) runTool(initWords(sources));
			return runTool(backupWords(sources));
		}

		await night('first', { now: NOW, mail: tree.bytes });
		await night('unchanged', { now: NOW + DAY, mail: 0 });
		for (let day = 2; day < 2 + numberOption(options, 'nights', 3); day++) {
			const now = NOW + day * DAY;
			const { deliveredBytes } = liveOneDay({ root: sources.tree, seed: 1, day, now, churn, bytes: 'real-life' });
			await night(`${churn * 100} % churn`, { now, mail: deliveredBytes });
		}
		const rows = [...nights].flatMap(([label, programs]) => [...programs].map(([program, told]) => rowOf(label, program, told)));
		report(
			'offsite-nights',
			`Nights of ${messages.toLocaleString('en')} messages (${Math.round(tree.bytes / MEGA)} MB), over SFTP where nothing else is said`,
			rows,
		);
	} finally {
		await proxy.close();
		await server.close();
	}
} finally {
	workplace.close();
}

function rowOf(label: string, program: string, nights: readonly Night[]): Row {
	const middle = (figure: keyof Night): number => median(nights.map((night) => night[figure]));
	return {
		night: label,
		program,
		'new mail MB': middle('mail') / MEGA,
		'MB out': middle('out') / MEGA,
		'MB back': middle('back') / MEGA,
		seconds: middle('seconds'),
		'of these shipping': middle('shipping'),
		'CPU s': middle('cpu'),
		'MB at the far side': middle('far') / MEGA,
	};
}
