import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { MailsealError, systemCode } from '../domain/index.ts';
import { asMailsealError } from '../platform/index.ts';
import { type Config, type KeyPath, parseConfig } from './config-schema.ts';
import { placePath, placeRecipients, placeSource } from './paths.ts';
import type { TargetSettings } from './target-settings.ts';

export interface LoadedConfig extends Config {
	readonly path: string;
}

/** The first of the files that exists, read; null where none does. A file that `required` names must exist. */
export function loadConfig(options: {
	readonly paths: readonly string[];
	readonly required: boolean;
	readonly home: string;
}): LoadedConfig | null {
	for (const path of options.paths) {
		const text = readConfigFile(path, options.required);
		if (text !== null) return readConfig(text, { path, home: options.home });
	}
	return null;
}

function readConfigFile(path: string, required: boolean): string | null {
	try {
		return readFileSync(path, 'utf8');
	} catch (error) {
		const code = systemCode(error);
		if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EISDIR') throw asMailsealError(error, 'read config file', path);
		if (!required && code !== 'EISDIR') return null;
		const is = code === 'EISDIR' ? 'it is a folder (a file was expected)' : 'there is no such file';
		throw new MailsealError('config', `Cannot read config file "${path}": ${is}`, { cause: error });
	}
}

/** Reads the text of a config file. Paths in it that are relative lie beside the file. */
export function readConfig(text: string, options: { readonly path: string; readonly home: string }): LoadedConfig {
	const { path, home } = options;
	const config = parseConfig(parseToml(text, path), (keys, problem) => {
		const line = lineOf(text, keys);
		return new MailsealError('config', `Cannot use "${nameOf(keys)}" in "${path}", line ${line}: ${problem.is} (${problem.shouldBe})`, {
			hint: 'correct the config file, or name another one with --config',
			details: { line },
		});
	});
	const place = { folder: dirname(path), home };
	return {
		...config,
		...(config.archive === undefined ? {} : { archive: placePath(config.archive, place) }),
		sources: config.sources.map((source) => ({ ...source, spec: placeSource(source.spec, place) })),
		targets: new Map([...config.targets].map(([name, target]) => [name, placeTarget(target, place)])),
		path,
	};
}

/** The same for the files and the folder that a target names. */
function placeTarget(target: TargetSettings, place: { readonly folder: string; readonly home: string }): TargetSettings {
	const { url, encryptTo, ...rest } = target;
	const files = Object.fromEntries(
		(['sftpKey', 'knownHosts', 'identity'] as const).flatMap((name) =>
			rest[name] === undefined ? [] : [[name, placePath(rest[name], place)]],
		),
	);
	return {
		...rest,
		...files,
		// What looks like an address is one, or is refused where it is used.
		url: /^[^/]*:/.test(url) ? url : placePath(url, place),
		...(encryptTo === undefined ? {} : { encryptTo: encryptTo.map((text) => placeRecipients(text, place)) }),
	};
}

function parseToml(text: string, path: string): unknown {
	try {
		return parse(text);
	} catch (error) {
		if (!(error instanceof TomlError)) throw error;
		const [, reason = ''] = /^Invalid TOML document: (.*)/.exec(error.message) ?? [];
		throw new MailsealError(
			'config',
			`Cannot read config file "${path}": line ${error.line}, column ${error.column} is not TOML (${reason})`,
			{
				cause: error,
				details: { line: error.line, column: error.column },
			},
		);
	}
}

function nameOf(keys: KeyPath): string {
	return keys.map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`)).join('');
}

/**
 * The line, from 1, of the statement that brings `keys` into the document: the parser tells no places, so it is asked
 * after which of the document's lines they are there.
 */
function lineOf(text: string, keys: KeyPath): number {
	const lines = text.split(/(?<=\n)/);
	let start = 1;
	for (let count = 1; count <= lines.length; count++) {
		const document = tryParse(lines.slice(0, count).join(''));
		if (document === null) continue;
		if (holds(document, keys)) return start;
		start = count + 1;
	}
	return lines.length;
}

function tryParse(text: string): unknown {
	try {
		return parse(text);
	} catch (error) {
		if (error instanceof TomlError) return null;
		throw error;
	}
}

function holds(document: unknown, keys: KeyPath): boolean {
	let value = document;
	for (const key of keys) {
		if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false;
		value = (value as Readonly<Record<string | number, unknown>>)[key];
	}
	return true;
}
