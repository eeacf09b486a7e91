import { isPathLevel } from '../../domain/index.ts';

const UNPRINTABLE = /[^\x20-\x7e]/;

/**
 * One level of a folder's name from its name on disk: modified UTF-7 (RFC 3501, 5.1.3) or plain UTF-8, told apart by content.
 * What is neither, or would decode to something that is no level, stays as it stands.
 */
export function decodeMailboxName(diskName: string): string {
	if (!diskName.includes('&') || UNPRINTABLE.test(diskName)) return diskName;
	let decoded = '';
	let position = 0;
	for (let start = diskName.indexOf('&'); start >= 0; start = diskName.indexOf('&', position)) {
		const end = diskName.indexOf('-', start);
		const run = end < 0 ? null : decodeRun(diskName.slice(start + 1, end));
		if (run === null) return diskName;
		decoded += diskName.slice(position, start) + run;
		position = end + 1;
		// Two runs side by side are one run written in another way (RFC 3501: no superfluous shifts).
		if (run !== '&' && diskName[position] === '&' && diskName[position + 1] !== '-') return diskName;
	}
	decoded += diskName.slice(position);
	return isPathLevel(decoded) ? decoded : diskName;
}

/** One level in modified UTF-7, for Maildir++, where `.` parts the levels: a `.` inside a level becomes `&AC4-`. */
export function encodeMailboxName(level: string): string {
	return level.replace(/[^\x20-\x25\x27-\x2d\x2f-\x7e]+/g, (run) => {
		// A run of `&`, dots and other characters: each `&` is `&-`, the rest is base64 between the `&` signs.
		return run
			.split(/(&)/)
			.map((piece) => (piece === '&' ? '&-' : piece === '' ? '' : `&${encodeRun(piece)}-`))
			.join('');
	});
}

/** Null unless the run is what an encoder writes: no second spelling of one name may exist. */
function decodeRun(run: string): string | null {
	if (run === '') return '&';
	if (!/^[A-Za-z0-9+,]+$/.test(run)) return null;
	const bytes = Buffer.from(run.replaceAll(',', '/'), 'base64');
	if (bytes.length === 0 || bytes.length % 2 !== 0) return null;
	const text = bytes.swap16().toString('utf16le');
	if (!text.isWellFormed() || encodeRun(text) !== run) return null;
	// Printable characters stand for themselves, but a dot cannot in Maildir++.
	return /[\x20-\x2d\x2f-\x7e]/.test(text) ? null : text;
}

function encodeRun(text: string): string {
	return Buffer.from(text, 'utf16le').swap16().toString('base64').replaceAll('=', '').replaceAll('/', ',');
}
