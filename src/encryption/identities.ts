import { MailsealError } from '../domain/index.ts';
import { checkBech32 } from './bech32.ts';

/** A secret key. It shows in no text: a template, JSON and `util.inspect()` see an object without content. */
export class Identity {
	readonly #key: string;

	constructor(key: string) {
		this.#key = key;
	}

	/** The key itself, for age alone. */
	reveal(): string {
		return this.#key;
	}
}

const HINT = 'give the file that age-keygen wrote';
const PREFIXES: ReadonlySet<string> = new Set(['AGE-SECRET-KEY-', 'AGE-SECRET-KEY-PQ-']);
const KEY_SIZE = 32;

/** Files that hold a key which cannot be used as it is, by how they begin, with what to do about it. */
const REFUSED: readonly { readonly begin: RegExp; readonly is: string; readonly hint: string }[] = [
	{
		begin: /^(age-encryption\.org\/|-----BEGIN AGE ENCRYPTED FILE-----)/,
		is: 'it is encrypted itself',
		hint: 'decrypt it first: age -d FILE > KEYS, where nobody else can read KEYS',
	},
	{
		begin: /^-----BEGIN [A-Z ]*PRIVATE KEY-----/,
		is: 'it is an ssh key',
		hint: 'give a file that age-keygen wrote; what was encrypted to an ssh key is decrypted with age',
	},
];

/**
 * Reads the secret keys in a file as age-keygen writes it: one a line; empty lines and those that begin with `#` count for nothing.
 * `place` names the file in errors, which are `usage` and never show what a line holds.
 */
export function parseIdentities(text: string, place: string): readonly Identity[] {
	const refused = REFUSED.find(({ begin }) => begin.test(text.trimStart()));
	if (refused !== undefined) {
		throw new MailsealError('usage', `Cannot read identity file "${place}": ${refused.is} (lines with AGE-SECRET-KEY-1... are needed)`, {
			hint: refused.hint,
		});
	}
	const keys = new Set<string>();
	for (const [index, line] of text.split(/\r?\n/).entries()) {
		const key = line.trim();
		if (key === '' || key.startsWith('#')) continue;
		const problem = problemOf(key);
		if (problem !== null) {
			throw new MailsealError('usage', `Cannot read identity file "${place}", line ${index + 1}: ${problem.is}`, { hint: problem.hint });
		}
		keys.add(key);
	}
	if (keys.size === 0) throw new MailsealError('usage', `Cannot read identity file "${place}": it holds no secret key`, { hint: HINT });
	return [...keys].map((key) => new Identity(key));
}

/** What keeps a line from being a secret key, in words that show nothing of it; null where nothing does. */
function problemOf(key: string): { readonly is: string; readonly hint: string } | null {
	if (/^age1/i.test(key)) {
		return { is: 'it is a public key (the secret one is needed)', hint: HINT };
	}
	if (/^AGE-PLUGIN-/i.test(key)) {
		return { is: 'it is a key for a plugin of age (AGE-SECRET-KEY-1... is needed)', hint: 'decrypt with age, which runs the plugin' };
	}
	if (!/^AGE-SECRET-KEY-/i.test(key)) {
		return { is: 'it is not a secret key of age (AGE-SECRET-KEY-1... is needed)', hint: HINT };
	}
	const facts = checkBech32(key);
	const hint = 'copy the line again from where the key is kept';
	if (typeof facts === 'string') return { is: facts, hint };
	if (!PREFIXES.has(facts.prefix)) return { is: 'it is a key of a kind that mailseal does not know, or in lower case', hint };
	if (facts.size !== KEY_SIZE) return { is: `it holds ${facts.size} bytes (${KEY_SIZE} are right)`, hint };
	return null;
}
