import { parseInstant } from '../src/domain/index.ts';
import { liveOneDay } from './life.ts';
import { numberOption, readOptions, textOption } from './run/options.ts';

const DAY = 86_400_000;
const options = readOptions(['root', 'seed', 'day', 'churn-per-mille', 'bytes', 'born']);
const day = numberOption(options, 'day', 1);
const started = process.hrtime.bigint();
const report = liveOneDay({
	root: textOption(options, 'root', 'mailseal-tree'),
	seed: numberOption(options, 'seed', 1),
	day,
	now: parseInstant(textOption(options, 'born', '2026-06-01T02:00:00Z')) + day * DAY,
	churn: numberOption(options, 'churn-per-mille', 10) / 1000,
	bytes: textOption(options, 'bytes', 'small') === 'small' ? 'small' : 'real-life',
});
console.log(JSON.stringify({ ...report, seconds: Number(process.hrtime.bigint() - started) / 1e9 }, null, '\t'));
