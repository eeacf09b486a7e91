import { join } from 'node:path';
import type { Copy } from '../catalog/index.ts';
import { MailsealError } from '../domain/index.ts';
import { bundlePath, CACHE_FOLDER } from './layout.ts';
import { openRange, type RangeFile } from './range.ts';

/** Where the stored bytes of a message or an attachment lie. */
export type Place = Pick<Copy, 'bundle' | 'sealed' | 'offset' | 'length' | 'codec'>;

/** Opens the stored bytes of an item, which begin at offset 0; throws `not-found` where they are nowhere. */
export type OpenItem = (place: Place) => RangeFile;

/** The file that keeps an item which was fetched from a target. */
export function itemPath(dir: string, { bundle, offset, length }: Pick<Place, 'bundle' | 'offset' | 'length'>): string {
	return join(dir, CACHE_FOLDER, 'items', bundle.slice(0, 2), `${bundle}-${offset}-${length}`);
}

export function placePath(dir: string, { sealed, bundle }: Pick<Place, 'sealed' | 'bundle'>): string {
	return bundlePath(dir, sealed ? 'sealed' : 'volatile', bundle);
}

/** Opens the stored bytes of an item: in its bundle, or as it was fetched from a target; throws `not-found` where it is in neither. Offset 0 is the item's first byte. */
export function openItem(dir: string, place: Place): RangeFile {
	try {
		return within(openRange(placePath(dir, place)), place);
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'not-found') throw error;
		try {
			return openRange(itemPath(dir, place));
		} catch (second) {
			// What is missing is the bundle: the other file is only kept from an earlier call.
			throw second instanceof MailsealError && second.code === 'not-found' ? error : second;
		}
	}
}

/** A part of an open file, closed with it. */
export function within(file: RangeFile, { offset, length }: Place): RangeFile {
	return { size: length, read: (from, count) => file.read(offset + from, count), close: () => file.close() };
}
