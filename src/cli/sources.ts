import { type AccountName, MailsealError } from '../domain/index.ts';
import type { MailSource } from '../sources/index.ts';
import type { Call } from './call.ts';
import { placeSource } from './paths.ts';

/** The sources that the call names, or else those of the config file. */
export function openSources(call: Call, options: { readonly account?: AccountName }): readonly MailSource[] {
	const { io, settings, services } = call;
	const { account } = options;
	if (account !== undefined && call.arguments.length !== 1) {
		throw new MailsealError(
			'usage',
			`Cannot use "--account ${account}": it names the account of one SOURCE (${call.arguments.length} are given)`,
			{
				hint: 'give one SOURCE, or put tables with source and account into the config file',
			},
		);
	}
	if (call.arguments.length > 0) {
		const place = { folder: io.folder, home: io.home };
		return call.arguments.map((text) => services.openSource(placeSource(text, place), account === undefined ? {} : { account }));
	}
	if (settings.sources.length > 0) {
		return settings.sources.map((source) =>
			services.openSource(source.spec, source.account === undefined ? {} : { account: source.account }),
		);
	}
	const where = settings.configPath === null ? 'there is no config file' : `the config file "${settings.configPath}" names none either`;
	throw new MailsealError('usage', `Cannot find any mail: no SOURCE is given, and ${where} (a Maildir, or a folder of Maildirs)`, {
		hint: 'for example ~/Maildir, or maildir:/var/vmail/{domain}/{user}/Maildir, or sources = ["..."] in mailseal.toml',
	});
}
