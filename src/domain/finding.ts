/** `error`: mail or archive bytes are at risk; `warning`: something was skipped or looks odd; `note`: for information. */
export type Severity = 'error' | 'warning' | 'note';

/** Something that a run saw and went on from. */
export interface Finding {
	/** Stable, kebab-case, e.g. `message-unreadable`. */
	readonly code: string;
	readonly severity: Severity;
	/** What it is about: a path, an account/folder/key, a bundle id. */
	readonly subject: string;
	/** What is the case, one sentence without a full stop. */
	readonly text: string;
	/** What the user can do, or undefined where nothing needs doing. */
	readonly hint?: string;
}

/** True where a finding needs the user's attention (exit code 1). */
export function needsAttention(finding: Finding): boolean {
	return finding.severity !== 'note';
}
