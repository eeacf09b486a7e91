import { sep } from 'node:path';
import type { Archive, Outcome, SyncResult } from '../archive/index.ts';
import { MailsealError } from '../domain/index.ts';
import type { Call } from './call.ts';
import { TRANSFERS } from './target-options.ts';
import { addressOf, type TargetSettings } from './target-settings.ts';
import { withStore } from './with-target.ts';

/** A thirtieth each day: a month sees all. */
export const USUAL_SHARE = 30;

/** What a sync does beside shipping what the target lacks. */
interface ShipRequest {
	/** The target proves one copy in so many; null: none. */
	readonly check: number | null;
	/** Deletes there what was pruned here and is older than `grace`, milliseconds. */
	readonly prune: { readonly grace: number } | null;
	readonly dropLocal: boolean;
	readonly dryRun: boolean;
}

/** A copy in the archive itself is none, and a target around it would be copied into itself. */
export function refuseArchive(call: Call, settings: TargetSettings): void {
	const { url } = addressOf(call, settings);
	const [archive, target] = [call.settings.archive, url].map((path) => (path.endsWith(sep) ? path : `${path}${sep}`)) as [string, string];
	if (!archive.startsWith(target) && !target.startsWith(archive)) return;
	throw new MailsealError('usage', `Cannot ship to "${url}": the archive "${call.settings.archive}" is, or lies in, the same folder`, {
		hint: 'name a folder on another disk',
	});
}

/** Ships an open archive to a target. */
export function shipTo(
	settings: TargetSettings,
	{ call, archive, ...request }: ShipRequest & { readonly call: Call; readonly archive: Archive },
): Promise<Outcome<SyncResult>> {
	return withStore(call, settings, ({ address, store, keys }) =>
		call.services.sync(archive, {
			...{ address, store, keys, ...request },
			transfers: settings.transfers ?? TRANSFERS,
			now: call.io.now(),
			progress: call.progress,
			signal: call.io.signal,
		}),
	);
}
