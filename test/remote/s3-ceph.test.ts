import { afterAll, beforeAll } from 'vitest';
import { describeBlobStore } from '../contract/blob-store.ts';
import { type Ceph, lacksCeph, openCeph } from '../support/ceph.ts';
import { openInNewBucket } from '../support/s3-bucket.ts';

const skip = lacksCeph();
let ceph: Ceph;
beforeAll(async () => {
	if (!skip) ceph = await openCeph();
});
afterAll(() => ceph?.close());

describeBlobStore({ name: 'a bucket of Ceph', skip, open: () => openInNewBucket(ceph) });
describeBlobStore({ name: 'a prefix in a bucket of Ceph', skip, open: () => openInNewBucket(ceph, 'mail/archive/'), many: 100 });
