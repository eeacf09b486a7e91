import {
	type AccountName,
	type FolderName,
	MailsealError,
	parseAccountName,
	parseDuration,
	parseFolderName,
	parseFraction,
	parseInstant,
	parseSize,
} from '../domain/index.ts';
import { parseAttachmentMin } from './attachment-min.ts';

/** Makes the parser of an option's value name the option when it refuses the value. */
function naming<Value>(option: string, parse: (text: string) => Value): (text: string) => Value {
	return (text) => {
		try {
			return parse(text);
		} catch (error) {
			if (!(error instanceof MailsealError) || error.code !== 'usage') throw error;
			const [, reason = error.message] = /^.*": (.*)$/s.exec(error.message) ?? [];
			throw new MailsealError('usage', `Cannot use "${option} ${text}": ${reason}`, { cause: error });
		}
	};
}

export function durationValue(option: string): (text: string) => number {
	return naming(option, parseDuration);
}

export function sizeValue(option: string): (text: string) => number {
	return naming(option, parseSize);
}

/** Bytes a second, at least 1. */
export function rateValue(option: string): (text: string) => number {
	return naming(option, (text) => {
		const rate = parseSize(text);
		if (rate >= 1) return rate;
		throw new MailsealError('usage', `Cannot use "${text}": nothing would move (1 byte a second or more)`);
	});
}

/** Bytes, from 1 to 1 GiB. */
export function attachmentMinValue(option: string): (text: string) => number {
	return naming(option, parseAttachmentMin);
}

export function instantValue(option: string): (text: string) => number {
	return naming(option, parseInstant);
}

export function accountValue(option: string): (text: string) => AccountName {
	return naming(option, parseAccountName);
}

export function folderValue(option: string): (text: string) => FolderName {
	return naming(option, parseFolderName);
}

/** An integer from `least` to `most`. */
export function countValue(option: string, range: { readonly least: number; readonly most: number }): (text: string) => number {
	return (text) => {
		const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
		if (value >= range.least && value <= range.most) return value;
		throw new MailsealError('usage', `Cannot use "${option} ${text}": it is not an integer from ${range.least} to ${range.most}`);
	};
}

/** `1/30`: one in thirty. */
export function shareValue(option: string): (text: string) => number {
	return (text) => {
		const [, count] = /^1\/([1-9][0-9]{0,4})$/.exec(text) ?? [];
		if (count !== undefined) return Number(count);
		throw new MailsealError('usage', `Cannot use "${option} ${text}": it is not a share such as 1/30`);
	};
}

/** A share from 0 to 1, such as 0.5 or 50%. */
export function fractionValue(option: string): (text: string) => number {
	return naming(option, parseFraction);
}

/** Gathers an option that may be given several times. */
export function gather(text: string, before: readonly string[] | undefined): readonly string[] {
	return [...(before ?? []), text];
}
