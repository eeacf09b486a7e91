import type { BundleSettings } from '../archive/index.ts';
import {
	type AccountName,
	ATTACHMENTS_WHEN,
	type AttachmentsWhen,
	MailsealError,
	type Policy,
	parseAccountName,
	parseDuration,
	parseFraction,
	parseSize,
} from '../domain/index.ts';
import { ATTACHMENT_MIN_RANGE, isAttachmentMin } from './attachment-min.ts';
import { MOST_VOLATILE } from './limits.ts';
import { MOST_TRANSFERS } from './target-options.ts';
import type { TargetSettings } from './target-settings.ts';

export interface ConfigSource {
	/** `[TYPE:]PATH` */
	readonly spec: string;
	readonly account?: AccountName;
}

/** What a config file says; what it does not say is left out. */
export interface Config {
	readonly archive?: string;
	readonly sources: readonly ConfigSource[];
	readonly policy: Partial<Policy>;
	readonly bundles: Partial<BundleSettings>;
	/** Bytes. */
	readonly attachmentMin?: number;
	/** By name. */
	readonly targets: ReadonlyMap<string, TargetSettings>;
}

/** Keys and list positions from the top of the document to a value. */
export type KeyPath = readonly (string | number)[];

/** Builds the error for what is wrong at a place, e.g. `it is "30 days"` and `a duration such as "30d"`. */
export type Refuse = (path: KeyPath, problem: { readonly is: string; readonly shouldBe: string }) => MailsealError;

type Table = Readonly<Record<string, unknown>>;
type Keys = Readonly<Record<string, (value: unknown, at: At) => unknown>>;

interface At {
	readonly path: KeyPath;
	readonly refuse: Refuse;
}

const KEEP: Keys = {
	'keep-last': readCount,
	'keep-daily': readCount,
	'keep-weekly': readCount,
	'keep-monthly': readCount,
	'keep-yearly': readCount,
};
const POLICY = { 'quiet-period': readDuration, 'unread-period': readDuration, never: readNames } satisfies Keys;
const BUNDLE = {
	target: readSize,
	linger: readDuration,
	max: readSize,
	'seal-attachments': readAttachmentsWhen,
	'fold-below': readFraction,
	'most-volatile': readMostVolatile,
} satisfies Keys;
const ROOT = {
	archive: readText,
	sources: readSources,
	'attachment-min': readAttachmentMin,
	compress: readFlag,
	policy: (value: unknown, at: At) => readTable(value, POLICY, at),
	bundle: (value: unknown, at: At) => readTable(value, BUNDLE, at),
	retention: (value: unknown, at: At) => readTable(value, KEEP, at),
	targets: readTargets,
} satisfies Keys;

/** Reads a parsed TOML document; `refuse` makes the error for the first thing in it that is not known or not right. */
export function parseConfig(document: unknown, refuse: Refuse): Config {
	const root = readTable(document, ROOT, { path: [], refuse });
	const policy = root.policy ?? {};
	const { 'seal-attachments': attachments, 'fold-below': foldBelow, 'most-volatile': mostVolatile, ...bundle } = root.bundle ?? {};
	return {
		...(root.archive === undefined ? {} : { archive: root.archive }),
		sources: root.sources ?? [],
		policy: {
			...(policy['quiet-period'] === undefined ? {} : { quietPeriod: policy['quiet-period'] }),
			...(policy['unread-period'] === undefined ? {} : { unreadPeriod: policy['unread-period'] }),
			...(policy.never === undefined ? {} : { never: policy.never }),
		},
		bundles: {
			...bundle,
			...(attachments === undefined ? {} : { attachments }),
			...(foldBelow === undefined ? {} : { foldBelow }),
			...(mostVolatile === undefined ? {} : { mostVolatile }),
			...(root.compress === undefined ? {} : { compress: root.compress }),
		},
		...(root['attachment-min'] === undefined ? {} : { attachmentMin: root['attachment-min'] }),
		targets: root.targets ?? new Map(),
	};
}

function show(value: unknown): string {
	if (Array.isArray(value)) return 'a list';
	if (typeof value === 'object') return value instanceof Date ? 'a date' : 'a table';
	const text = JSON.stringify(value) ?? String(value);
	return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function isTable(value: unknown): value is Table {
	if (typeof value !== 'object' || value === null) return false;
	const prototype: unknown = Object.getPrototypeOf(value);
	return prototype === null || prototype === Object.prototype;
}

/** The values of a table by its keys, each read by its own function. */
function readTable<Known extends Keys>(value: unknown, keys: Known, at: At): { [Key in keyof Known]?: ReturnType<Known[Key]> } {
	if (!isTable(value)) throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe: 'a table' });
	const result: { [key: string]: unknown } = {};
	for (const [key, one] of Object.entries(value)) {
		const path = [...at.path, key];
		const read = Object.hasOwn(keys, key) ? keys[key] : undefined;
		if (!read) throw at.refuse(path, { is: 'there is no such key', shouldBe: `one of ${Object.keys(keys).join(', ')}` });
		result[key] = read(one, { ...at, path });
	}
	return result as { [Key in keyof Known]?: ReturnType<Known[Key]> };
}

function readText(value: unknown, at: At, shouldBe = 'a text that is not empty'): string {
	if (typeof value !== 'string' || value === '') throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe });
	return value;
}

function readFlag(value: unknown, at: At): boolean {
	if (typeof value !== 'boolean') throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe: 'true or false' });
	return value;
}

function readCount(value: unknown, at: At): number {
	if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
		throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe: 'an integer of 0 or more' });
	}
	return value;
}

