import type { Finding } from '../domain/index.ts';
import type { Incoming } from './arrive.ts';
import type { Ingested, IngestedMessage } from './tasks.ts';

/** Why a message was packed whole. */
export function problemFinding(incoming: Incoming, problem: NonNullable<IngestedMessage['problem']>): Finding {
	const texts = {
		'mime-too-deep': 'The parts of the message are nested too deeply; it was packed whole',
		'mime-too-many-parts': 'The message has too many parts; it was packed whole',
		'mime-header-too-large': 'A header of the message is too large; it was packed whole',
		'recipe-mismatch': 'The message could not be rebuilt byte for byte from its parts; it was packed whole',
	};
	return { code: problem, severity: problem === 'recipe-mismatch' ? 'warning' : 'note', subject: placeOf(incoming), text: texts[problem] };
}

function placeOf({ folder, placement }: Incoming): string {
	return `${folder.account}/${folder.folder}/${placement.listed.key}`;
}

export function unreadableFinding(incoming: Incoming, item: Extract<Ingested, { kind: 'unreadable' }>): Finding {
	const odd = item.why === 'symbolic-link' || item.why === 'not-a-file';
	return {
		code: `message-${item.why === 'vanished' ? 'unsteady' : odd ? item.why : 'unreadable'}`,
		severity: odd ? 'warning' : 'error',
		subject: placeOf(incoming),
		text: item.text,
		hint: odd
			? 'it is not mail and was left out; remove it from the mail store'
			: 'make it readable and pack again; the next pack tries it anew',
	};
}

export function oddityFinding(incoming: Incoming, oddity: NonNullable<IngestedMessage['oddity']>): Finding {
	const texts = {
		'unknown-compression': 'The message is compressed in a way that mailseal cannot undo; it was packed as it lies',
		'broken-compression': 'The message looks compressed but cannot be decompressed; it was packed as it lies',
		encrypted: 'The message is encrypted by the mail server; it was packed as it lies',
	};
	return { code: oddity, severity: oddity === 'broken-compression' ? 'warning' : 'note', subject: placeOf(incoming), text: texts[oddity] };
}
