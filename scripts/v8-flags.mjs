// How V8 is set where it runs the code that was compiled at the build; it takes such code only where it is set as it was then.
import { execFileSync } from 'node:child_process';

/**
 * So much must a function have run before V8 optimizes it, about seven times the usual. Most runs end within a second: what is optimized in that
 * time is hardly used, and cost a sixth of a night. Runs of minutes are as fast as before.
 */
const WANTED = { '--interrupt-budget': '500000' };

/** Those of them that are among `options`, as `node --v8-options` tells them: a V8 complains on standard error about any other. */
export function flagsAmong(options) {
	const known = new Set(options.match(/^ {2}--\S+/gm)?.map((line) => line.trim()));
	return Object.entries(WANTED).flatMap(([name, value]) => (known.has(name) ? [`${name}=${value}`] : []));
}

/** Empty where the V8 of the build knows none: that of Node 22 has no such budget. */
export const V8_FLAGS = flagsAmong(execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })).join(' ');
