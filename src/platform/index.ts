export {
	asMailsealError,
	type FileHooks,
	type FileOperation,
	type Files,
	isTemporaryName,
	listNames,
	openFiles,
	type PendingFile,
	readRange,
	sizeOf,
} from './files.ts';
