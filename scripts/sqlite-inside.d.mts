import type { Plugin } from 'esbuild';

export const sqliteInside: Plugin;
