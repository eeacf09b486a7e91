import type { ImapClient, ImapResponse, ImapValue } from './imap.ts';
import { quote } from './imap.ts';
import { sha256 } from './stored-mail.ts';

export interface ServedMessage {
	/** Sorted, without \Recent; system flags begin with a backslash. */
	readonly flags: readonly string[];
	/** As the server writes it. */
	readonly date: string;
	readonly guid: string;
	/** Of BODY[]. */
	readonly sha256: string;
}

export interface ServedFolder {
	readonly uidValidity: string;
	readonly uidNext: string;
	readonly guid: string;
	/** By UID. */
	readonly messages: ReadonlyMap<number, ServedMessage>;
}

/** All that an IMAP server says of one account. Names are in modified UTF-7. */
export interface ServedAccount {
	readonly folders: ReadonlyMap<string, ServedFolder>;
	/** Sorted. */
	readonly subscribed: readonly string[];
}

/** Reads everything, without changing a flag. */
export async function readServedAccount(client: ImapClient): Promise<ServedAccount> {
	const folders = new Map<string, ServedFolder>();
	for (const [, attributes, , name] of named(await client.send('LIST "" "*"'), 'LIST')) {
		if (Array.isArray(attributes) && attributes.some((attribute) => /^\\(Noselect|NonExistent)$/i.test(String(attribute)))) continue;
		folders.set(String(name), await readServedFolder(client, String(name)));
	}
	const subscribed = named(await client.send('LSUB "" "*"'), 'LSUB').map(([, , , name]) => String(name));
	return { folders: new Map([...folders].sort(([a], [b]) => (a < b ? -1 : 1))), subscribed: subscribed.sort() };
}

async function readServedFolder(client: ImapClient, name: string): Promise<ServedFolder> {
	await client.send(`EXAMINE ${quote(name)}`);
	const messages = new Map<number, ServedMessage>();
	const [status] = named(await client.send(`STATUS ${quote(name)} (MESSAGES UIDVALIDITY UIDNEXT X-GUID)`), 'STATUS');
	const facts = pairs(status?.[2] ?? []);
	if (facts.get('MESSAGES') !== '0') {
		const answers = await client.send('UID FETCH 1:* (UID FLAGS INTERNALDATE X-GUID BODY.PEEK[])');
		for (const answer of answers.filter((response) => response[1] === 'FETCH')) {
			const items = pairs(answer[2] ?? []);
			const [flags, body] = [items.get('FLAGS'), items.get('BODY[]')];
			if (!Array.isArray(flags) || body === undefined) throw new Error(`the server told no flags or body of ${answer.join(' ')}`);
			messages.set(Number(items.get('UID')), {
				flags: flags
					.map(String)
					.filter((flag) => flag !== '\\Recent')
					.sort(),
				date: String(items.get('INTERNALDATE')),
				guid: String(items.get('X-GUID')),
				sha256: sha256(Buffer.isBuffer(body) ? body : String(body ?? '')),
			});
		}
	}
	const text = (key: string): string => String(facts.get(key));
	return { uidValidity: text('UIDVALIDITY'), uidNext: text('UIDNEXT'), guid: text('X-GUID'), messages };
}

function named(responses: readonly ImapResponse[], name: string): ImapResponse[] {
	return responses.filter((response) => response[0] === name);
}

function pairs(list: ImapValue): Map<string, ImapValue> {
	const found = new Map<string, ImapValue>();
	if (!Array.isArray(list)) return found;
	for (let index = 0; index + 1 < list.length; index += 2) found.set(String(list[index]), list[index + 1] ?? null);
	return found;
}
