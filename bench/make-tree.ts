import { parseInstant } from '../src/domain/index.ts';
import { hasOption, numberOption, readOptions, textOption } from './run/options.ts';
import { makeTree } from './tree.ts';

const options = readOptions(['root', 'seed', 'accounts', 'messages', 'bytes', 'domain', 'now', 'logos']);
const started = process.hrtime.bigint();
const tree = makeTree({
	root: textOption(options, 'root', 'mailseal-tree'),
	seed: numberOption(options, 'seed', 1),
	accounts: numberOption(options, 'accounts', 20),
	messages: numberOption(options, 'messages', 4000),
	bytes: textOption(options, 'bytes', 'real-life') === 'small' ? 'small' : 'real-life',
	domain: textOption(options, 'domain', 'example.org').split(','),
	now: parseInstant(textOption(options, 'now', '2026-06-01T02:00:00Z')),
	logos: hasOption(options, 'logos'),
});
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
console.log(JSON.stringify({ ...tree, accounts: tree.accounts.length, seconds }, null, '\t'));
