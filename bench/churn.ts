import { join } from 'node:path';
import { liveOneDay } from './life.ts';
import { MEGA } from './run/bytes.ts';
import { pack } from './run/mailseal.ts';
import { measureShell, median } from './run/measure.ts';
import { hasOption, numberOption, readOptions } from './run/options.ts';
import { type Row, report } from './run/report.ts';
import { NOW, openTree, openWorkplace } from './run/workplace.ts';

const DAY = 24 * 3_600_000;

const options = readOptions(['small', 'nights', 'messages', 'churn-per-mille', 'dir', 'keep']);
const small = hasOption(options, 'small');
const workplace = openWorkplace(options);
try {
	const tree = openTree(workplace, {
		bytes: 'small',
		messages: numberOption(options, 'messages', small ? 3000 : 200_000),
		accounts: small ? 5 : 200,
	});
	const churn = numberOption(options, 'churn-per-mille', 10) / 1000;
	const archive = join(workplace.scratch, 'archive');
	// Life never writes into a file that is there, so hard links protect the original.
	const root = join(workplace.scratch, 'tree');
	measureShell('cp -al "$1" "$2"', tree.root, root);
	pack({ root, archive, now: NOW, messages: tree.messages });
	const rows: Row[] = [];
	for (let day = 1; day <= numberOption(options, 'nights', 3); day++) {
		const now = NOW + day * DAY;
		const { deliveredBytes, foldersMade, foldersRenamed, foldersDeleted, ...things } = liveOneDay({ root, seed: 1, day, now, churn });
		const look = measureShell('find "$1" -type f -printf "%s %T@\\n" | wc -l', root);
		const { result, cost } = pack({ root, archive, now });
		rows.push({
			night: day,
			messages: result.messages.total,
			happenings: Object.values(things).reduce((sum, count) => sum + count, 0),
			'folder changes': foldersMade + foldersRenamed + foldersDeleted,
			seconds: cost.wall,
			'CPU s': cost.user + cost.system,
			'peak MB': cost.peak / MEGA,
			'folders read': result.scan.foldersRead,
			'files read': result.scan.filesRead,
			'delivered MB': deliveredBytes / MEGA,
			'new MB': (result.volatile.newBytes + result.sealed.newBytes) / MEGA,
			'rewritten MB': result.sealed.rewrittenBytes / MEGA,
			'find with stat s': look.wall,
			'times stat': cost.wall / look.wall,
		});
	}
	const middle = (column: string) => median(rows.map((row) => Number(row[column])));
	const columns = Object.keys(rows[0] ?? {}).filter((column) => column !== 'night');
	rows.push({ night: 'median', ...Object.fromEntries(columns.map((column) => [column, middle(column)])) });
	report('churn', `Pack after a day in which something happened to ${churn * 100} % of the messages`, rows);
} finally {
	workplace.close();
}
