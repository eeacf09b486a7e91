import { isUtf8 } from 'node:buffer';
import type { ManifestLine } from '../domain/index.ts';
import { damaged } from './damage.ts';
import { type Fault, fieldsOf } from './fields.ts';
import { gunzip, gzip } from './gzip.ts';
import { orderedLine, parseManifestLine } from './manifest-lines.ts';

const DEFAULT_LIMIT = 1024 ** 3;
const NEWLINE = 0x0a;
const PIECE = 1 << 20;

/** The bytes of `manifest.ndjson.gz`: one JSON object a line, always the same bytes for the same lines. */
export function encodeManifest(lines: readonly ManifestLine[]): Uint8Array {
	const pieces: Buffer[] = [];
	let piece = '';
	for (const line of lines) {
		piece += `${JSON.stringify(orderedLine(line))}\n`;
		if (piece.length < PIECE) continue;
		pieces.push(Buffer.from(piece));
		piece = '';
	}
	pieces.push(Buffer.from(piece));
	return gzip(Buffer.concat(pieces), 'manifest');
}

/** The lines of a manifest, of at most `limit` decompressed bytes. What is not exactly a manifest is `archive-damaged`. */
export function decodeManifest(bytes: Uint8Array, options: { readonly limit?: number } = {}): ManifestLine[] {
	const plain = gunzip(bytes, { limit: options.limit ?? DEFAULT_LIMIT, thing: 'manifest' });
	const view = Buffer.from(plain.buffer, plain.byteOffset, plain.length);
	if (!isUtf8(view)) throw damaged('bad-manifest', 'Cannot read manifest: it is not UTF-8');
	const lines: ManifestLine[] = [];
	let start = 0;
	while (start < view.length) {
		const end = view.indexOf(NEWLINE, start);
		const number = lines.length + 1;
		if (end < 0)
			throw damaged('bad-manifest', `Cannot read manifest line ${number}: it has no newline at its end`, { details: { line: number } });
		lines.push(parseLine(view.toString('utf8', start, end), number));
		start = end + 1;
	}
	return lines;
}

function parseLine(json: string, line: number): ManifestLine {
	let value: unknown;
	try {
		value = JSON.parse(json);
	} catch (error) {
		if (!(error instanceof SyntaxError)) throw error;
		throw damaged('bad-manifest', `Cannot read manifest line ${line}: it is not JSON`, { cause: error, details: { line } });
	}
	const fault: Fault = (field, problem, cause) =>
		damaged('bad-manifest', `Cannot read manifest line ${line}: ${field === '' ? 'it' : `field "${field}"`} ${problem}`, {
			cause,
			details: { line, field },
		});
	return parseManifestLine(fieldsOf(value, { name: '', fault }));
}
