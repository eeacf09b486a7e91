import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { AccountWord, ControlWord, Finding, FolderName, FolderWord, Owner, PlacedWord } from '../../domain/index.ts';
import { asMailsealError, listNames } from '../../platform/index.ts';
import type { AccountMail, AccountPlan, MailboxWriter, WriteJob } from '../write-contract.ts';
import { lookAtFolder, makeFolder, ownerToGive } from '../write-destination.ts';
import { lookAtControl, makeControl } from './make-controls.ts';
import { type FolderMail, planFolder } from './plan-folder.ts';
import { type ControlPlan, planControl, withoutFolderLook } from './write-controls.ts';
import { fitsDisk, folderDirectory, folderOfDirectory } from './write-folders.ts';
import { convertSubscriptions } from './write-subscriptions.ts';

type Layout = AccountWord['layout'];

/** Marks a subfolder in Maildir++. */
const MARKER = 'maildirfolder';
const INDEX = 'dovecot.index';
const BOXES = ['cur', 'new', 'tmp'] as const;

/** Writes each account as a Maildir in `to/<account>`. */
export function maildirWriter(options: { readonly to: string; readonly layout: Layout }): MailboxWriter {
	const root = resolve(options.to);
	return {
		order: 'any',
		plan: (mail) => planAccount({ root, layout: options.layout, mail }),
	};
}

interface PlannedFolder extends FolderMail {
	/** True where the marker file is among its control files, or the store did without. */
	readonly marker: boolean;
}

/** A directory to be made. */
interface FolderToMake {
	readonly levels: readonly string[];
	readonly mode: number;
	readonly owner: Owner | null;
}

interface Request {
	readonly root: string;
	readonly layout: Layout;
	readonly mail: AccountMail;
}

function planAccount(request: Request): AccountPlan {
	const { root, layout, mail } = request;
	const findings: Finding[] = [];
	const folders = gatherFolders(request, findings);
	const make = directoriesToMake(request, folders);
	const jobs: WriteJob[] = [];
	const before: ControlPlan[] = [];
	const after: ControlPlan[] = [];
	const kept: Finding[] = [];
	let present = 0;
	function makeAndNote(control: ControlPlan): void {
		if (makeControl(root, control) === 'different') kept.push(keptControl(control));
	}
	// Before the uid lists: a folder with one takes no index files, should this run be cut off between them.
	for (const control of planControls(request, { folders, findings })) {
		(control.name === 'dovecot-keywords' ? before : after).push(control);
	}
	for (const folder of folders) {
		const plan = planFolder(root, folder);
		for (const job of plan.jobs) jobs.push(job);
		present += plan.present;
		before.push(...plan.before);
		after.push(...plan.after);
		findings.push(...plan.findings);
		const marker = markerOf(folder, layout);
		if (marker !== null && lookAtControl(root, marker) === 'absent') before.push(marker);
	}
	return {
		account: mail.account.account,
		folders: folders.length,
		creates: [
			...make.map(({ levels }) => levels.join('/')),
			...[...before, ...after].map((plan) => [...plan.base, ...plan.parents, plan.name].join('/')),
		],
		present,
		jobs,
		findings,
		begin() {
			try {
				mkdirSync(root, { recursive: true });
			} catch (error) {
				throw asMailsealError(error, 'make folder', root);
			}
			for (const { levels, ...facts } of make) makeFolder(root, levels, facts);
			for (const control of before) makeAndNote(control);
		},
		finish() {
			for (const control of after) makeAndNote(control);
			return kept;
		},
		abandon() {},
	};
}

function group<Word extends { readonly folder?: FolderName }>(words: readonly Word[]): Map<FolderName | undefined, Word[]> {
	const groups = new Map<FolderName | undefined, Word[]>();
	for (const word of words) {
		const those = groups.get(word.folder);
		if (those === undefined) groups.set(word.folder, [word]);
		else those.push(word);
	}
	return groups;
}

/** The folders that can be written, with all that belongs to each. */
function gatherFolders(request: Request, findings: Finding[]): readonly PlannedFolder[] {
	const { root, layout, mail } = request;
	const { account } = mail.account;
	const words = new Map<FolderName, FolderWord>(mail.folders.map((word) => [word.folder, word]));
	const placements = group<PlacedWord>(mail.placements);
	const controls = group<ControlWord>(mail.controls);
	const names = new Set<FolderName>(words.keys());
	for (const name of [...placements.keys(), ...controls.keys()]) if (name !== undefined) names.add(name);
	const taken = new Set<string>();
	const folders: PlannedFolder[] = [];
	for (const folder of [...names].sort()) {
		const word = words.get(folder);
		const directory = folderDirectory(folder, { layout, sourceLayout: mail.account.layout, word });
		const levels = [account, ...directory.levels];
		while (taken.has(levels.join('/'))) levels.push(`${levels.pop() ?? ''}~`);
		taken.add(levels.join('/'));
		const count = placements.get(folder)?.length ?? 0;
		const obstacle = obstacleOf(root, levels);
		if (obstacle !== null) {
			findings.push(refusedFolder(`${account}/${folder}`, { obstacle, count }));
			continue;
		}
		if (!directory.own && folderOfDirectory(levels.slice(1), layout) !== folder)
			findings.push(renamedFolder(`${account}/${folder}`, levels));
		const own = controls.get(folder) ?? [];
		const paths = new Map(own.map((control) => [control.path, control]));
		folders.push({
			folder,
			word,
			placements: placements.get(folder) ?? [],
			keywords: paths.get('dovecot-keywords'),
			index: own.some(isIndex) && takesIndex(root, levels),
			marker: directory.own || paths.has(MARKER),
			levels,
			shown: `${account}/${folder}`,
		});
	}
	return folders;
}

