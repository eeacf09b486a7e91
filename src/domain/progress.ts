/** Told how far a long call is. Both calls are cheap and may come thousands of times. */
export interface Progress {
	/** A new step begins: `scan`, `read`, `write`, ... with the number of units where it is known. */
	step(name: string, total?: number): void;
	/** Units done since the last call. */
	advance(units: number): void;
}

export const SILENT: Progress = { step() {}, advance() {} };
