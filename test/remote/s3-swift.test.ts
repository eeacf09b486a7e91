import { afterAll, beforeAll } from 'vitest';
import { describeBlobStore } from '../contract/blob-store.ts';
import { openInNewBucket } from '../support/s3-bucket.ts';
import { lacksSwift, openSwift, type Swift } from '../support/swift.ts';

const skip = lacksSwift();
let swift: Swift;
beforeAll(async () => {
	if (!skip) swift = await openSwift();
});
afterAll(() => swift?.close());

describeBlobStore({ name: 'a bucket of Swift', skip, open: () => openInNewBucket(swift), atomicCreate: false, many: 200 });
