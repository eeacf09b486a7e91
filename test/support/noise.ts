import { createCipheriv } from 'node:crypto';

/** Bytes of which no program can make fewer, always the same for a length. */
export function noise(length: number): Buffer {
	return createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), Buffer.alloc(16)).update(Buffer.alloc(length));
}
