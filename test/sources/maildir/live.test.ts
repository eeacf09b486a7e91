import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { openMaildirMessage, openMaildirSource } from '../../../src/sources/index.ts';
import { makeFolder, temporaryDirectory } from '../../support/maildir.ts';

const MESSAGES = 5000;
const SECONDS = process.env.SLOW ? 60 : 4;

/** A mail client and a mail server at once: flags change, mail moves from `new` to `cur`, other mail comes and goes. */
const CHURN = `
const { renameSync, writeFileSync, unlinkSync } = require('node:fs');
const [root, count] = process.argv.slice(1);
const place = Array.from({ length: count }, (_, i) => i % 10 === 0 ? 'new/' + i + '.M1P1.host' : 'cur/' + i + '.M1P1.host:2,');
const letters = ['', 'S', 'FS', 'RS', 'FRS', 'T'];
let step = 0;
process.stdout.write('ready');
for (;;) {
	const i = (step * 7919) % count;
	const next = 'cur/' + i + '.M1P1.host:2,' + letters[(step + i) % letters.length];
	if (next !== place[i]) renameSync(root + '/' + place[i], root + '/' + next);
	place[i] = next;
	if (step % 5 === 0) writeFileSync(root + '/new/extra' + step, 'x');
	if (step % 5 === 0 && step >= 500) unlinkSync(root + '/new/extra' + (step - 500));
	step++;
}
`;

async function startChurn(root: string): Promise<ChildProcess> {
	const child = spawn(process.execPath, ['-e', CHURN, root, String(MESSAGES)], { stdio: ['ignore', 'pipe', 'inherit'] });
	onTestFinished(() => {
		child.kill('SIGKILL');
	});
	await once(child.stdout, 'data');
	return child;
}

test('every listing of a folder in full change has every message that stays, and each can be found and read', async () => {
	const root = temporaryDirectory();
	const names = Array.from({ length: MESSAGES }, (_, index) => `${index}.M1P1.host`);
	makeFolder(root, {
		messages: names.map((name, index) => (index % 10 === 0 ? { dir: 'new', name, content: name } : { name: `${name}:2,`, content: name })),
	});
	const source = openMaildirSource(root);
	const [account] = (await source.accounts(new AbortController().signal)).accounts;
	if (account === undefined) throw new Error('no account');
	const child = await startChurn(root);
	const end = Date.now() + SECONDS * 1000;
	let listings = 0;
	let moved = 0;
	while (Date.now() < end) {
		const [folder] = (await source.look(account)).folders;
		if (folder === undefined) throw new Error('no folder');
		const listing = await source.listFolder(account, folder);
		listings++;
		expect(names.filter((name) => !listing.placements.has(name))).toEqual([]);
		expect(listing).toMatchObject({ complete: true, signature: null, findings: [] });
		for (let index = listings % 50; index < names.length; index += 50) {
			const name = names[index] ?? '';
			let placement = listing.placements.get(name) ?? null;
			let content = '';
			// A name can go again between finding and opening; whoever reads tries more than once.
			for (let attempt = 0; content === '' && attempt < 20; attempt++) {
				if (placement === null) throw new Error(`${name} was given up`);
				const message = openMaildirMessage(placement.path, { limit: 1000 });
				if (!('unreadable' in message)) content = Buffer.from(message.bytes ?? '').toString();
				else {
					expect(message.unreadable).toBe('vanished');
					moved++;
					placement = await source.find(account, folder, name);
				}
			}
			expect(content).toBe(name);
		}
		if (child.exitCode !== null) throw new Error('nothing changes the folder any more');
	}
	console.info(`${listings} listings, ${moved} messages found under another name`);
	expect(listings).toBeGreaterThan(2);
	expect(moved).toBeGreaterThan(0);
});
