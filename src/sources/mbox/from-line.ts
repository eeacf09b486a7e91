const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The date of a `From ` line as asctime writes it (POSIX; RFC 4155, appendix A), UTC, whole seconds. */
export function asctime(milliseconds: number): string {
	const date = new Date(milliseconds);
	const two = (value: number): string => String(value).padStart(2, '0');
	const day = `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)}`;
	return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} ${String(date.getUTCFullYear()).padStart(4, '0')}`;
}

/** The envelope sender in the Return-Path (RFC 5321, 4.4) of a message's first bytes, or MAILER-DAEMON where there is none. */
export function envelopeSender(start: Uint8Array): string {
	for (const line of Buffer.from(start).toString('latin1').split(/\r?\n/)) {
		if (line === '') break;
		// A space or a control character would end the address for whoever reads the line.
		const address = /^return-path:[ \t]*<?([!-;=?-~]+@[!-;=?-~]+)>?[ \t]*$/i.exec(line)?.[1];
		if (address !== undefined) return address;
	}
	return 'MAILER-DAEMON';
}

/** The separator in front of a message, with its line end. */
export function fromLine(start: Uint8Array, milliseconds: number): Buffer {
	return Buffer.from(`From ${envelopeSender(start)} ${asctime(milliseconds)}\n`, 'latin1');
}
