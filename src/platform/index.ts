export { monotonic } from './clock.ts';
export {
	asMailsealError,
	type Files,
	isTemporaryName,
	isThere,
	listNames,
	openFiles,
	type PendingFile,
	sizeOf,
} from './files.ts';
export { acquireLock, type Lock } from './lock.ts';
export { makePrivateFile } from './private-file.ts';
export { type FileHooks, type FileOperation, openSteps } from './steps.ts';
export { type Answer, openThreads, type Question, type ThreadFailure, type ThreadOptions, type Threads } from './threads.ts';
