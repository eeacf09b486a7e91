import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FolderState, readTreeState } from '../../test/support/tree-state.ts';
import type { Profile } from '../mail/profiles.ts';
import { makeTree, type Tree, type TreeOptions } from '../tree.ts';
import { hasOption, type Options, textOption } from './options.ts';

/** The clock of all trees: it lies in the past, so that nothing in a simulated month is younger than the machine's own clock. */
export const NOW = Date.UTC(2026, 5, 1, 2);

export interface Workplace {
	/** Trees are kept here from one run to the next; the options `--dir` names another place. */
	readonly folder: string;
	/** For everything else; removed by `close`, unless `--keep` is given. */
	readonly scratch: string;
	close(): void;
}

export function openWorkplace(options: Options): Workplace {
	const folder = textOption(options, 'dir', join(tmpdir(), 'mailseal-bench'));
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	const scratch = mkdtempSync(join(folder, 'run-'));
	return {
		folder,
		scratch,
		close() {
			if (!hasOption(options, 'keep')) rmSync(scratch, { recursive: true, force: true });
		},
	};
}

/** The tree of these options: of an earlier run, or made at once; `now` is its clock where it is not NOW. Must not be changed: live in a copy. */
export function openTree(
	workplace: Workplace,
	options: Pick<TreeOptions, 'accounts' | 'messages' | 'bytes' | 'logos'> & { readonly now?: number },
): Tree {
	const { accounts, messages, bytes = 'real-life', logos = false, now = NOW } = options;
	const wanted = { accounts, messages, bytes, seed: 1, domain: 'example.org', now, ...(logos ? { logos } : {}) };
	const born = now === NOW ? '' : `-${new Date(now).toISOString().slice(0, 10)}`;
	const name = `tree-${bytes}${logos ? '-logos' : ''}-${messages}-${accounts}${born}`;
	const root = join(workplace.folder, name);
	const marker = `${root}.json`;
	const fingerprint = createHash('sha256')
		.update(`${JSON.stringify(wanted)}${probe(workplace, { logos, bytes })}`)
		.digest('hex');
	if (existsSync(marker)) {
		const known = JSON.parse(readFileSync(marker, 'utf8')) as { readonly fingerprint: string; readonly tree: Tree };
		if (known.fingerprint === fingerprint && known.tree.root === root) return known.tree;
	}
	rmSync(marker, { force: true });
	rmSync(root, { recursive: true, force: true });
	console.error(`making ${name} in ${workplace.folder}`);
	const tree = makeTree({ ...wanted, root });
	writeFileSync(marker, JSON.stringify({ fingerprint, tree }));
	return tree;
}

/** A fingerprint of what the generator writes at present, from some small trees. */
function probe(workplace: Workplace, options: { readonly logos: boolean; readonly bytes: Profile }): string {
	const hash = createHash('sha256');
	for (const bytes of new Set<Profile>(['real-life', 'small', options.bytes])) {
		const root = join(workplace.scratch, `probe-${bytes}`);
		makeTree({ root, seed: 1, accounts: 2, messages: 60, bytes, domain: 'example.org', now: NOW, logos: options.logos });
		for (const [name, folder] of readTreeState(root)) hash.update(name).update(textOf(folder));
		rmSync(root, { recursive: true });
	}
	return hash.digest('hex');
}

function textOf(folder: FolderState): string {
	return JSON.stringify(folder, (_, value: unknown) => (value instanceof Map ? [...value] : value));
}
