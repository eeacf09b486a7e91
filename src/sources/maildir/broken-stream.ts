/** Thrown by decoders: the bytes are not what the format says, or would grow beyond the limit. */
export class BrokenStream extends Error {
	override readonly name = 'BrokenStream';
}
