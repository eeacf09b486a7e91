import { setFlagsFromString } from 'node:v8';

/** Of V8, those known to take the flag: of one that it does not know, it tells the user. */
const ABLE = /^1[123]\./;

/**
 * Has V8 run seven times as much of a function as by default before it makes fast code of it: a night is over before that pays, and it took a
 * fifth of all its work. For calls that are at work for a while: code that was compiled beforehand, Node's own too, is not taken from then on.
 */
export function delayFastCode(): void {
	if (ABLE.test(process.versions.v8)) setFlagsFromString('--interrupt-budget=1000000');
}
