import { closeSync, constants, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { asMailsealError } from '../../platform/index.ts';
import type { MboxJob } from '../write-contract.ts';
import { holdFolder } from '../write-destination.ts';
import { writeAll } from '../write-file.ts';
import { fromLine } from './from-line.ts';
import { quoteMessage } from './quote.ts';

/** How much of a message is looked at for its Return-Path. */
const HEADER_BYTES = 64 * 1024;
/** Small pieces are put together: a hostile message can consist of lines to quote. */
const WRITE_BYTES = 256 * 1024;
const WRITE_PIECES = 4096;
const EPOCH = 0;

/** Appends one message to an mbox that is being written. When `chunks` throws, the file is as long as before. */
export function appendMessage(job: MboxJob, chunks: Iterable<Uint8Array>): 'written' {
	using folder = holdFolder(job.root, job.levels);
	const shown = join(folder.shown, job.temporary);
	let descriptor: number;
	try {
		descriptor = openSync(folder.path(job.temporary), constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
	} catch (error) {
		throw asMailsealError(error, 'write', shown);
	}
	try {
		const { size } = fstatSync(descriptor);
		let complete = false;
		try {
			for (const piece of gather(mboxForm(chunks, job.date ?? EPOCH))) writeAll(descriptor, piece);
			complete = true;
		} finally {
			if (!complete) ftruncateSync(descriptor, size);
		}
		return 'written';
	} catch (error) {
		throw asMailsealError(error, 'write', shown);
	} finally {
		closeSync(descriptor);
	}
}

/** A message as it stands in an mbox file, with its separator and the empty line at its end. */
export function* mboxForm(chunks: Iterable<Uint8Array>, date: number): Generator<Uint8Array> {
	const source = chunks[Symbol.iterator]();
	const first: Uint8Array[] = [];
	let length = 0;
	for (let step = source.next(); step.done !== true; step = source.next()) {
		first.push(step.value);
		length += step.value.length;
		if (length >= HEADER_BYTES) break;
	}
	const start = Buffer.concat(first);
	yield fromLine(start.subarray(0, HEADER_BYTES), date);
	yield* quoteMessage(chain(start, source));
}

function* chain(start: Uint8Array, rest: Iterator<Uint8Array>): Generator<Uint8Array> {
	yield start;
	yield* { [Symbol.iterator]: () => rest };
}

function* gather(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
	let waiting: Uint8Array[] = [];
	let length = 0;
	for (const piece of pieces) {
		waiting.push(piece);
		length += piece.length;
		if (length < WRITE_BYTES && waiting.length < WRITE_PIECES) continue;
		yield Buffer.concat(waiting);
		waiting = [];
		length = 0;
	}
	yield Buffer.concat(waiting);
}
