import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openYear } from './mail/year-life.ts';
import { sharesOf } from './mail/year-shares.ts';
import { weighNeeded } from './run/archive-facts.ts';
import { MEGA } from './run/bytes.ts';
import { measureShell } from './run/measure.ts';
import { openNightRecords } from './run/night-records.ts';
import { hasOption, numberOption, readOptions, textOption } from './run/options.ts';
import { type Row, tableOf, writeRows } from './run/report.ts';
import { mayBeKept, RETENTION_EVERY } from './run/retention.ts';
import { openTree, openWorkplace } from './run/workplace.ts';
import { drawYear } from './run/year-chart.ts';
import { costRow, type Ledger, openLedger, timeRow } from './run/year-ledger.ts';
import { openYearMailseal, retentionCommands, type YearMailseal } from './run/year-mailseal.ts';
import { openYearPeer, YEAR_PEERS } from './run/year-peers.ts';
import type { YearProgram } from './run/year-program.ts';
import { rulesNamed } from './run/year-rules.ts';

/** Far enough back that no night of the year is in the future: bup would not trust the times of its files. */
const START = Date.UTC(2025, 0, 1, 2);
const DAY = 86_400_000;
const CHECKPOINT_EVERY = 30;

const options = readOptions([...['small', 'nights', 'accounts', 'messages', 'deliveries', 'rules', 'without', 'picture', 'dir', 'keep']]);
const small = hasOption(options, 'small');
const nights = numberOption(options, 'nights', small ? 15 : 365);
const without = textOption(options, 'without', '').split(',');
const workplace = openWorkplace(options);
try {
	const tree = openTree(workplace, {
		bytes: 'real-life',
		messages: numberOption(options, 'messages', small ? 80 : 6000),
		accounts: numberOption(options, 'accounts', small ? 4 : 50),
		now: START,
	});
	const root = join(workplace.scratch, 'tree');
	// Life never writes into a file that is there, so hard links protect the original.
	measureShell('cp -al "$1" "$2"', tree.root, root);
	// What is kept of a target lies there.
	process.env.XDG_CACHE_HOME = join(workplace.scratch, 'cache');
	const year = openYear({ root, seed: 1, start: START, nights, deliveries: numberOption(options, 'deliveries', small ? 6 : 115) });
	const records = openNightRecords({ root, folder: join(workplace.scratch, 'records') });
	const recorded = mayBeKept(nights, START);
	const placeOf = (name: string) => ({ tree: root, folder: join(workplace.scratch, name), start: START });
	const own = without.includes('mailseal') ? [] : rulesNamed(textOption(options, 'rules', 'defaults'));
	const mailseals = own.map((rule) => openYearMailseal(rule, placeOf(`mailseal-${rule.name}`)));
	const peers = YEAR_PEERS.filter((name) => !without.includes(name)).map((name) => ({ name, program: openYearPeer(name, placeOf(name)) }));
	const missing = peers
		.filter(({ program }) => program === null)
		.map(({ name }): Row => ({ program: name, 'shipped MB': 'not installed' }));
	const ledgers = [...mailseals, ...peers.flatMap(({ program }) => program ?? [])].map(openLedger);
	const delivered = [0];
	const spreeNights: number[] = [];

	function costRows(): Row[] {
		const deliveredBytes = delivered.reduce((sum, bytes) => sum + bytes, 0);
		return [...ledgers.map((ledger) => costRow(ledger, { deliveredBytes, spreeNights })), ...missing];
	}

	/** What there is so far, so that a run that is cut off is not lost. */
	function write(told: { readonly title: string; readonly rows: readonly Row[] } & Readonly<Record<string, unknown>>): void {
		writeRows('year', {
			...told,
			delivered,
			spreeNights,
			steps: Object.fromEntries(ledgers.map(({ program, steps }) => [program.name, steps])),
		});
	}

	function titleAt(night: number): string {
		const total = delivered.reduce((sum, bytes) => sum + bytes, 0);
		return `${night} nights of ${tree.accounts.length} accounts: ${(tree.bytes / MEGA).toFixed(0)} MB of mail at first, ${(total / MEGA).toFixed(0)} MB delivered`;
	}

	for (let night = 0; night <= nights; night++) {
		const now = START + night * DAY;
		if (night > 0) {
			const day = year.live(night);
			delivered.push(day.deliveredBytes);
			if (day.spree) spreeNights.push(night);
		}
		if (recorded.has(night)) records.keep(night);
		for (let turn = 0; turn < ledgers.length; turn++) liveThrough(ledgers[(turn + night) % ledgers.length], { night, now });
		if (night > 0 && night % CHECKPOINT_EVERY === 0 && night < nights) {
			const rows = costRows();
			console.error(tableOf(`So far: ${titleAt(night)}`, rows));
			write({ title: titleAt(night), rows });
		}
	}

	const cost = costRows();
	const times = ledgers.map(timeRow);
	const checks = checkAll();
	const facts = await Promise.all(mailseals.map(factsOf));
	const shares = sharesOf(year.mails, nights);
	const fates: Row[] = [
		...shares.deletedWithin.map(({ nights: within, share }) => ({
			mail: `delivered, deleted within ${within} days`,
			'share of bytes': share,
		})),
		{ mail: 'delivered, deleted so far', 'share of bytes': shares.deletedSoFar },
		{ mail: 'older than 30 days, deleted then', 'share of bytes': shares.oldDeleted },
		{ mail: 'older than 30 days, deleted in a spree', 'share of bytes': shares.oldDeletedInSprees },
	];
	const title = titleAt(nights);
	console.log(tableOf(title, cost));
	console.log(tableOf('Time, without night 0', times));
	if (facts.length > 0) console.log(tableOf('What is special to mailseal', facts));
	console.log(tableOf('Restores, held against the tree of the night', checks));
	console.log(tableOf('What becomes of the mail', fates));
	write({ title, rows: cost, times, facts, checks, fates });
	const picture = join(process.cwd(), 'bench', 'out', 'year.svg');
	writeFileSync(picture, draw());
	const copy = textOption(options, 'picture', '');
	if (copy !== '') {
		mkdirSync(dirname(copy), { recursive: true });
		copyFileSync(picture, copy);
	}
	if (checks.some(({ differences }) => differences !== 0)) throw new Error('Cannot trust these figures: a restore differs from its night');

	function liveThrough(ledger: Ledger | undefined, at: { readonly night: number; readonly now: number }): void {
		if (!ledger) return;
		const { program } = ledger;
		ledger.add({ ...at, phase: 'backup' }, program.backup(at));
		ledger.add({ ...at, phase: 'ship' }, program.ship(at));
		if (program.retain && at.night > 0 && at.night % RETENTION_EVERY === 0) ledger.add({ ...at, phase: 'retention' }, program.retain(at));
	}

	/** The oldest night that a program has, one in the middle, and the newest; from offsite and from here in turn. */
	function checkAll(): Row[] {
		return ledgers.map(({ program }): Row => {
			const kept = [...program.kept()].sort((left, right) => left - right);
			const known = kept.filter((night) => records.has(night));
			const chosen = [...new Set([known[0], known[known.length >> 1], known.at(-1)])].filter((night) => night !== undefined);
			const differences = chosen.flatMap((night, index) =>
				compareRestored(program, { night, from: index % 2 === 0 ? 'target' : 'repository' }),
			);
			for (const text of differences.slice(0, 20)) console.error(`${program.name}: ${text}`);
			return {
				program: program.name,
				'nights kept': kept.length,
				oldest: kept[0] ?? Number.NaN,
				restored: chosen.join(', '),
				differences: differences.length,
			};
		});
	}

	function compareRestored(program: YearProgram, at: { readonly night: number; readonly from: 'repository' | 'target' }): string[] {
		const to = join(workplace.scratch, 'restored');
		mkdirSync(to);
		const restored = program.restore(at.night, { to, from: at.from });
		const differences = records.compare(at.night, restored);
		rmSync(to, { recursive: true });
		return differences.map((text) => `night ${at.night}: ${text}`);
	}

	async function factsOf(program: YearMailseal): Promise<Row> {
		const catalog = program.catalog();
		const needed = new Set<string>();
		for (const night of program.kept().filter((one) => records.has(one))) for (const id of records.messages(night)) needed.add(id);
		const [newest, kept] = [await weighNeeded(program.archive, records.messages(nights)), await weighNeeded(program.archive, needed)];
		const mean = (chosen: (night: number) => boolean) => {
			const steps = ledgers.find((one) => one.program === program)?.steps.filter(({ night }) => night > 0 && chosen(night)) ?? [];
			return steps.reduce((sum, { shipped }) => sum + shipped, 0) / MEGA / new Set(steps.map(({ night }) => night)).size;
		};
		return {
			program: program.name,
			'catalog MB': catalog.bytes / MEGA,
			'newest night needs MB': newest.bytes / MEGA,
			'kept nights need MB': kept.bytes / MEGA,
			'sealed and dead': newest.deadShare,
			'needed by no kept night': kept.deadShare,
			'sealed bytes rewritten': 0,
			'compacted MB': program.compacted() / MEGA,
			'most volatile bundles': program.mostVolatile(),
			'shipped in a spree night MB': mean((night) => spreeNights.includes(night)),
			'in another MB': mean((night) => !spreeNights.includes(night)),
		};
	}

	function draw(): string {
		return drawYear({
			delivered,
			programs: ledgers.map(({ program, steps }) => ({
				...{ name: program.name, steps, bytes: program.sizes().repository.bytes },
				own: mailseals.some((one) => one === program),
			})),
		});
	}
	const { prune, compact } = retentionCommands();
	if (mailseals.length > 0 && !(prune && compact)) console.error('mailseal ran without retention: the program has no prune or no compact');
} finally {
	workplace.close();
}
