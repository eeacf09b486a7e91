import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { expect } from 'vitest';
import {
	openSplitter,
	rebuildMessage,
	type StreamedItem,
	splitMessage,
	type TakenApart,
	takeApart,
	takeApartStream,
} from '../../src/attachments/index.ts';
import { isFile } from '../../src/domain/index.ts';
import { inChunks } from './chunkings.ts';

/** What holds for every message: it is rebuilt, ids are hashes, and in chunks of any sizes it comes to the same. */
export function checkLaws(message: Buffer, options: { readonly minimum: number; readonly sizes: readonly number[] }): TakenApart {
	const { minimum, sizes } = options;
	const apart = takeApart(message, { minimum });
	checkApart(message, { apart, minimum });
	const splitter = openSplitter();
	for (const chunk of inChunks(message, sizes)) splitter.push(chunk);
	const split = splitMessage(message);
	expect(splitter.end()).toEqual(split);
	let last = 0;
	for (const { start, end } of split.leaves) {
		expect(start >= last && end >= start && end <= message.length).toBe(true);
		last = end;
	}
	const streamed = takeApartStream(() => inChunks(message, sizes), { minimum, check: () => undefined });
	expect(streamed.parts).toEqual(apart.parts);
	expect(streamed.problem).toBe(apart.problem);
	expect(isSame(streamed.recipe, apart.recipe)).toBe(true);
	expect([...streamed.attachments.keys()]).toEqual([...apart.attachments.keys()]);
	for (const [id, item] of streamed.attachments) expect(isSame(item, apart.attachments.get(id) ?? null)).toBe(true);
	return apart;
}

function checkApart(message: Buffer, { apart, minimum }: { readonly apart: TakenApart; readonly minimum: number }): void {
	const { recipe, parts, attachments, problem } = apart;
	const ids = parts.flatMap(({ id }) => (id === undefined ? [] : [id]));
	expect([...attachments.keys()]).toEqual([...new Set(ids)]);
	if (problem !== null) expect(recipe).toBeNull();
	if (recipe === null) expect(ids).toEqual([]);
	for (const part of parts) expect(part.id !== undefined || isFile(part)).toBe(true);
	for (const [id, bytes] of attachments) {
		expect(bytes.length).toBeGreaterThanOrEqual(minimum);
		expect(createHash('sha256').update(bytes).digest('hex')).toBe(id);
	}
	if (recipe === null) return;
	const rebuilt = Buffer.concat([...rebuildMessage([recipe], (id) => [attachments.get(id) ?? new Uint8Array()])]);
	expect(rebuilt.equals(message)).toBe(true);
}

/** Compares natively: an assertion on megabytes takes seconds. */
function isSame(item: StreamedItem | null, bytes: Uint8Array | null): boolean {
	if (item === null || bytes === null) return item === bytes;
	return bytesOf(item).equals(bytes);
}

function bytesOf(item: StreamedItem): Buffer {
	const chunks: Buffer[] = [];
	for (const chunk of item.chunks()) chunks.push(Buffer.from(chunk));
	const bytes = Buffer.concat(chunks);
	expect([item.length, item.crc32, item.sha256]).toEqual([bytes.length, crc32(bytes), createHash('sha256').update(bytes).digest('hex')]);
	return bytes;
}
