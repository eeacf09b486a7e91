import type { Prng } from './prng.ts';
import { openTexts } from './words.ts';

/** What the headers of a message say of its conversation. */
export interface ThreadPlace {
	readonly messageId: string;
	readonly subject: string;
	readonly references: readonly string[];
}

const OPEN_THREADS = 40;
const LONGEST = 12;
const REPLY_SHARE = 0.4;

/** Gives each message of one mailbox its place in a conversation: a new one, or an answer in a recent one. */
export function openThreads(domain: string): (prng: Prng) => ThreadPlace {
	const open: ThreadPlace[] = [];
	const { subjects } = openTexts();
	return (prng) => {
		const messageId = `<${prng.hex(2)}.${prng.hex(1)}@${domain}>`;
		const slot = prng.int(OPEN_THREADS);
		const parent = prng.chance(REPLY_SHARE) ? open[slot] : undefined;
		const place = parent ? answer(parent, messageId) : { messageId, subject: prng.pick(subjects), references: [] };
		open[slot] = place;
		return place;
	};
}

function answer(parent: ThreadPlace, messageId: string): ThreadPlace {
	const subject = parent.subject.startsWith('Re: ') ? parent.subject : `Re: ${parent.subject}`;
	return { messageId, subject, references: [...parent.references, parent.messageId].slice(-LONGEST) };
}
