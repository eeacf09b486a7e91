import { type ControlWord, type Finding, isPathLevel, type Owner } from '../../domain/index.ts';

/** A control file or link to be made. */
export interface ControlPlan {
	/** Directory below the destination, level by level, that exists once the folders are made. */
	readonly base: readonly string[];
	/** Directories between `base` and the file. */
	readonly parents: readonly string[];
	readonly name: string;
	readonly content: Buffer | null;
	/** Text of a symbolic link; null for a file. */
	readonly link: string | null;
	readonly date: number | null;
	readonly mode: number;
	readonly owner: Owner | null;
	readonly subject: string;
}

/** Made by the writer itself, of what the words say. */
const WRITTEN_HERE = new Set(['dovecot-uidlist', 'dovecot-uidlist.lock']);
/** A control file in one of these would be a message that nobody has hashed. */
const BOXES = new Set(['cur', 'new', 'tmp']);

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function refusal(word: ControlWord): string | null {
	const levels = word.path.split('/');
	if (!levels.every((level) => isPathLevel(level) && !/\p{Cs}/u.test(level) && Buffer.byteLength(level) <= 255)) {
		return 'its path leads out of the folder';
	}
	if (levels.some((level) => BOXES.has(level))) return 'its path leads among the messages';
	if (word.link !== undefined) {
		const steps = word.link.split('/');
		return steps.every(isPathLevel) && !/\p{Cs}/u.test(word.link) ? null : 'it is a symbolic link that leads out of the folder';
	}
	return word.content !== undefined && BASE64.test(word.content) ? null : 'its content is not base64';
}

/**
 * The word itself, or the file that it leads to where it is a link that Maildir++ servers take for a folder: Dovecot lists a link
 * `.dovecot.sieve` beside the folders as `dovecot/sieve`, and fails to open it. A file of that name it leaves alone.
 */
export function withoutFolderLook(word: ControlWord, others: readonly ControlWord[]): ControlWord {
	if (word.folder !== undefined || word.link === undefined || !/^\.[^/]*$/.test(word.path)) return word;
	const target = others.find((other) => other.folder === undefined && other.path === word.link && other.content !== undefined);
	return target === undefined ? word : { ...target, path: word.path };
}

/** What a control word asks for, null where the writer makes that file itself, or a finding where it must not be made. */
export function planControl(
	word: ControlWord,
	options: { readonly base: readonly string[]; readonly owner: Owner | null; readonly shown: string },
): { readonly plan: ControlPlan } | { readonly finding: Finding } | null {
	const { base, owner, shown } = options;
	if (WRITTEN_HERE.has(word.path)) return null;
	const subject = `${shown}/${word.path}`;
	const reason = refusal(word);
	if (reason !== null) {
		return {
			finding: {
				code: 'restore-control-refused',
				severity: 'warning',
				subject,
				text: `Cannot restore control file ${JSON.stringify(word.path)}: ${reason}`,
				hint: 'find out who could change the archive',
			},
		};
	}
	const levels = word.path.split('/');
	const date = Date.parse(word.date);
	return {
		plan: {
			base,
			parents: levels.slice(0, -1),
			name: levels.at(-1) ?? '',
			content: word.content === undefined ? null : Buffer.from(word.content, 'base64'),
			link: word.link ?? null,
			date: Number.isNaN(date) ? null : date,
			mode: word.mode ?? 0o600,
			owner,
			subject,
		},
	};
}
