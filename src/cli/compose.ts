import {
	ATTACHMENT_MIN,
	adoptArchive,
	archiveIdAt,
	DEFAULT_BUNDLES,
	extract,
	extractParts,
	HEAD_FILE,
	listAccounts,
	listAttachments,
	listBundles,
	listFolders,
	listMessages,
	listSnapshots,
	offsiteOfRecords,
	openArchive,
	openRemoteArchive,
	openTarget,
	openWorkers,
	pack,
	plan,
	prune,
	readKeys,
	reindex,
	repair,
	restore,
	search,
	serveTasks,
	status,
	sync,
	verify,
	verifyTarget,
} from '../archive/index.ts';
import { openFiles } from '../platform/index.ts';
import { formatTargetSpec, parseTargetSpec } from '../remote/index.ts';
import { openMaildirMessage, openMaildirSource } from '../sources/index.ts';
import { openStore } from './open-store.ts';
import type { Services } from './services.ts';

/** The parts that the program runs with. */
export function compose(): Services {
	return {
		files: openFiles(),
		defaultBundles: DEFAULT_BUNDLES,
		defaultAttachmentMin: ATTACHMENT_MIN,
		openArchive,
		openWorkers: ({ jobs, script }) => openWorkers({ jobs, script, open: openMaildirMessage }),
		openSource: openMaildirSource,
		pack,
		plan,
		prune,
		status,
		listAccounts,
		listFolders,
		listMessages,
		listAttachments,
		listBundles,
		listSnapshots,
		search,
		extract,
		extractParts,
		restore,
		verify,
		reindex,
		headFile: HEAD_FILE,
		archiveIdAt,
		offsiteOfRecords,
		openTarget,
		openRemoteArchive,
		readKeys,
		parseTargetSpec,
		formatTargetSpec,
		openStore,
		sync,
		verifyTarget,
		repair,
		adoptArchive,
	};
}

/** What a worker thread does with its life. */
export function serveWorker(): void {
	serveTasks(openMaildirMessage);
}
