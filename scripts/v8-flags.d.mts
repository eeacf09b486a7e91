export function flagsAmong(options: string): string[];

export const V8_FLAGS: string;
