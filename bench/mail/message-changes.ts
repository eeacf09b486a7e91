import { linkSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { addUid, baseOf, insertSorted, keywordsOf, lettersOf, type Mailbox, removeUid } from './mailbox.ts';

/** Gives a message in `cur` other letters. */
export function relabel(mailbox: Mailbox, name: string, change: (letters: string) => string): boolean {
	const renamed = `${baseOf(name)}:2,${change(lettersOf(name))}`;
	renameSync(join(mailbox.path, 'cur', name), join(mailbox.path, 'cur', renamed));
	mailbox.cur[mailbox.cur.indexOf(name)] = renamed;
	mailbox.touched.add('cur');
	return true;
}

/** From `new` into `cur`: `letters` is `S` where it was read, and nothing where a client only saw it. */
export function accept(mailbox: Mailbox, name: string, letters: string): void {
	const renamed = `${baseOf(name)}:2,${letters}`;
	renameSync(join(mailbox.path, 'new', name), join(mailbox.path, 'cur', renamed));
	mailbox.new.splice(mailbox.new.indexOf(name), 1);
	insertSorted(mailbox.cur, renamed);
	mailbox.touched.add('new').add('cur');
}

/** Into another folder, as `base` and with the letters that the keywords have there. */
export function transfer(
	from: Mailbox,
	options: { readonly to: Mailbox; readonly name: string; readonly base: string; readonly keep: boolean },
): void {
	const { to, name, base, keep } = options;
	const letters = [...lettersOf(name)].map((letter) => (letter >= 'a' ? translate(letter, { from, to }) : letter));
	const renamed = `${base}:2,${letters.sort().join('')}`;
	const [source, target] = [join(from.path, 'cur', name), join(to.path, 'cur', renamed)];
	if (keep) linkSync(source, target);
	else renameSync(source, target);
	insertSorted(to.cur, renamed);
	to.touched.add('cur');
	addUid(to, base);
	if (!keep) forget(from, name);
}

/** A message in `cur` whose file is gone. */
export function forget(mailbox: Mailbox, name: string): void {
	mailbox.cur.splice(mailbox.cur.indexOf(name), 1);
	mailbox.touched.add('cur');
	removeUid(mailbox, baseOf(name));
}

/** What a name says of the bytes. */
export function sizesOf(name: string): { readonly size: number; readonly virtual: number } {
	const match = /,S=(\d+),W=(\d+)/.exec(name);
	if (!match) throw new Error(`Cannot move message "${name}": its name has no S= and W=`);
	return { size: Number(match[1]), virtual: Number(match[2]) };
}

/** The index of its letter. */
export function addKeyword(mailbox: Mailbox, keyword: string): number {
	const names = keywordsOf(mailbox);
	const known = names.indexOf(keyword);
	if (known >= 0) return known;
	mailbox.keywordsChanged = true;
	return names.push(keyword) - 1;
}

function translate(letter: string, boxes: { readonly from: Mailbox; readonly to: Mailbox }): string {
	const keyword = keywordsOf(boxes.from)[letter.charCodeAt(0) - 97];
	return keyword === undefined ? letter : String.fromCharCode(97 + addKeyword(boxes.to, keyword));
}
