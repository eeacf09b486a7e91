import { MailsealError } from '../domain/index.ts';
import { checkBech32 } from './bech32.ts';

declare const brand: unique symbol;

/** A public key that files are encrypted to: `age1...` (X25519), or `age1pq1...` (ML-KEM-768 with X25519). */
export type Recipient = string & { readonly [brand]: 'Recipient' };

/** At least one; all of them of the same kind. */
export type Recipients = readonly [Recipient, ...Recipient[]];

const HINT = 'give the public key that age-keygen shows, "age1..."';
const SIZES: ReadonlyMap<string, number> = new Map([
	['age', 32],
	['age1pq', 1216],
]);

/**
 * Checks public keys; one that is given twice counts once. A key that is wrong is a `usage` error which names it, except where it may be
 * a secret: of what does not look like a public key, the text shows nothing.
 */
export function parseRecipients(texts: readonly string[]): Recipients {
	const recipients = new Set<Recipient>();
	for (const [index, text] of texts.entries()) recipients.add(parseRecipient(text.trim(), index));
	const [first, ...others] = recipients;
	if (first === undefined) throw new MailsealError('usage', 'Cannot encrypt: no recipient is given', { hint: HINT });
	// Whoever breaks X25519 one day opens the file by that key: the other kind would protect nothing.
	const odd = others.find((other) => isPostQuantum(other) !== isPostQuantum(first));
	if (odd !== undefined) {
		const [weak, strong] = isPostQuantum(first) ? [odd, first] : [first, odd];
		throw new MailsealError(
			'usage',
			`Cannot use recipient ${shown(weak)} beside ${shown(strong)}: it is not post-quantum (all are, or none is)`,
			{ hint: 'give only keys of one kind' },
		);
	}
	return [first, ...others];
}

/** The public keys in a file of recipients: one a line; empty lines and those that begin with `#` count for nothing. */
export function recipientsInFile(text: string): string[] {
	return text
		.split(/\r?\n/)
		.map((line) => line.trim())
		.filter((line) => line !== '' && !line.startsWith('#'));
}

function parseRecipient(text: string, index: number): Recipient {
	const problem = problemOf(text);
	if (problem === null) return text as Recipient;
	const name = isSecret(text) || !text.startsWith('age1') ? `${index + 1}` : shown(text);
	throw new MailsealError('usage', `Cannot use recipient ${name}: ${problem.is}`, { hint: problem.hint ?? HINT });
}

/** What keeps a text from being a public key; null where nothing does. */
function problemOf(text: string): { readonly is: string; readonly hint?: string } | null {
	if (isSecret(text)) {
		return {
			is: 'it is a secret key (a public key is needed)',
			hint: 'give the public key that belongs to it, "age1..."; "age-keygen -y FILE" shows it. Who saw the secret key can read what is encrypted to it',
		};
	}
	if (text.startsWith('ssh-')) {
		return { is: 'it is an ssh key (age1... is needed)', hint: 'make a key with age-keygen, and give its public key' };
	}
	if (!text.startsWith('age1')) return { is: 'it does not begin with age1' };
	const facts = checkBech32(text);
	if (typeof facts === 'string') return { is: facts };
	const size = SIZES.get(facts.prefix);
	if (size === undefined) return { is: 'it is of a kind that mailseal does not know (age1... or age1pq1...)' };
	return facts.size === size ? null : { is: `it holds ${facts.size} bytes (${size} are right)` };
}

function isSecret(text: string): boolean {
	return /AGE-SECRET-KEY|AGE-PLUGIN|PRIVATE KEY/i.test(text);
}

function isPostQuantum(recipient: Recipient): boolean {
	return recipient.startsWith('age1pq1');
}

/** A public key in quotes, for a text; a long one by its beginning. */
export function shown(text: string): string {
	return text.length <= 70 ? `"${text}"` : `"${text.slice(0, 24)}..."`;
}
