import type { PackResult, PlanResult, ReindexResult, RestoreResult, StatusResult, VerifyResult } from '../archive/index.ts';
import { formatDuration, formatSize, type Reason } from '../domain/index.ts';
import { drawTable } from './table.ts';
import { countOf, formatAge, formatCount, formatMinute, formatSeconds, printable } from './text.ts';

/** What a pack cost: the last line of every pack, in one fixed form. */
export function drawContract(result: PackResult): string {
	const { sealed, volatile } = result;
	const added = `${formatCount(sealed.new)} new (${formatSize(sealed.newBytes)})`;
	return (
		`${formatCount(sealed.confirmed)} sealed bundles confirmed, ${added}, volatile ${formatSize(volatile.bytes)}, ` +
		`${formatCount(sealed.rewrittenBytes)} sealed bytes rewritten, ${formatSeconds(result.seconds)}`
	);
}

export function* drawPack(result: PackResult): Generator<string> {
	const { messages, scan, attachments } = result;
	yield result.snapshot === null ? 'dry run: nothing was written' : `snapshot  ${result.snapshot}`;
	const changes = `${formatCount(messages.added)} added, ${formatCount(messages.changed)} changed, ${formatCount(messages.removed)} removed`;
	yield `messages  ${formatCount(messages.total)} in ${countOf(result.accounts, 'account')}: ${changes}`;
	const files = `${countOf(scan.filesRead, 'file')} (${formatSize(scan.bytesRead)})`;
	yield `read      ${formatCount(scan.foldersRead)} of ${countOf(scan.folders, 'folder')}, ${files}`;
	if (attachments.total > 0) {
		const sharing = `${formatSize(attachments.sharedBytes)} saved by sharing`;
		yield `attached  ${formatCount(attachments.total)} stored apart, ${formatCount(attachments.new)} new, ${sharing}`;
	}
	yield drawContract(result);
}

const REASONS: Readonly<Record<Reason, string>> = {
	quiet: 'quiet for the quiet period',
	recent: 'delivered within the quiet period',
	'recently-changed': 'moved or flagged within the quiet period',
	unread: 'not read yet, and younger than the unread period',
	'never-folder': 'in a folder that is never sealed',
	draft: 'a draft',
	'deleted-marked': 'marked as deleted',
	'date-in-future': 'dated in the future',
};

const DAY = 24 * 3600 * 1000;

/** Periods are compared with each other, so all of them are days where they can be. */
function formatPeriod(milliseconds: number): string {
	return milliseconds > 0 && milliseconds % DAY === 0 ? `${milliseconds / DAY}d` : formatDuration(milliseconds);
}

export function* drawPlan(result: PlanResult): Generator<string> {
	const { policy } = result;
	const what = `${countOf(result.messages, 'message')} (${formatSize(result.bytes)})`;
	yield `${what} in ${countOf(result.folders, 'folder')} of ${countOf(result.accounts, 'account')}, judged at ${formatMinute(result.now)} UTC`;
	yield '';
	yield* drawTable({
		titles: true,
		columns: [
			{ title: 'QUIET PERIOD' },
			{ title: 'SEALED', align: 'right' },
			{ title: 'BYTES', align: 'right' },
			{ title: 'VOLATILE', align: 'right' },
			{ title: 'BYTES', align: 'right' },
			{ title: '' },
		],
		rows: result.rows.map((row) => [
			formatPeriod(row.quietPeriod),
			formatCount(row.sealedMessages),
			formatSize(row.sealedBytes),
			formatCount(row.volatileMessages),
			formatSize(row.volatileBytes),
			row.quietPeriod === policy.quietPeriod ? 'in force' : '',
		]),
	});
	yield '';
	const never = policy.never.length === 0 ? 'no folder is exempt' : `never ${policy.never.map(printable).join(', ')}`;
	yield `Under the policy in force (quiet ${formatPeriod(policy.quietPeriod)}, unread ${formatPeriod(policy.unreadPeriod)}, ${never}):`;
	yield* drawTable({
		titles: true,
		columns: [{ title: 'BECOMES' }, { title: 'MESSAGES', align: 'right' }, { title: 'BYTES', align: 'right' }, { title: 'BECAUSE IT IS' }],
		rows: result.reasons.map(({ reason, seal, messages, bytes }) => [
			seal ? 'sealed' : 'volatile',
			formatCount(messages),
			formatSize(bytes),
			REASONS[reason],
		]),
	});
}

