import type { Plugin } from 'esbuild';

export const noSubprograms: Plugin;
