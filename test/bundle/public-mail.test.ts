import { hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeItem, openBundle, verifyEntries } from '../../src/bundle/index.ts';
import { bundleOf, collect, sourceOf } from './sample-content.ts';

const FOLDER = new URL('../../../shared/data/mail/eml/', import.meta.url);
const missing = !existsSync(FOLDER);
if (missing) console.warn('skipped: needs ../shared/data');

describe('a bundle of public test mails', () => {
	it.skipIf(missing)('gives back every mail byte for byte', async () => {
		const mails = new Map<string, Buffer>();
		for (const name of readdirSync(FOLDER)) {
			const mail = readFileSync(new URL(name, FOLDER));
			mails.set(hash('sha256', mail, 'hex'), mail);
		}
		const bytes = await bundleOf([...mails.values()]);
		const source = sourceOf(bytes);
		const bundle = await openBundle(source);
		expect(bundle.messages.size).toBe(mails.size);
		expect(await collect(verifyEntries(source, bundle, { decode: true, signal: new AbortController().signal }))).toEqual([]);
		for (const [id, { offset, length, codec }] of bundle.messages) {
			const mail = mails.get(id) ?? Buffer.alloc(0);
			const plain = decodeItem(bytes.subarray(offset, offset + length), { codec, size: mail.length });
			expect(mail.equals(plain), id).toBe(true);
		}
	});
});
