const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const CHECKSUM = 6;
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** What a text in Bech32 holds: the prefix in the text's own case, and the number of bytes. */
export interface Bech32Facts {
	readonly prefix: string;
	readonly size: number;
}

/** Checks a text in Bech32 (BIP 173; of any length, as age uses it). What is wrong with it comes back as words that quote nothing of it. */
export function checkBech32(text: string): Bech32Facts | string {
	const lower = text.toLowerCase();
	if (text !== lower && text !== text.toUpperCase()) return 'it mixes upper and lower case';
	const separator = lower.lastIndexOf('1');
	if (separator < 1 || lower.length - separator - 1 < CHECKSUM) return 'it is too short';
	const values = [...lower.slice(separator + 1)].map((character) => ALPHABET.indexOf(character));
	if (values.includes(-1)) return 'it holds a character that no key has';
	if (remainder([...prefixValues(lower.slice(0, separator)), ...values]) !== 1)
		return 'its checksum is wrong, so something in it is mistyped';
	const data = values.slice(0, -CHECKSUM);
	// Bits that fill no byte are zero, or one key could be written in several ways.
	const spare = (data.length * 5) % 8;
	if (((data.at(-1) ?? 0) & ((1 << spare) - 1)) !== 0) return 'it does not end as it should';
	return { prefix: text.slice(0, separator), size: Math.floor((data.length * 5) / 8) };
}

function prefixValues(prefix: string): number[] {
	const codes = [...prefix].map((character) => character.charCodeAt(0));
	return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
}

function remainder(values: readonly number[]): number {
	let sum = 1;
	for (const value of values) {
		const top = sum >>> 25;
		sum = ((sum & 0x1ffffff) << 5) ^ value;
		for (const [bit, generator] of GENERATOR.entries()) {
			if (((top >> bit) & 1) === 1) sum ^= generator;
		}
	}
	return sum;
}
