import type { CompactResult } from '../archive/index.ts';
import { formatSize } from '../domain/index.ts';
import { drawTable } from './table.ts';
import { countOf, formatSeconds } from './text.ts';

export function* drawCompact(result: CompactResult): Generator<string> {
	if (result.dryRun && result.bundles.length > 0) {
		yield* drawTable({
			titles: true,
			columns: [
				{ title: 'BUNDLE' },
				{ title: 'HOLDS' },
				{ title: 'TENANT' },
				{ title: 'SIZE', align: 'right' },
				{ title: 'ALIVE', align: 'right' },
			],
			rows: result.bundles.map(({ id, holds, size, live, tenant }) => [
				id.slice(0, 12),
				holds,
				tenant ?? '',
				formatSize(size),
				`${(live * 100).toFixed(1)} %`,
			]),
		});
	}
	if (result.snapshot !== null) yield `snapshot  ${result.snapshot}`;
	const old = `${countOf(result.superseded, 'sealed bundle')} (${formatSize(result.supersededBytes)})`;
	const fresh = `${result.dryRun ? 'about ' : ''}${countOf(result.new, 'new one')} (${formatSize(result.newBytes)})`;
	const left = result.left === 0 ? '' : `, ${result.left} below the bound left`;
	yield `${old} superseded by ${fresh}${left}, ${formatSeconds(result.seconds)}`;
	if (result.dryRun) yield 'dry run: nothing was written';
	else if (result.superseded === 0) yield 'nothing to do: no snapshot was written';
}
