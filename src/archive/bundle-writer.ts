import { type ContentKind, composeBundle } from '../bundle/index.ts';
import type { Catalog, Location } from '../catalog/index.ts';
import {
	type AttachmentId,
	type BundleId,
	type BundleKind,
	type BundleRef,
	MailsealError,
	type MessageId,
	type Policy,
} from '../domain/index.ts';
import { sizeOf } from '../platform/index.ts';
import { throwIfAborted } from './abort.ts';
import type { BundleContents } from './bundle-builder.ts';
import { checkBundleFile } from './check-bundle.ts';
import { bundleFolder, bundlePath } from './layout.ts';
import type { Archive } from './open-archive.ts';

function contentKind(kind: BundleKind, { attachments }: BundleContents): ContentKind {
	if (kind === 'volatile') return 'volatile';
	return attachments.length > 0 ? 'attachments' : 'messages';
}

/** Bytes gathered before one write call. */
const STAGE = 1024 * 1024;

/** A bundle whose bytes are written, and where everything in it lies. `durable` ends once they are on disk under its id; until then its file has no name. */
export interface StagedBundle {
	readonly ref: BundleRef;
	readonly locations: ReadonlyMap<MessageId, Location>;
	readonly attachmentLocations: ReadonlyMap<AttachmentId, Location>;
	readonly durable: Promise<void>;
}

interface WriteRequest {
	readonly kind: BundleKind;
	readonly contents: BundleContents;
	readonly signal: AbortSignal;
}

/** Writes the bytes of a bundle and has it made durable under its id. Nothing names it yet. */
export async function stageBundle(archive: Archive, { kind, contents, signal }: WriteRequest): Promise<StagedBundle> {
	throwIfAborted(signal);
	const draft = composeBundle({ kind: contentKind(kind, contents), ...contents });
	const folder = bundleFolder(archive.dir, kind);
	archive.files.makeFolder(folder);
	const file = archive.files.create(folder);
	try {
		let stage: Uint8Array[] = [];
		let staged = 0;
		const flush = (): void => {
			if (staged === 0) return;
			file.write(stage.length === 1 ? (stage[0] as Uint8Array) : Buffer.concat(stage, staged));
			stage = [];
			staged = 0;
		};
		const id = await draft.write((bytes) => {
			stage.push(bytes);
			staged += bytes.length;
			if (staged >= STAGE) flush();
		}, signal);
		flush();
		throwIfAborted(signal);
		const path = bundlePath(archive.dir, kind, id);
		// A damaged file under the right name is replaced: its name says what it should be.
		const replace = sizeOf(path) !== null && !(await isWhole(path, id));
		const durable = file.commitMeanwhile(path, { mode: 0o400, replace }).finally(() => file.discard());
		// Whoever asked awaits it, perhaps later; until then a failure must not count as unhandled.
		durable.catch(() => {});
		return { ref: { id, kind, size: draft.size }, locations: draft.locations, attachmentLocations: draft.attachmentLocations, durable };
	} catch (error) {
		file.discard();
		// What a signal is aborted with is the caller's: it may be no error of ours.
		if (!(error instanceof MailsealError)) throwIfAborted(signal);
		throw error;
	}
}

async function isWhole(path: string, id: BundleId): Promise<boolean> {
	const { damages } = await checkBundleFile({ path, id, depth: 'hash' });
	return damages.length === 0;
}

/** Writes bundles one after another and takes each into the catalog. While one goes to the disk, the next is gathered. */
export interface BundleWriter {
	write(kind: BundleKind, contents: BundleContents): Promise<BundleRef>;
	/** All bundles written so far, in order; the last one may not be on disk yet. */
	readonly written: readonly BundleRef[];
	/** Waits for the disk, as must be done before bundles are read or a snapshot names them; throws what kept the last one from it. */
	settle(): Promise<void>;
	/** Waits for it whatever comes of it: a run that failed must not leave the archive while it still writes. */
	close(): Promise<void>;
}

export function openBundleWriter(options: {
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly policy: Policy;
	/** The clock that tonight's pack judges by, milliseconds since 1970. */
	readonly now: number;
	readonly signal: AbortSignal;
	/** Called with each bundle as soon as it lies on disk. */
	readonly onWritten: (ref: BundleRef) => void;
}): BundleWriter {
	const { archive, catalog, policy, now, signal } = options;
	const written: BundleRef[] = [];
	let underWay: { readonly ref: BundleRef; readonly durable: Promise<void> } | null = null;

	async function settle(): Promise<void> {
		if (underWay === null) return;
		const { ref, durable } = underWay;
		await durable;
		underWay = null;
		options.onWritten(ref);
	}

	return {
		written,
		settle,
		async close() {
			await Promise.allSettled([underWay?.durable]);
		},
		async write(kind, contents) {
			await settle();
			const { ref, durable, ...places } = await stageBundle(archive, { kind, contents, signal });
			underWay = { ref, durable };
			catalog.apply({ ref, ...places, lines: contents.lines }, { policy, now });
			written.push(ref);
			return ref;
		},
	};
}
