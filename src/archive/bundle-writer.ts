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

/** A bundle on disk, and where everything in it lies. */
export interface WrittenBundle {
	readonly ref: BundleRef;
	readonly locations: ReadonlyMap<MessageId, Location>;
	readonly attachmentLocations: ReadonlyMap<AttachmentId, Location>;
}

/** Bytes gathered before one write call. */
const STAGE = 1024 * 1024;

/** Writes a bundle durably under its id. Nothing names it yet. */
export async function writeBundle(
	archive: Archive,
	options: { readonly kind: BundleKind; readonly contents: BundleContents; readonly signal: AbortSignal },
): Promise<WrittenBundle> {
	const { kind, contents, signal } = options;
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
		file.commit(path, { mode: 0o400, replace: sizeOf(path) !== null && !(await isWhole(path, id)) });
		return { ref: { id, kind, size: draft.size }, locations: draft.locations, attachmentLocations: draft.attachmentLocations };
	} catch (error) {
		// What a signal is aborted with is the caller's: it may be no error of ours.
		if (!(error instanceof MailsealError)) throwIfAborted(signal);
		throw error;
	} finally {
		file.discard();
	}
}

async function isWhole(path: string, id: BundleId): Promise<boolean> {
	const { damages } = await checkBundleFile({ path, id, depth: 'hash' });
	return damages.length === 0;
}

/** Writes bundles one after another and takes each into the catalog. */
export interface BundleWriter {
	write(kind: BundleKind, contents: BundleContents): Promise<BundleRef>;
	/** All bundles written so far, in order. */
	readonly written: readonly BundleRef[];
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
	return {
		written,
		async write(kind, contents) {
			const bundle = await writeBundle(archive, { kind, contents, signal });
			catalog.apply({ ...bundle, lines: contents.lines }, { policy, now });
			written.push(bundle.ref);
			options.onWritten(bundle.ref);
			return bundle.ref;
		},
	};
}
