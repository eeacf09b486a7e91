import { createHash } from 'node:crypto';
import type { BundleToApply } from '../../src/catalog/index.ts';
import {
	type BundleKind,
	type HeaderFacts,
	type ManifestLine,
	type MessageId,
	type MessageLine,
	type PlacedWord,
	parseAccountName,
	parseBundleId,
	parseFolderName,
	parseMessageId,
} from '../../src/domain/index.ts';

function sha256(text: string): string {
	return createHash('sha256').update(text).digest('hex');
}

/** The id of a made-up message. */
export function idOf(name: string): MessageId {
	return parseMessageId(sha256(name));
}

/** The line of a made-up message; its stored bytes are as many as its size. */
export function messageOf(name: string, facts: { readonly size?: number; readonly headers?: HeaderFacts } = {}): MessageLine {
	return { type: 'message', id: idOf(name), size: facts.size ?? 100, codec: 'none', attachments: [], headers: facts.headers ?? {} };
}

/** A place written as `account/folder/key`, where the folder may hold slashes. */
export function placeOf(text: string) {
	const [account = '', ...rest] = text.split('/');
	const key = rest.pop() ?? '';
	return { account: parseAccountName(account), folder: parseFolderName(rest.join('/')), key };
}

/** A read message at `account/folder/key`. */
export function placedAt(place: string, message: string, facts: Partial<PlacedWord> = {}): PlacedWord {
	return {
		type: 'placed',
		...placeOf(place),
		message: idOf(message),
		flags: ['seen'],
		keywords: [],
		date: '2026-01-02T03:04:05.000Z',
		...facts,
	};
}

/** A bundle of these lines, none of an attachment, named by what it says; messages lie one behind the other. */
export function bundleOf(kind: BundleKind, lines: readonly ManifestLine[]): BundleToApply {
	const locations = new Map<MessageId, { offset: number; length: number }>();
	let offset = 0;
	for (const line of lines) {
		if (line.type !== 'message') continue;
		locations.set(line.id, { offset, length: line.size });
		offset += line.size;
	}
	const ref = { id: parseBundleId(sha256(`${kind}${JSON.stringify(lines)}`)), kind, size: offset + 500 };
	return { ref, lines, locations, attachmentLocations: new Map() };
}
