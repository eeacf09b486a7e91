import { isAbsolute, join, resolve } from 'node:path';
import type { Io } from './io.ts';

type World = Pick<Io, 'env' | 'home'>;

/** A path as people write it, made absolute: `~` is the home folder, anything relative lies in `folder`. */
export function placePath(text: string, options: { readonly folder: string; readonly home: string }): string {
	if (text === '~' || text.startsWith('~/')) return resolve(options.home, text.slice(2));
	return resolve(options.folder, text);
}

/** The same for `[TYPE:]PATH`. */
export function placeSource(text: string, options: { readonly folder: string; readonly home: string }): string {
	const [, type = '', path = text] = /^([a-z][a-z0-9+-]*:)(.*)$/s.exec(text) ?? [];
	return path === '' ? text : type + placePath(path, options);
}

/** The same for `@FILE`, which stands for the recipients in a file; any other text is left as it is. */
export function placeRecipients(text: string, options: { readonly folder: string; readonly home: string }): string {
	return text.startsWith('@') ? `@${placePath(text.slice(1), options)}` : text;
}

/** A folder of the XDG Base Directory Specification; a variable that is not absolute counts as unset, as it demands. */
function xdgFolder(world: World, options: { readonly variable: string; readonly otherwise: string }): string {
	const folder = world.env[options.variable];
	return folder !== undefined && isAbsolute(folder) ? folder : join(world.home, options.otherwise);
}

/** Where a config file is looked for; the first that exists is the one. */
export function configPaths(world: World & Pick<Io, 'etc'>): readonly string[] {
	const own = xdgFolder(world, { variable: 'XDG_CONFIG_HOME', otherwise: '.config' });
	return [join(own, 'mailseal', 'mailseal.toml'), join(world.etc, 'mailseal', 'mailseal.toml')];
}

/** Where what was learned of targets is kept between calls; may be deleted. */
export function cacheFolder(world: World): string {
	return join(xdgFolder(world, { variable: 'XDG_CACHE_HOME', otherwise: '.cache' }), 'mailseal');
}

export function defaultArchive(world: World): string {
	return join(xdgFolder(world, { variable: 'XDG_DATA_HOME', otherwise: join('.local', 'share') }), 'mailseal', 'archive');
}
