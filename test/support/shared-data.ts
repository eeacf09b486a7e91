import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A folder of the test mail that is kept beside the project, or null where it is not there, which is said aloud. */
export function sharedData(folder: string): string | null {
	const path = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', folder);
	if (existsSync(path)) return path;
	console.warn(`skipped: needs ../shared/data/${folder}`);
	return null;
}
