/** System flags (RFC 9051, 2.3.2) without their backslash, and `passed` (Maildir `P`, IMAP `$Forwarded`). */
export type Flag = 'answered' | 'deleted' | 'draft' | 'flagged' | 'passed' | 'seen';

/** All flags, in the one order in which they are stored. */
export const FLAGS: readonly Flag[] = ['answered', 'deleted', 'draft', 'flagged', 'passed', 'seen'];

export function isFlag(text: string): text is Flag {
	return (FLAGS as readonly string[]).includes(text);
}
