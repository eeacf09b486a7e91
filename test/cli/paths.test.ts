import { describe, expect, it } from 'vitest';
import { configPaths, defaultArchive, placePath, placeSource } from '../../src/cli/paths.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { recordIo } from '../support/recorded-io.ts';

const place = { folder: '/here', home: '/home/alice' };

describe('placePath() and placeSource()', () => {
	it('make paths absolute', () => {
		expect(['x/y', '../x', '/x', '~', '~/x', './~/x'].map((text) => placePath(text, place))).toEqual([
			'/here/x/y',
			'/x',
			'/x',
			'/home/alice',
			'/home/alice/x',
			'/here/~/x',
		]);
	});

	it('keep the type of a source and its placeholders', () => {
		expect(placeSource('maildir:~/Maildir', place)).toBe('maildir:/home/alice/Maildir');
		expect(placeSource('maildir:/var/vmail/{domain}/{user}/Maildir', place)).toBe('maildir:/var/vmail/{domain}/{user}/Maildir');
		expect(placeSource('vmail/{account}', place)).toBe('/here/vmail/{account}');
	});
});

describe('where things lie', () => {
	it('follows the XDG folders, and passes over one that is not absolute', () => {
		const set = { etc: '/etc', home: '/home/alice', env: { XDG_CONFIG_HOME: '/c', XDG_DATA_HOME: '/d' } };
		expect(configPaths(set)).toEqual(['/c/mailseal/mailseal.toml', '/etc/mailseal/mailseal.toml']);
		expect(defaultArchive(set)).toBe('/d/mailseal/archive');
		const unset = { etc: '/etc', home: '/home/alice', env: { XDG_CONFIG_HOME: 'relative', XDG_DATA_HOME: '' } };
		expect(configPaths(unset)[0]).toBe('/home/alice/.config/mailseal/mailseal.toml');
		expect(defaultArchive(unset)).toBe('/home/alice/.local/share/mailseal/archive');
	});

	it('takes the archive from the option, then the environment, then the default', async () => {
		const io = recordIo({ env: { MAILSEAL_ARCHIVE: 'env' }, folder: '/here', home: '/home/alice' });
		expect((await resolveSettings(io, { archive: 'option' })).archive).toBe('/here/option');
		expect((await resolveSettings(io, {})).archive).toBe('/here/env');
		expect((await resolveSettings(recordIo({ home: '/home/alice', env: { MAILSEAL_ARCHIVE: '' } }), {})).archive).toBe(
			'/home/alice/.local/share/mailseal/archive',
		);
	});
});
