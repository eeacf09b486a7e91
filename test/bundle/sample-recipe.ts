import type { MessageLine } from '../../src/domain/index.ts';
import { attachmentId, messageId, mixedContentOf, noise, type SampleContent } from './sample-content.ts';

const LETTER = Buffer.from('Dear Ann, here is the plan of the garden.\n'.repeat(48));
const PICTURE = noise(1000);
const TABLE = Buffer.from('bed=3D4; row=3D2; sown=3DMarch;\r\n'.repeat(40));

interface Piece {
	readonly json: object;
	/** What it stands for in the message. */
	readonly bytes: Buffer;
	readonly literal?: true;
}

function literal(text: string): Piece {
	const bytes = Buffer.from(text);
	return { json: { literal: bytes.length }, bytes, literal: true };
}

/** A file as base64 in lines of `width`, the last of them without an end. */
function encoded(file: Buffer, options: { readonly width: number; readonly end: string; readonly last?: string }): Piece {
	const { width, end, last } = options;
	let text = file.toString('base64');
	if (last !== undefined) text = text.slice(0, -4) + last;
	const runs = Math.ceil(text.length / width) - 1;
	let lines = '';
	for (let run = 0; run < runs; run++) lines += text.slice(run * width, (run + 1) * width) + end;
	const base64 = { lines: [[runs, width, end]], ...(last === undefined ? {} : { last }) };
	const json = { attachment: attachmentId(file), size: file.length, base64 };
	return { json, bytes: Buffer.from(lines + text.slice(runs * width)) };
}

const PIECES: readonly Piece[] = [
	literal(
		'From: bob@example.org\r\nTo: ann@example.org\r\nSubject: The garden\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n' +
			'--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=letter.txt\r\nContent-Transfer-Encoding: base64\r\n\r\n',
	),
	encoded(LETTER, { width: 76, end: '\r\n' }),
	literal('\r\n\r\n--b\r\nContent-Type: image/png; name="garden.png"\r\nContent-Transfer-Encoding: base64\r\n\r\n'),
	encoded(PICTURE, { width: 72, end: '\n', last: `${PICTURE.toString('base64').slice(-4, -2)}=` }),
	literal('\r\n--b\r\nContent-Type: text/csv\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'),
	{ json: { attachment: attachmentId(TABLE), size: TABLE.length }, bytes: TABLE },
	literal('\r\n--b\r\nContent-Type: text/plain; name=note.txt\r\n\r\nSow early.\r\n--b--\r\n'),
];

/** The message that SAMPLE_RECIPE is of. */
export const SAMPLE_MESSAGE = Buffer.concat(PIECES.map(({ bytes }) => bytes));

/** A recipe put together by hand after docs/format.md, of a message with three attachments and one part that stays in it. */
export const SAMPLE_RECIPE = Buffer.concat([
	Buffer.from(`${JSON.stringify({ recipe: 1, size: SAMPLE_MESSAGE.length, pieces: PIECES.map(({ json }) => json) })}\n`),
	...PIECES.filter((piece) => piece.literal).map(({ bytes }) => bytes),
]);

const LINE: MessageLine = {
	type: 'message',
	id: messageId(SAMPLE_MESSAGE),
	size: SAMPLE_MESSAGE.length,
	codec: 'none',
	recipe: SAMPLE_RECIPE.length,
	attachments: [
		{ id: attachmentId(LETTER), name: 'letter.txt', type: 'text/plain', size: LETTER.length, disposition: 'attachment' },
		{ id: attachmentId(PICTURE), name: 'garden.png', type: 'image/png', size: PICTURE.length },
		{ id: attachmentId(TABLE), type: 'text/csv', size: TABLE.length },
		{ name: 'note.txt', type: 'text/plain', size: 10 },
	],
	headers: { from: 'bob@example.org', to: 'ann@example.org', subject: 'The garden' },
};

/** A bundle's content with a whole message, the recipe, its three attachments, and nothing else. */
export function sampleRecipeContent(): SampleContent {
	const whole = mixedContentOf({ mails: [Buffer.from('Subject: one\n\nOne.\n')] });
	const shared = mixedContentOf({ attachments: [LETTER, PICTURE, TABLE] });
	return {
		messages: [...whole.messages, { id: LINE.id, codec: 'none', recipe: true, stored: SAMPLE_RECIPE }],
		attachments: shared.attachments,
		lines: [...whole.lines, LINE, ...shared.lines],
	};
}

/** Rebuilds the sample message as docs/format.md says, from what a bundle holds. */
export function rebuildSample(recipe: Buffer, attachment: (id: string) => Buffer): Buffer {
	const start = recipe.indexOf('\n') + 1;
	const { pieces } = JSON.parse(recipe.toString('latin1', 0, start)) as { pieces: readonly RecipePiece[] };
	let at = start;
	const parts = pieces.map((piece) => {
		if ('literal' in piece) {
			at += piece.literal;
			return recipe.subarray(at - piece.literal, at);
		}
		const bytes = attachment(piece.attachment);
		if (piece.base64 === undefined) return bytes;
		const { lines, last } = piece.base64;
		let text = bytes.toString('base64');
		if (last !== undefined) text = text.slice(0, -4) + last;
		let out = '';
		for (const [count, width, end] of lines) {
			for (let line = 0; line < count; line++) {
				out += text.slice(0, width) + end;
				text = text.slice(width);
			}
		}
		return Buffer.from(out + text);
	});
	return Buffer.concat(parts);
}

type RecipePiece =
	| { readonly literal: number }
	| {
			readonly attachment: string;
			readonly base64?: { readonly lines: readonly (readonly [number, number, string])[]; readonly last?: string };
	  };
