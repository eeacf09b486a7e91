import {
	type AttachmentLine,
	type HeaderFacts,
	type MessageLine,
	type PartFacts,
	parseAttachmentId,
	parseMessageId,
} from '../domain/index.ts';
import { choice, type Fields, list, nested, optional, parsed, records, refuseUnknown, text, wholeNumber } from './fields.ts';

/** Parts that a message line may list. */
export const MAX_PARTS = 1000;

const CODECS = ['none', 'gzip'] as const;
const DISPOSITIONS = ['attachment', 'inline'] as const;

/** Every field named, so that a field added to the domain cannot be forgotten here. */
export type Complete<Line> = { readonly [Name in keyof Required<Line>]: Line[Name] | undefined };

/** Reads a line of type `message`; its unknown fields are left to the caller. */
export function parseMessage(fields: Fields): MessageLine {
	const members = list(fields, 'attachments').length;
	if (members > MAX_PARTS) throw fields.fault('attachments', `has ${members} members (${MAX_PARTS} at most)`);
	const line: MessageLine = {
		type: 'message',
		id: parsed(fields, 'id', parseMessageId),
		size: wholeNumber(fields, 'size'),
		codec: choice(fields, 'codec', CODECS),
		...optional(fields, 'recipe', size),
		attachments: records(fields, 'attachments', parsePart),
		headers: parseHeaders(nested(fields, 'headers')),
	};
	if (!isRecipeDue(line)) throw fields.fault('recipe', 'must be there where a member of "attachments" has an id, and only there');
	return line;
}

/** True where a message is a recipe exactly because some of its parts are stored apart. */
export function isRecipeDue(line: Pick<MessageLine, 'recipe' | 'attachments'>): boolean {
	return (line.recipe !== undefined) === line.attachments.some(({ id }) => id !== undefined);
}

/** Reads a line of type `attachment`; its unknown fields are left to the caller. */
export function parseAttachment(fields: Fields): AttachmentLine {
	return {
		type: 'attachment',
		id: parsed(fields, 'id', parseAttachmentId),
		size: wholeNumber(fields, 'size'),
		codec: choice(fields, 'codec', CODECS),
	};
}

/** The line as a value whose fields stand in the order in which they are written. */
export function orderedMessage(line: MessageLine): object {
	const { type, id, size: bytes, codec, recipe } = line;
	const { messageId, date, from, to, cc, subject } = line.headers;
	const headers = { messageId, date, from, to, cc, subject } satisfies Complete<HeaderFacts>;
	const attachments = line.attachments.map(orderedPart);
	return { type, id, size: bytes, codec, recipe, attachments, headers } satisfies { [Name in keyof Complete<MessageLine>]: unknown };
}

/** The line as a value whose fields stand in the order in which they are written. */
export function orderedAttachment({ type, id, size: bytes, codec }: AttachmentLine): object {
	return { type, id, size: bytes, codec } satisfies Complete<AttachmentLine>;
}

function orderedPart({ id, name, type, size: bytes, disposition }: PartFacts): object {
	return { id, name, type, size: bytes, disposition } satisfies Complete<PartFacts>;
}

function parsePart(fields: Fields): PartFacts {
	return refuseUnknown(fields, {
		...optional(fields, 'id', (from, name) => parsed(from, name, parseAttachmentId)),
		...optional(fields, 'name', text),
		type: text(fields, 'type'),
		size: wholeNumber(fields, 'size'),
		...optional(fields, 'disposition', (from, name) => choice(from, name, DISPOSITIONS)),
	});
}

function parseHeaders(fields: Fields): HeaderFacts {
	return refuseUnknown(fields, {
		...optional(fields, 'messageId', text),
		...optional(fields, 'date', utcDate),
		...optional(fields, 'from', text),
		...optional(fields, 'to', text),
		...optional(fields, 'cc', text),
		...optional(fields, 'subject', text),
	});
}

function size(fields: Fields, name: string): number {
	return wholeNumber(fields, name);
}

function utcDate(fields: Fields, name: string): string {
	const value = text(fields, name);
	if (!value.endsWith('Z') || Number.isNaN(Date.parse(value)))
		throw fields.fault(name, `is ${JSON.stringify(value)} (must be ISO 8601 UTC)`);
	return value;
}
