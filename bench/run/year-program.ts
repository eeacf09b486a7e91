import { type FileScan, scanFiles, sizeOfScan, writtenBytes } from './file-changes.ts';
import type { Cost } from './measure.ts';

/** Bytes that went to a repository and to its copy offsite. */
export interface Moved {
	readonly written: number;
	readonly shipped: number;
}

export interface Size {
	readonly files: number;
	readonly bytes: number;
}

/** A night as programs are told of it. */
export interface Night {
	readonly night: number;
	/** Milliseconds since 1970. */
	readonly now: number;
}

/** A program that keeps a year of nights of one tree. Each step gives what its commands cost. */
export interface YearProgram {
	readonly name: string;
	backup(night: Night): readonly Cost[];
	ship(night: Night): readonly Cost[];
	/** Drops what the policy drops, here and offsite; undefined where it cannot. */
	readonly retain: ((night: Night) => readonly Cost[]) | undefined;
	/** Since it was last asked. */
	moved(): Moved;
	sizes(): { readonly repository: Size; readonly target: Size };
	/** Nights that it still has. */
	kept(): readonly number[];
	/** Brings a night back from offsite, or from here; gives the folder that has the accounts. */
	restore(night: number, options: { readonly to: string; readonly from: 'repository' | 'target' }): string;
}

/** Looks at two folders from one step to the next. */
export function watchFolders(options: {
	readonly repository: string;
	readonly target: string;
	readonly counts?: (path: string) => boolean;
}): Pick<YearProgram, 'moved' | 'sizes'> {
	const look = (): { readonly repository: FileScan; readonly target: FileScan } => ({
		repository: scanFiles(options.repository, options.counts),
		target: scanFiles(options.target),
	});
	let last = look();
	return {
		moved() {
			const before = last;
			last = look();
			return { written: writtenBytes(before.repository, last.repository), shipped: writtenBytes(before.target, last.target) };
		},
		sizes: () => ({ repository: sizeOfScan(last.repository), target: sizeOfScan(last.target) }),
	};
}
