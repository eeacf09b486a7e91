import type { Reach, TargetKeys } from '../archive/index.ts';
import type { Call } from './call.ts';
import { placePath, placeRecipients } from './paths.ts';
import { given, type ReachOptions } from './target-options.ts';
import { settingsFor, type TargetSettings } from './target-settings.ts';

/** Recipients and identities as the settings name them. */
export function keysOf(call: Call, { encryptTo, identity }: TargetSettings): TargetKeys {
	const { services, io } = call;
	return services.readKeys({
		recipients: (encryptTo ?? []).map((text) => placeRecipients(text, io)),
		identityFile: identity === undefined ? null : placePath(identity, io),
	});
}

/** Reaches the targets to which an archive dropped bundles, as the config file and the options of the call say. */
export function reachWith(call: Call, options: ReachOptions): Reach {
	return async (address) => {
		const settings = { ...settingsFor(call, address), ...given(options) };
		return { store: call.services.openStore(address, settings, call.io), keys: keysOf(call, settings) };
	};
}
