import { hash } from 'node:crypto';
import {
	type BundleRef,
	type Changes,
	type Finding,
	type History,
	MailsealError,
	parseBundleId,
	parseSnapshotName,
	parseTag,
	type Snapshot,
	type SnapshotName,
	type SnapshotRef,
} from '../domain/index.ts';
import { damaged } from './damage.ts';
import {
	choice,
	type Fault,
	type Fields,
	fieldsOf,
	instant,
	nested,
	optional,
	parsed,
	parsedTexts,
	records,
	refuseUnknown,
	text,
	wholeNumber,
} from './fields.ts';

const FORMAT = 1;
const KINDS = ['sealed', 'volatile'] as const;
const SEVERITIES = ['error', 'warning', 'note'] as const;
const SHA256 = /^[0-9a-f]{64}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** The file of a snapshot and the name it goes by: its time and the start of its hash. */
export function encodeSnapshot(snapshot: Snapshot): { readonly name: SnapshotName; readonly bytes: Uint8Array; readonly sha256: string } {
	if (!TIME.test(snapshot.time)) {
		throw new Error(`Cannot encode snapshot: its time is "${snapshot.time}" (must be ISO 8601 UTC with milliseconds)`);
	}
	const { format, time, parent, tags, record, history, counts, changes, bundles, skipped } = snapshot;
	const { accounts, folders, messages, bytes: mailBytes } = counts;
	const head = [
		['format', format],
		['time', time],
		['parent', parent === null ? null : refFields(parent)],
		...(tags === undefined ? [] : [['tags', tags]]),
		...(record === undefined ? [] : [['record', refFields(record)]]),
		['counts', { accounts, folders, messages, bytes: mailBytes }],
		...(changes === undefined ? [] : [['changes', { added: changes.added, changed: changes.changed, removed: changes.removed }]]),
	].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
	const lists = [
		...(history === undefined ? [] : [`"history":{"kept":${rows(history.kept.map(refFields))},\n"pruned":${rows(history.pruned)}}`]),
		`"bundles":${rows(bundles.map(({ id, kind, size }) => ({ id, kind, size })))}`,
		`"skipped":${rows(skipped.map(({ code, severity, subject, text, hint }) => ({ code, severity, subject, text, hint })))}`,
	];
	const bytes = Buffer.from(`{\n${[...head, ...lists].join(',\n')}\n}\n`);
	const sha256 = hash('sha256', bytes, 'hex');
	return { name: nameOf(time, sha256), bytes, sha256 };
}

interface Decoded {
	readonly snapshot: Snapshot;
	readonly sha256: string;
}

/** Those that were decoded last: one run asks for the newest, and for the record that it names, again and again. */
let recent: readonly { readonly name: SnapshotName; readonly decoded: Decoded }[] = [];

/** The snapshot in a file named `name`. Bytes that do not belong to the name are `archive-damaged`, a later format is `format-newer`. */
export function decodeSnapshot(name: SnapshotName, bytes: Uint8Array): Decoded {
	const sha256 = hash('sha256', bytes, 'hex');
	const fault: Fault = (field, problem, cause) =>
		damaged('bad-snapshot', `Cannot read snapshot "${name}": ${field === '' ? 'it' : `field "${field}"`} ${problem}`, {
			cause,
			details: { field },
		});
	if (!name.endsWith(`-${sha256.slice(0, 8)}`)) {
		throw damaged('wrong-hash', `Cannot read snapshot "${name}": the hash of its bytes starts with ${sha256.slice(0, 8)}`);
	}
	const known = recent.find((one) => one.name === name && one.decoded.sha256 === sha256);
	if (known !== undefined) return known.decoded;
	const fields = fieldsOf(parseJson(bytes, fault), { name: '', fault });
	const format = wholeNumber(fields, 'format');
	if (format > FORMAT) {
		throw new MailsealError('format-newer', `Cannot read snapshot "${name}": its format is ${format} (${FORMAT} is the newest known)`, {
			hint: 'use the mailseal that wrote it, or a newer one',
		});
	}
	if (format !== FORMAT) throw fault('format', `is ${format} (must be ${FORMAT})`);
	const snapshot = parseSnapshot(fields);
	if (nameOf(snapshot.time, sha256) !== name) throw fault('time', `is ${snapshot.time} (must be the time in the name)`);
	const decoded = { snapshot, sha256 };
	recent = [{ name, decoded }, ...recent.slice(0, 1)];
	return decoded;
}

