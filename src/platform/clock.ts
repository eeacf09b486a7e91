/**
 * Milliseconds since any moment, which no change of the time of day moves. Not performance.now(): the first call of it loads all with which
 * Node measures itself.
 */
export function monotonic(): number {
	const [seconds, nanoseconds] = process.hrtime();
	return seconds * 1000 + nanoseconds / 1e6;
}