/** Index files speak of the uids beside them: they come back only where a folder has none of its own. */
function takesIndex(root: string, levels: readonly string[]): boolean {
	if (lookAtFolder(root, levels) !== 'folder') return true;
	return !listNames(join(root, ...levels)).some((name) => name === 'dovecot-uidlist' || name.startsWith(INDEX));
}

function isIndex(control: ControlWord): boolean {
	return control.path.startsWith(INDEX);
}

function obstacleOf(root: string, levels: readonly string[]): string | null {
	if (!fitsDisk(levels)) return 'its name is too long for one on disk';
	for (const box of ['', ...BOXES]) {
		const place = box === '' ? levels : [...levels, box];
		if (lookAtFolder(root, place) === 'obstructed') return `"${place.join('/')}" is, or lies behind, a symbolic link or a file`;
	}
	return null;
}

/** Directories that are missing, each after the one it lies in. */
function directoriesToMake(request: Request, folders: readonly FolderMail[]): readonly FolderToMake[] {
	const { root, mail } = request;
	const facts = new Map(folders.map(({ levels, word }) => [levels.join('/'), word]));
	const fallback = folders.find(({ word }) => word?.owner !== undefined)?.word?.owner;
	const make = new Map<string, FolderToMake>();
	if (folders.length === 0) add([mail.account.account], { mode: 0o700, owner: null });
	for (const { levels, word } of folders) {
		for (let depth = 1; depth <= levels.length; depth++) {
			const place = levels.slice(0, depth);
			const own = facts.get(place.join('/'));
			add(place, { mode: own?.mode ?? 0o700, owner: ownerToGive(own?.owner ?? word?.owner ?? fallback) });
		}
		for (const box of BOXES) add([...levels, box], { mode: word?.mode ?? 0o700, owner: ownerToGive(word?.owner ?? fallback) });
	}
	function add(levels: readonly string[], options: { readonly mode: number; readonly owner: Owner | null }): void {
		const path = levels.join('/');
		if (!make.has(path) && lookAtFolder(root, levels) === 'absent') make.set(path, { levels, ...options });
	}
	return [...make.values()];
}

/** The empty file that marks a subfolder in Maildir++. */
function markerOf(folder: PlannedFolder, layout: Layout): ControlPlan | null {
	if (folder.marker || layout !== 'maildir++' || folder.levels.length < 2) return null;
	return {
		base: folder.levels,
		parents: [],
		name: MARKER,
		content: Buffer.alloc(0),
		link: null,
		date: null,
		mode: 0o600,
		owner: ownerToGive(folder.word?.owner),
		subject: `${folder.shown}/${MARKER}`,
	};
}

/** The control files that the destination lacks. */
function planControls(
	request: Request,
	context: { readonly folders: readonly FolderMail[]; readonly findings: Finding[] },
): readonly ControlPlan[] {
	const { root, layout, mail } = request;
	const { folders, findings } = context;
	const { account, layout: from } = mail.account;
	const byName = new Map(folders.map((folder) => [folder.folder, folder]));
	const plans: ControlPlan[] = [];
	for (const archived of mail.controls) {
		const word = layout === 'maildir++' ? withoutFolderLook(archived, mail.controls) : archived;
		const folder = word.folder === undefined ? undefined : byName.get(word.folder);
		if (word.folder !== undefined && folder === undefined) continue;
		const base = folder?.levels ?? [account];
		const owner = ownerToGive(word.owner ?? folder?.word?.owner);
		const planned = planControl(word, { base, owner, shown: folder?.shown ?? account });
		if (planned === null || (isIndex(word) && folder?.index !== true)) continue;
		if ('finding' in planned) {
			findings.push(planned.finding);
			continue;
		}
		let { plan } = planned;
		if (word.folder === undefined && word.path === 'subscriptions' && plan.content !== null) {
			plan = { ...plan, content: convertSubscriptions(plan.content, { from, to: layout }) };
		}
		const state = lookAtControl(root, plan);
		if (state === 'absent') plans.push(plan);
		// A keyword file that differs is no loss in itself: letters were mapped to its names.
		else if (state === 'different' && !(folder !== undefined && word.path === 'dovecot-keywords')) findings.push(keptControl(plan));
	}
	return plans;
}

function refusedFolder(subject: string, options: { readonly obstacle: string; readonly count: number }): Finding {
	return {
		code: 'restore-folder-refused',
		severity: 'error',
		subject,
		text: `Cannot restore the folder and its ${options.count} messages: ${options.obstacle}`,
		hint: 'restore into an empty folder',
	};
}

function renamedFolder(subject: string, levels: readonly string[]): Finding {
	return {
		code: 'restore-folder-renamed',
		severity: 'note',
		subject,
		text: `The folder is restored as "${levels.join('/')}": in this layout no directory can have its name`,
	};
}

function keptControl(plan: ControlPlan): Finding {
	return {
		code: 'restore-control-kept',
		severity: 'note',
		subject: plan.subject,
		text: `The destination has another ${plan.name}, which was left as it is`,
	};
}
