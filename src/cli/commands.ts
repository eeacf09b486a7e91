import type { CommandModule } from './call.ts';

interface Entry {
	readonly name: string;
	readonly summary: string;
	load(): Promise<CommandModule>;
}

/** All commands; the module of one is loaded only when it is called. */
export const COMMANDS: readonly Entry[] = [
	{ name: 'pack', summary: 'seal what is quiet, and write a snapshot', load: () => import('./commands/pack.ts') },
	{ name: 'plan', summary: 'show what pack would seal, and why', load: () => import('./commands/plan.ts') },
	{ name: 'status', summary: 'show the archive at a glance', load: () => import('./commands/status.ts') },
	{ name: 'ls', summary: 'list accounts, messages, attachments, bundles and more', load: () => import('./commands/ls.ts') },
	{ name: 'search', summary: 'find messages by headers and names of files', load: () => import('./commands/search.ts') },
	{
		name: 'extract',
		summary: 'write exact messages, or files attached to them',
		load: () => import('./commands/extract.ts'),
	},
	{ name: 'diff', summary: 'tell what changed between two snapshots', load: () => import('./commands/diff.ts') },
	{ name: 'restore', summary: 'write mailboxes, adding to what is there', load: () => import('./commands/restore.ts') },
	{ name: 'verify', summary: 'read the archive and tell what is damaged', load: () => import('./commands/verify.ts') },
	{ name: 'prune', summary: 'remove old snapshots, and bundles that only they need', load: () => import('./commands/prune.ts') },
	{ name: 'sync', summary: 'ship to a target what it lacks, and confirm the rest', load: () => import('./commands/sync.ts') },
	{ name: 'repair', summary: 'fetch what is damaged or missing from a target', load: () => import('./commands/repair.ts') },
	{
		name: 'compact',
		summary: 'seal anew what is left of mostly dead bundles',
		load: () => import('./commands/compact.ts'),
	},
	{ name: 'reindex', summary: 'rebuild the catalog from the bundles', load: () => import('./commands/reindex.ts') },
];
