import {
	ATTACHMENT_MIN,
	DEFAULT_BUNDLES,
	extract,
	extractParts,
	listAccounts,
	listAttachments,
	listBundles,
	listFolders,
	listMessages,
	listSnapshots,
	openArchive,
	openWorkers,
	pack,
	plan,
	reindex,
	restore,
	search,
	serveTasks,
	status,
	verify,
} from '../archive/index.ts';
import { openFiles } from '../platform/index.ts';
import { openMaildirMessage, openMaildirSource } from '../sources/index.ts';
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
	};
}

/** What a worker thread does with its life. */
export function serveWorker(): void {
	serveTasks(openMaildirMessage);
}
