import { type Archive, type Offsite, readKeys } from '../../src/archive/index.ts';
import { main } from '../../src/cli/main.ts';
import type { Services } from '../../src/cli/services.ts';
import { type Finding, parseMessageId, parseSnapshotName } from '../../src/domain/index.ts';
import { openFiles } from '../../src/platform/index.ts';
import { formatTargetSpec, parseTargetSpec } from '../../src/remote/index.ts';
import type { MailSource } from '../../src/sources/index.ts';
import { recordIo } from '../support/recorded-io.ts';

export const DAY = 24 * 3600 * 1000;
export const snapshot = parseSnapshotName('20261123T021500Z-0a1b2c3d');
export const id = parseMessageId('be9d587d0f4f1d3a0d3a3a1a1ed0e9f6e6e6b5b4f2f0a9d8c7b6a59483726150');
export const finding: Finding = { code: 'message-unreadable', severity: 'warning', subject: 'a/INBOX/1', text: 'permission denied' };

/** Parts for a call whose use case is written in the test; one that the test does not expect fails it. */
export function services(parts: Partial<Services>): () => Promise<Services> {
	function unexpected(): never {
		throw new Error('this use case was not expected');
	}
	function nothingOffsite(): Offsite {
		return { has: () => false, open: unexpected, prove: unexpected, stream: unexpected, async close() {} };
	}
	const archive = { async close() {} } as Archive;
	return async () => ({
		files: openFiles(),
		defaultBundles: {
			target: 64 * 1024 ** 2,
			max: 96 * 1024 ** 2,
			linger: 30 * DAY,
			compress: true,
			attachments: 'quiet',
			foldBelow: 0.5,
			mostVolatile: 100,
		},
		defaultCompaction: { below: 0.5, budget: 1024 ** 3 },
		defaultAttachmentMin: 8 * 1024,
		openArchive: () => archive,
		openWorkers: () => ({ width: 1, run: unexpected, async close() {} }),
		openSource: (spec, { account }) => ({ spec: account === undefined ? spec : `${spec} as ${account}` }) as MailSource,
		pack: unexpected,
		plan: unexpected,
		prune: unexpected,
		status: unexpected,
		listAccounts: unexpected,
		listFolders: unexpected,
		listMessages: unexpected,
		listAttachments: unexpected,
		listBundles: unexpected,
		listSnapshots: unexpected,
		search: unexpected,
		diff: unexpected,
		openExtractor: unexpected,
		restore: unexpected,
		verify: unexpected,
		compact: unexpected,
		reindex: unexpected,
		headFile: 'mailseal.json',
		archiveIdAt: () => null,
		offsiteOfRecords: nothingOffsite,
		openTarget: unexpected,
		openRemoteArchive: unexpected,
		readKeys,
		parseTargetSpec,
		formatTargetSpec,
		openStore: unexpected,
		sync: unexpected,
		verifyTarget: unexpected,
		repair: unexpected,
		adoptArchive: unexpected,
		...parts,
	});
}

/** Calls the command line with these parts. */
export async function call(args: readonly string[], load = services({}), io = recordIo()) {
	const code = await main(args, io, load);
	return { code, out: io.stdout.text(), err: io.stderr.text(), io };
}