/** Applies a parser of texts, whose complaint would not name the place. */
function readParsed<Value>(value: unknown, at: At, how: { readonly parse: (text: string) => Value; readonly shouldBe: string }): Value {
	const text = readText(value, at, how.shouldBe);
	try {
		return how.parse(text);
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'usage') throw error;
		throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe: how.shouldBe });
	}
}

function readDuration(value: unknown, at: At): number {
	return readParsed(value, at, { parse: parseDuration, shouldBe: 'a duration such as "36h", "30d", "12w" or "1y"' });
}

function readSize(value: unknown, at: At): number {
	if (typeof value === 'number') return readCount(value, at);
	return readParsed(value, at, { parse: parseSize, shouldBe: 'a size such as "64MiB", or bytes as an integer' });
}

function readFraction(value: unknown, at: At): number {
	const shouldBe = 'a share from 0 to 1, such as 0.5 or "50%"';
	if (typeof value === 'number') {
		if (value >= 0 && value <= 1) return value;
		throw at.refuse(at.path, { is: `it is ${value}`, shouldBe });
	}
	return readParsed(value, at, { parse: parseFraction, shouldBe });
}

function readMostVolatile(value: unknown, at: At): number {
	const count = readCount(value, at);
	if (count >= 1 && count <= MOST_VOLATILE) return count;
	throw at.refuse(at.path, { is: `it is ${count}`, shouldBe: `an integer from 1 to ${MOST_VOLATILE}` });
}

function readAttachmentsWhen(value: unknown, at: At): AttachmentsWhen {
	const found = ATTACHMENTS_WHEN.find((when) => when === value);
	if (found !== undefined) return found;
	throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe: '"quiet" or "arrival"' });
}

function readAttachmentMin(value: unknown, at: At): number {
	const bytes = readSize(value, at);
	if (isAttachmentMin(bytes)) return bytes;
	throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe: `a size ${ATTACHMENT_MIN_RANGE}` });
}

function readAccount(value: unknown, at: At): AccountName {
	return readParsed(value, at, { parse: parseAccountName, shouldBe: 'an account name such as "alice@example.org"' });
}

function readList<Item>(value: unknown, at: At, read: (item: unknown, at: At) => Item): readonly Item[] {
	if (!Array.isArray(value)) throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe: 'a list' });
	return value.map((item: unknown, index) => read(item, { ...at, path: [...at.path, index] }));
}

function readNames(value: unknown, at: At): readonly string[] {
	return readList(value, at, (item, place) => readText(item, place, 'the name of a folder'));
}

const SOURCE = { source: readText, account: readAccount } satisfies Keys;

function readSources(value: unknown, at: At): readonly ConfigSource[] {
	return readList(value, at, (item, place) => {
		if (!isTable(item)) return { spec: readText(item, place, 'a source such as "maildir:/var/vmail/{domain}/{user}/Maildir"') };
		const { source, account } = readTable(item, SOURCE, place);
		if (source === undefined)
			throw at.refuse(place.path, { is: 'it has no key "source"', shouldBe: 'a table with source, and account if wanted' });
		return { spec: source, ...(account === undefined ? {} : { account }) };
	});
}

const TARGET = {
	url: (value: unknown, at: At) => readText(value, at, TARGET_FORM),
	's3-endpoint': readText,
	's3-region': readText,
	'sftp-key': readText,
	'known-hosts': readText,
	'encrypt-to': readRecipients,
	identity: readText,
	'limit-rate': readRate,
	transfers: readTransfers,
	retries: readCount,
	'object-lock': readDuration,
	'object-lock-mode': readLockMode,
} satisfies Keys;

const TARGET_FORM = 'a target such as "sftp://backup@example.org/mail"';

function readTargets(value: unknown, at: At): ReadonlyMap<string, TargetSettings> {
	if (!isTable(value)) throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe: 'a table' });
	return new Map(Object.entries(value).map(([name, target]) => [name, readTarget(target, { ...at, path: [...at.path, name] })]));
}

/** An address, or a table with `url` and what the options of the same names say. */
function readTarget(value: unknown, at: At): TargetSettings {
	if (!isTable(value)) return { url: readText(value, at, TARGET_FORM) };
	const { url, ...rest } = readTable(value, TARGET, at);
	if (url === undefined) throw at.refuse(at.path, { is: 'it has no key "url"', shouldBe: TARGET_FORM });
	const named = Object.entries(rest).map(([key, one]) => [
		key.replace(/-([a-z0-9])/g, (_dash, letter: string) => letter.toUpperCase()),
		one,
	]);
	return { url, ...Object.fromEntries(named) };
}

function readRate(value: unknown, at: At): number {
	const rate = readSize(value, at);
	if (rate >= 1) return rate;
	throw at.refuse(at.path, { is: 'nothing would move', shouldBe: '1 byte a second or more, such as "10MB"' });
}

function readTransfers(value: unknown, at: At): number {
	const count = readCount(value, at);
	if (count >= 1 && count <= MOST_TRANSFERS) return count;
	throw at.refuse(at.path, { is: `it is ${count}`, shouldBe: `an integer from 1 to ${MOST_TRANSFERS}` });
}

function readRecipients(value: unknown, at: At): readonly string[] {
	const form = 'an age recipient such as "age1..."';
	if (!Array.isArray(value)) return [readText(value, at, form)];
	return readList(value, at, (item, place) => readText(item, place, form));
}

function readLockMode(value: unknown, at: At): 'governance' | 'compliance' {
	if (value === 'governance' || value === 'compliance') return value;
	throw at.refuse(at.path, { is: `it is ${show(value)}`, shouldBe: '"governance" or "compliance"' });
}
