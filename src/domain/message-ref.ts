import { MailsealError } from './errors.ts';
import { isPathLevel } from './ids.ts';

/** How a user names a message. A placement is taken apart by whoever knows the folders, since folder and key may hold slashes. */
export type MessageRef =
	| { readonly kind: 'id'; readonly prefix: string }
	| { readonly kind: 'message-id'; readonly value: string }
	| { readonly kind: 'placement'; readonly text: string };

/** Reads 8 to 64 hex digits of a message id, a `<Message-ID>`, or `account/folder/key`. */
export function parseMessageRef(text: string): MessageRef {
	const ref = text.trim();
	if (/^[0-9a-f]{8,64}$/i.test(ref)) return { kind: 'id', prefix: ref.toLowerCase() };
	if (/^<[^<>]+>$/.test(ref)) return { kind: 'message-id', value: ref };
	const [account = '', ...rest] = text.split('/');
	if (isPathLevel(account) && rest.length >= 2 && rest[0] !== '' && rest.at(-1) !== '') return { kind: 'placement', text };
	throw new MailsealError('usage', `Cannot tell which message "${text}" is: it has none of the three forms that name one`, {
		hint: 'write 8 to 64 hex digits of its id, its <Message-ID> in angle brackets, or account/folder/key',
	});
}