export function* drawStatus(result: StatusResult, now: number): Generator<string> {
	yield `archive   ${printable(result.archive)} (${printable(result.id)})`;
	if (result.snapshot === null) yield 'snapshot  none yet';
	else {
		const age = formatAge(now - Date.parse(result.snapshot.time));
		yield `snapshot  ${result.snapshot.name}, ${age}, ${countOf(result.snapshots, 'snapshot')} in all`;
	}
	const places = `${countOf(result.folders, 'folder')} of ${countOf(result.accounts, 'account')}`;
	yield `messages  ${formatCount(result.messages)} (${formatSize(result.bytes)}) in ${places}`;
	yield `sealed    ${countOf(result.sealed.bundles, 'bundle')} (${formatSize(result.sealed.bytes)})`;
	yield `volatile  ${countOf(result.volatile.bundles, 'bundle')} (${formatSize(result.volatile.bytes)})`;
	yield `shared    ${formatSize(result.sharedBytes)} saved by storing equal messages once`;
	const { total, bytes, sharedBytes } = result.attachments;
	yield `attached  ${formatCount(total)} stored apart (${formatSize(bytes)}), ${formatSize(sharedBytes)} saved by storing each once`;
	for (const { target, synced, behind, dropped } of result.targets) {
		const age = synced === null ? 'never to its end' : formatAge(now - Date.parse(synced.time));
		const lag = behind === 0 ? 'up to date' : `${countOf(behind, 'snapshot')} behind`;
		const thin = dropped.bundles === 0 ? '' : `, ${countOf(dropped.bundles, 'sealed bundle')} (${formatSize(dropped.bytes)}) only there`;
		yield `target    ${printable(target)}, ${age}, ${lag}${thin}`;
	}
	for (const next of result.next) yield `next      ${printable(next)}`;
}

export function* drawRestore(result: RestoreResult, to: string): Generator<string> {
	const places = `${countOf(result.folders, 'folder')} of ${countOf(result.accounts, 'account')}`;
	yield `snapshot  ${result.snapshot}`;
	yield `to        ${printable(to)}`;
	const written = `${countOf(result.written, 'message')} (${formatSize(result.bytes)})`;
	const verb = result.dryRun ? 'would be written' : 'written';
	yield `${written} ${verb}, ${formatCount(result.present)} there already, in ${places}, ${formatSeconds(result.seconds)}`;
	if (result.dryRun) yield 'dry run: nothing was written';
}

export function* drawVerify(result: VerifyResult): Generator<string> {
	for (const id of result.damaged) yield `damaged  ${printable(id)}`;
	for (const id of result.missing) yield `missing  ${printable(id)}`;
	// Only deep looks at messages: elsewhere their number would be a wrong 0.
	const messages = result.mode === 'deep' ? `, ${countOf(result.messages, 'message')}` : '';
	const looked = `${countOf(result.snapshots, 'snapshot')}, ${countOf(result.bundles, 'bundle')}${messages}`;
	const damaged = formatCount(result.damaged.length);
	const missing = formatCount(result.missing.length);
	const offsite = result.offsite === 0 ? '' : `, ${formatCount(result.offsite)} only at a target`;
	yield `${result.mode}: ${looked}${offsite}, ${formatSize(result.bytes)} read, ${damaged} damaged, ${missing} missing, ${formatSeconds(result.seconds)}`;
}

export function* drawReindex(result: ReindexResult): Generator<string> {
	const read = `${countOf(result.messages, 'message')} of ${countOf(result.bundles, 'bundle')}`;
	yield `snapshot  ${result.snapshot ?? 'none'}`;
	yield `catalog rebuilt from ${read}, ${formatSeconds(result.seconds)}`;
}
