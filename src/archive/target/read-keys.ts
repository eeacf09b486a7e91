import { readFileSync } from 'node:fs';
import { parseIdentities, parseRecipients, recipientsInFile } from '../../encryption/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import type { TargetKeys } from './keys.ts';

/** Recipients as they are written, or `@PATH` for those in a file, and the identities in a file; throws `usage` for what is neither, and what reading throws. */
export function readKeys(from: { readonly recipients: readonly string[]; readonly identityFile: string | null }): TargetKeys {
	return {
		recipients: from.recipients.length === 0 ? null : parseRecipients(from.recipients.flatMap(expand)),
		identities: from.identityFile === null ? [] : parseIdentities(readText(from.identityFile), from.identityFile),
	};
}

function expand(recipient: string): readonly string[] {
	return recipient.startsWith('@') ? recipientsInFile(readText(recipient.slice(1))) : [recipient];
}

function readText(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch (error) {
		throw asMailsealError(error, 'read the keys of', path);
	}
}
