import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PackResult, RestoreResult } from '../../src/archive/results.ts';
import { catalogBytes } from './archive-facts.ts';
import { type FileScan, lostFiles, scanFiles } from './file-changes.ts';
import { PROGRAM, pack, runMailseal } from './mailseal.ts';
import { type Cost, stopwatch } from './measure.ts';
import { KEEP_DAILY, KEEP_MONTHLY } from './retention.ts';
import type { YearPlace } from './year-peers.ts';
import { type Size, watchFolders, type YearProgram } from './year-program.ts';
import type { Rule } from './year-rules.ts';

/** mailseal, and what only it is asked. */
export interface YearMailseal extends YearProgram {
	readonly archive: string;
	readonly rule: Rule;
	mostVolatile(): number;
	/** Sealed bytes written by compact, in place of others. */
	compacted(): number;
	catalog(): Size;
}

const DAY = 86_400_000;

/** Which of the commands that retention needs the built program has. */
export function retentionCommands(): { readonly prune: boolean; readonly compact: boolean } {
	const help = stopwatch(process.execPath, [PROGRAM, '--help']).stdout.toString();
	return { prune: /^ +prune\b/m.test(help), compact: /^ +compact\b/m.test(help) };
}

/** Fails as soon as a sealed bundle changes, or vanishes otherwise than in a prune. */
export function openYearMailseal(rule: Rule, place: YearPlace): YearMailseal {
	const { tree, folder, start } = place;
	const archive = join(folder, 'archive');
	const target = join(folder, 'target');
	for (const path of [archive, target]) mkdirSync(path, { recursive: true });
	const has = retentionCommands();
	const inArchive = ['-a', archive];
	let most = 0;
	let compacted = 0;

	/** Runs a step between two looks at the sealed bundles. */
	function guarded<Result>(step: string, work: () => Result): Result {
		const before = sealedFiles(archive);
		const result = work();
		const { gone, changed } = lostFiles(before, sealedFiles(archive));
		const wrong = step === 'prune' ? changed : [...gone, ...changed];
		if (wrong.length > 0)
			throw new Error(`Cannot go on: ${step} of rule "${rule.name}" changed or removed sealed bundles: ${wrong.join(', ')}`);
		return result;
	}

	function run(step: string, ...words: readonly string[]): { readonly result: Record<string, unknown>; readonly cost: Cost } {
		return guarded(step, () => runMailseal<Record<string, unknown>>([step, ...words, ...inArchive]));
	}

	type Row = { readonly name: string; readonly time: string };
	function snapshots(): readonly Row[] {
		return runMailseal<{ readonly rows: readonly Row[] }>(['ls', 'snapshots', ...inArchive]).result.rows;
	}
	const nightOf = ({ time }: Row): number => Math.round((Date.parse(time) - start) / DAY);

	return {
		name: rule.name === 'defaults' ? 'mailseal' : `mailseal ${rule.name}`,
		archive,
		rule,
		...watchFolders({ repository: archive, target, counts: isArchived }),
		backup({ now }) {
			const ran = guarded('pack', () => pack({ root: tree, archive, now, options: [...rule.pack, '--sync', target] }));
			const result: PackResult = ran.result;
			if (result.sealed.rewrittenBytes !== 0) throw new Error(`Cannot go on: pack rewrote ${result.sealed.rewrittenBytes} sealed bytes`);
			most = Math.max(most, result.volatile.bundles);
			return [ran.cost];
		},
		// One call packs and ships.
		ship: () => [],
		retain: has.prune
			? ({ now }) => {
					const instant = ['--now', new Date(now).toISOString()];
					const costs = [run('prune', '--keep-daily', `${KEEP_DAILY}`, '--keep-monthly', `${KEEP_MONTHLY}`, ...instant).cost];
					if (has.compact) {
						const { result, cost } = run('compact', ...rule.compact, ...instant);
						compacted += Number(result.newBytes);
						costs.push(cost);
					}
					return [...costs, run('sync', target, '--prune', '--prune-grace', '0s').cost];
				}
			: undefined,
		kept: () => [...new Set(snapshots().map(nightOf))],
		restore(night, { to, from }) {
			const name = snapshots().find((row) => nightOf(row) === night)?.name ?? '';
			const where = from === 'target' ? ['--target', target] : inArchive;
			guarded('restore', () => runMailseal<RestoreResult>(['restore', '--to', to, '--at', name, ...where]));
			return to;
		},
		mostVolatile: () => most,
		compacted: () => compacted,
		catalog: () => catalogBytes(archive),
	};
}

/** Not the catalog, nor what is of this host alone. */
function isArchived(path: string): boolean {
	return !/^(catalog\.sqlite.*|targets|cache|\.lock)$/.test(path);
}

function sealedFiles(archive: string): FileScan {
	return scanFiles(archive, (path) => path === 'bundles' || path === 'bundles/sealed' || path.startsWith('bundles/sealed/'));
}
