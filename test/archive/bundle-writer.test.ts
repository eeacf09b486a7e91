import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { openBuilder } from '../../src/archive/bundle-builder.ts';
import { stageBundle } from '../../src/archive/bundle-writer.ts';
import { archiveAt, temporaryFolder } from '../support/archive.ts';
import { messageOf } from '../support/words.ts';

test('a bundle is interrupted in the middle with the same error, whatever the signal was aborted with, and leaves nothing behind', async () => {
	const dir = join(temporaryFolder(), 'archive');
	const bytes = Buffer.alloc(200_000);
	const controller = new AbortController();
	const builder = openBuilder();
	builder.add({
		line: messageOf('one', { size: bytes.length }),
		stored: {
			length: bytes.length,
			crc32: crc32(bytes),
			*chunks() {
				controller.abort();
				yield bytes;
			},
		},
	});
	const written = stageBundle(archiveAt(dir), { kind: 'sealed', contents: builder.take(), signal: controller.signal });
	await expect(written).rejects.toThrow(expect.objectContaining({ code: 'interrupted' }));
	expect(readdirSync(join(dir, 'bundles/sealed'))).toEqual([]);
});
