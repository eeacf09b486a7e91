import { join } from 'node:path';
import { type BackupTool, openTool, type ToolName } from './backup-tools.ts';

export interface OpenedTools {
	readonly tools: readonly BackupTool[];
	/** Programs that are missing, by tool. */
	readonly missing: Readonly<Record<string, string>>;
}

/** Opens those tools that are installed, each with a folder below `repositories`; says which are not. */
export function openTools(names: readonly ToolName[], place: { readonly tree: string; readonly repositories: string }): OpenedTools {
	const opened = names.map((name) => ({ name, tool: openTool(name, { tree: place.tree, folder: folderOf(name, place.repositories) }) }));
	const missing = opened.flatMap(({ name, tool }) => ('missing' in tool ? [[name, tool.missing] as const] : []));
	for (const [name, program] of missing) console.error(`${name} is left out: needs ${program}`);
	return { tools: opened.flatMap(({ tool }) => ('missing' in tool ? [] : [tool])), missing: Object.fromEntries(missing) };
}

/** Where a tool keeps what is its own. */
export function folderOf(name: ToolName, repositories: string): string {
	return join(repositories, name.replaceAll(/[^a-z0-9]+/g, '-'));
}
