import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { classify } from '../../src/classifier/index.ts';
import { type Flag, formatInstant, isFlag, parseDuration, parseFolderName, parseInstant } from '../../src/domain/index.ts';

interface Golden {
	readonly folder: string;
	readonly flags: readonly string[];
	readonly date: string;
	readonly since?: string;
	readonly seal: boolean;
	readonly reason: string;
	readonly dueAt: string | null;
}

interface Table {
	readonly policy: { readonly quietPeriod: string; readonly unreadPeriod: string; readonly never: readonly string[] };
	readonly now: string;
	readonly decisions: readonly Golden[];
}

const FOLDER = join(import.meta.dirname, '..', '..', 'fixtures', 'policy');

function nameOf(golden: Golden): string {
	const changed = golden.since === undefined ? '' : `, changed ${golden.since}`;
	return `${golden.folder} [${golden.flags.join(' ')}] ${golden.date}${changed}: ${golden.reason}`;
}

function flagOf(text: string): Flag {
	if (!isFlag(text)) throw new Error(`no flag: ${text}`);
	return text;
}

const tables = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

it('has golden decisions for every reason', () => {
	const reasons = tables.flatMap((name) => (JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Table).decisions.map((d) => d.reason));
	expect([...new Set(reasons)].sort()).toEqual([
		'date-in-future',
		'deleted-marked',
		'draft',
		'never-folder',
		'quiet',
		'recent',
		'recently-changed',
		'unread',
	]);
});

describe.each(tables)('golden decisions of %s', (name) => {
	const table = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Table;
	const policy = {
		quietPeriod: parseDuration(table.policy.quietPeriod),
		unreadPeriod: parseDuration(table.policy.unreadPeriod),
		never: table.policy.never,
	};

	it.each(table.decisions.map((golden) => [nameOf(golden), golden] as const))('%s', (_, golden) => {
		const decision = classify(
			{
				folder: parseFolderName(golden.folder),
				flags: golden.flags.map(flagOf),
				date: parseInstant(golden.date),
				...(golden.since === undefined ? {} : { since: parseInstant(golden.since) }),
			},
			policy,
			parseInstant(table.now),
		);
		expect({ ...decision, dueAt: decision.dueAt === null ? null : formatInstant(decision.dueAt) }).toEqual({
			seal: golden.seal,
			reason: golden.reason,
			dueAt: golden.dueAt,
		});
	});
});