function nameOf(time: string, sha256: string): SnapshotName {
	return parseSnapshotName(`${time.slice(0, 19).replaceAll(/[-:]/g, '')}Z-${sha256.slice(0, 8)}`);
}

function refFields({ name, sha256 }: SnapshotRef): SnapshotRef {
	return { name, sha256 };
}

/** One value a line, so that a person can read the file and compare two. */
function rows(values: readonly (object | string)[]): string {
	return values.length === 0 ? '[]' : `[\n${values.map((value) => JSON.stringify(value)).join(',\n')}\n]`;
}

function parseJson(bytes: Uint8Array, fault: Fault): unknown {
	try {
		return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
	} catch (error) {
		if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
		throw fault('', 'is not JSON in UTF-8', error);
	}
}

function parseSnapshot(fields: Fields): Snapshot {
	const time = instant(fields, 'time');
	if (!TIME.test(time)) throw fields.fault('time', `is ${time} (must have a year of four digits)`);
	return refuseUnknown(fields, {
		format: FORMAT,
		time,
		parent: fields.values.parent === null ? null : parseRef(nested(fields, 'parent')),
		...optional(fields, 'tags', (inner, name) => parsedTexts(inner, name, parseTag)),
		...optional(fields, 'record', (inner, name) => parseRef(nested(inner, name))),
		...optional(fields, 'history', (inner, name) => parseHistory(nested(inner, name))),
		bundles: records(fields, 'bundles', parseBundleRef),
		counts: parseCounts(nested(fields, 'counts')),
		...optional(fields, 'changes', (inner, name) => parseChanges(nested(inner, name))),
		skipped: records(fields, 'skipped', parseFinding),
	} as const);
}

function parseHistory(fields: Fields): History {
	return refuseUnknown(fields, {
		kept: records(fields, 'kept', parseRef),
		pruned: parsedTexts(fields, 'pruned', parseSnapshotName),
	});
}

function parseRef(fields: Fields): SnapshotRef {
	const sha256 = text(fields, 'sha256');
	if (!SHA256.test(sha256)) throw fields.fault('sha256', `is "${sha256}" (must be 64 lower-case hex digits)`);
	return refuseUnknown(fields, { name: parsed(fields, 'name', parseSnapshotName), sha256 });
}

function parseBundleRef(fields: Fields): BundleRef {
	return refuseUnknown(fields, {
		id: parsed(fields, 'id', parseBundleId),
		kind: choice(fields, 'kind', KINDS),
		size: wholeNumber(fields, 'size'),
	});
}

function parseCounts(fields: Fields): Snapshot['counts'] {
	return refuseUnknown(fields, {
		accounts: wholeNumber(fields, 'accounts'),
		folders: wholeNumber(fields, 'folders'),
		messages: wholeNumber(fields, 'messages'),
		bytes: wholeNumber(fields, 'bytes'),
	});
}

function parseChanges(fields: Fields): Changes {
	return refuseUnknown(fields, {
		added: wholeNumber(fields, 'added'),
		changed: wholeNumber(fields, 'changed'),
		removed: wholeNumber(fields, 'removed'),
	});
}

function parseFinding(fields: Fields): Finding {
	return refuseUnknown(fields, {
		code: text(fields, 'code'),
		severity: choice(fields, 'severity', SEVERITIES),
		subject: text(fields, 'subject'),
		text: text(fields, 'text'),
		...optional(fields, 'hint', text),
	});
}
