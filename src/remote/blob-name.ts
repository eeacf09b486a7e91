const MOST = 1_024;

const LEVEL = /^[A-Za-z0-9._-]+$/;

/** True for one level of a blob's name. `.` and `..` are none: they would lead out of the store. */
export function isBlobLevel(level: string): boolean {
	return LEVEL.test(level) && level !== '.' && level !== '..';
}

/** True for levels of `A-Z a-z 0-9 . _ -` joined by `/`, at most 1,024 characters. */
export function isBlobName(name: string): boolean {
	return name.length <= MOST && name.split('/').every(isBlobLevel);
}

/** Throws an Error for what is no blob's name: whoever asks for it has not looked at what came from outside. */
export function requireBlobName(name: string): void {
	if (!isBlobName(name)) throw new Error(`Cannot use ${JSON.stringify(name)} as the name of a blob`);
}

/** Throws an Error for what is no folder of blobs, such as `bundles/`. The whole store is the empty text. */
export function requireBlobFolder(folder: string): void {
	if (folder !== '' && !(folder.endsWith('/') && isBlobName(folder.slice(0, -1)))) {
		throw new Error(`Cannot use ${JSON.stringify(folder)} as a folder of blobs`);
	}
}
