const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** RFC 5322, 4.3, in hours. Any other name, military letters too, means that the zone is not known: UTC. */
const ZONES = new Map(Object.entries({ edt: -4, est: -5, cdt: -5, cst: -6, mdt: -6, mst: -7, pdt: -7, pst: -8 }));

/** Every repetition is bounded or followed by what it cannot match, so that no text makes it backtrack for long. */
const DATE_TIME =
	/^(?:[a-z]{2,9}\.? ?,? ?)?([0-9]{1,2})[ -]([a-z]{3,9})[ -]([0-9]{2,4}),? ([0-9]{1,2}) ?: ?([0-9]{1,2})(?: ?: ?([0-9]{1,2})(?:\.[0-9]{1,9})?)?(?![0-9])(.*)$/i;

const OFFSET = /^ ?(?:GMT|UTC?)? ?([+-])([0-9]{2}):?([0-9]{2})(?![0-9])/i;

/** The instant of a Date header (RFC 5322, 3.3 and 4.3) as ISO 8601 UTC, or undefined where it cannot be read. */
export function parseMailDate(text: string): string | undefined {
	const match = DATE_TIME.exec(withoutComments(text).replace(/\s+/g, ' ').trim());
	if (!match) return undefined;
	const [, day = '', monthName = '', yearText = '', hour = '', minute = '', second = '0', zone = ''] = match;
	const month = MONTHS.indexOf(monthName.slice(0, 3).toLowerCase());
	const year = fullYear(yearText);
	const offset = zoneMinutes(zone);
	if (month < 0 || year < 1900 || offset === undefined) return undefined;
	// 60 is a leap second (RFC 5322, 3.3).
	if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
	if (Number(day) < 1 || Number(day) > daysOf(year, month)) return undefined;
	const instant = new Date(Date.UTC(year, month, Number(day), Number(hour), Number(minute) - offset, Number(second)));
	return instant.getUTCFullYear() > 9999 ? undefined : instant.toISOString();
}

function daysOf(year: number, month: number): number {
	if (month === 1) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
	return month === 3 || month === 5 || month === 8 || month === 10 ? 30 : 31;
}

/** RFC 5322, 4.3: two digits are 1950 to 2049, three count from 1900; so does the `0102` of some senders in 2002. */
function fullYear(text: string): number {
	const year = Number(text);
	if (text.length === 2) return year < 50 ? 2000 + year : 1900 + year;
	return year >= 100 && year < 1000 ? 1900 + year : year;
}

/** Minutes east of UTC, none where no zone is given; undefined for a number that is no zone. */
function zoneMinutes(text: string): number | undefined {
	const match = OFFSET.exec(text);
	if (match) {
		const minutes = Number(match[3]);
		return minutes > 59 ? undefined : (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + minutes);
	}
	const name = /^ ?([a-z]*)/i.exec(text)?.[1] ?? '';
	if (name === '' && text !== '') return undefined;
	return (ZONES.get(name.toLowerCase()) ?? 0) * 60;
}

/** RFC 5322, 3.2.2: comments nest; a backslash takes the character behind it literally. */
function withoutComments(text: string): string {
	if (!text.includes('(')) return text;
	let result = '';
	let depth = 0;
	for (let at = 0; at < text.length; at++) {
		const character = text.charAt(at);
		if (character === '\\') at++;
		else if (character === '(') depth++;
		else if (character === ')' && depth > 0) result += --depth === 0 ? ' ' : '';
		else if (depth === 0) result += character;
	}
	return result;
}
