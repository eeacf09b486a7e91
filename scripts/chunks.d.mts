import type { Plugin } from 'esbuild';

export const chunksApart: Plugin;
export function buildChunks(folder: string): Promise<void>;
