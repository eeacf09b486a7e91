/** Every kind of call by which mailseal changes files. */
export type FileOperation = 'make-folder' | 'create' | 'write' | 'fsync' | 'chmod' | 'rename' | 'fsync-folder' | 'unlink';

/** Called around each changing operation; what `before` throws takes the place of the operation, what `after` throws follows it. For fault and crash tests. */
export interface FileHooks {
	before?(operation: FileOperation, path: string): void;
	after?(operation: FileOperation, path: string): void;
}

/** Carries out changing operations, each between its hooks; a failure says what could not be done, and to what. */
export interface FileSteps {
	run<T>(operation: FileOperation, path: string, work: () => T): T;
	/** The same for an operation during which this thread goes on. */
	runMeanwhile(operation: FileOperation, path: string, work: () => Promise<void>): Promise<void>;
}

/** `failureOf`: what is thrown in place of what a system call threw. */
export function openSteps(hooks: FileHooks, failureOf: (error: unknown, action: string, path: string) => unknown): FileSteps {
	function failed(error: unknown, operation: FileOperation, path: string): unknown {
		return failureOf(error, operation.replace('-', ' '), path);
	}

	return {
		run(operation, path, work) {
			try {
				hooks.before?.(operation, path);
				const result = work();
				hooks.after?.(operation, path);
				return result;
			} catch (error) {
				throw failed(error, operation, path);
			}
		},
		async runMeanwhile(operation, path, work) {
			try {
				hooks.before?.(operation, path);
				await work();
				hooks.after?.(operation, path);
			} catch (error) {
				throw failed(error, operation, path);
			}
		},
	};
}
