import { MailsealError } from '../../domain/index.ts';
import { isTemporaryName } from '../../platform/index.ts';
import type { BlobStore } from '../../remote/index.ts';
import { README_TEXT, RECOVER_SCRIPT } from '../readme.ts';
import { bytesContent } from './content.ts';
import type { TargetAddress, TargetKeys } from './keys.ts';
import { TARGET_HEAD } from './names.ts';

/** A target, opened: it is one, and what is written to it is sealed as it says. */
export interface Target {
	readonly address: TargetAddress;
	readonly store: BlobStore;
	/** Fixed at birth: a target never holds plain bundles beside encrypted ones. */
	readonly encryption: 'none' | 'age';
	readonly keys: TargetKeys;
}

export interface OpenTargetOptions {
	readonly address: TargetAddress;
	readonly store: BlobStore;
	readonly keys: TargetKeys;
	/** For a sync: makes a target of an empty place, unless `known` says that there was one before. */
	readonly create?: boolean;
	/** This archive was shipped there before: a place without a head is then a disk that is not mounted, and no new target. */
	readonly known?: boolean;
	/** Looks, and makes nothing; null is then given for an empty place that could become a target. */
	readonly dryRun?: boolean;
	readonly signal: AbortSignal;
}

const FORMAT = 1;
const LONGEST_HEAD = 64 * 1024;

/** What may lie in a place that is to become a target: what a run that was cut off made, and what a new disk has. */
const OWN: ReadonlySet<string> = new Set(['README.txt', 'recover.py', 'lost+found']);
/** More names than these are never asked for: such a place is somebody's. */
const MOST_OWN = 100;

/** Opens a target; throws `not-found` where there is none, `usage` where the place is somebody else's or the encryption differs. */
export async function openTarget(options: OpenTargetOptions & { readonly dryRun?: false }): Promise<Target>;
export async function openTarget(options: OpenTargetOptions): Promise<Target | null>;
export async function openTarget(options: OpenTargetOptions): Promise<Target | null> {
	const { address, store, keys, signal } = options;
	// A place that was never shipped to may not be there at all, which only looking at its top tells apart from a disk that is gone.
	const isNew = options.create === true && options.known !== true && (await store.top(1, signal)).length === 0;
	const encryption = (isNew ? null : await readHead(store, signal)) ?? (await make(options));
	if (encryption === null) return null;
	if (options.create === true) refuseOtherEncryption(store, { encryption, keys });
	return { address, store, encryption, keys };
}

async function make(options: OpenTargetOptions): Promise<Target['encryption'] | null> {
	const { store, keys, signal } = options;
	if (options.create !== true) {
		throw new MailsealError('not-found', `Cannot read the target "${store.place}": there is no ${TARGET_HEAD} in it`, {
			hint: 'check the name; "mailseal sync TARGET" makes a new target',
		});
	}
	if (options.known === true) {
		throw new MailsealError(
			'not-found',
			`Cannot find the target "${store.place}": this archive was shipped there before, and now there is no ${TARGET_HEAD}`,
			{
				hint: 'is the disk mounted, is it the right bucket? To begin a new target there, remove the file of the old one from "targets" in the archive',
			},
		);
	}
	const [foreign] = (await store.top(MOST_OWN + 1, signal)).filter((name) => !OWN.has(name) && !isTemporaryName(name));
	// Another host may be making it at this moment.
	if (foreign !== undefined && (await store.stat(TARGET_HEAD, signal)) !== null) return readHead(store, signal);
	if (foreign !== undefined) {
		throw new MailsealError('usage', `Cannot make a target of "${store.place}": it is not empty (it holds "${foreign}")`, {
			hint: 'name an empty folder, or a prefix of its own such as s3://bucket/mail',
		});
	}
	if (options.dryRun === true) return null;
	const encryption = keys.recipients === null ? 'none' : 'age';
	await store.create('README.txt', bytesContent(Buffer.from(README_TEXT)), { signal });
	await store.create('recover.py', bytesContent(Buffer.from(RECOVER_SCRIPT)), { signal });
	// Last: a place without a head is no target yet, and is begun again. Two hosts that begin at once write the same bytes, or one wins.
	await store.create(TARGET_HEAD, bytesContent(Buffer.from(`${JSON.stringify({ format: FORMAT, encryption })}\n`)), { signal });
	return readHead(store, signal);
}

async function readHead(store: BlobStore, signal: AbortSignal): Promise<Target['encryption'] | null> {
	const facts = await store.stat(TARGET_HEAD, signal);
	if (facts === null) return null;
	const damaged = (what: string): MailsealError =>
		new MailsealError('archive-damaged', `Cannot read ${TARGET_HEAD} of the target "${store.place}": ${what}`, {
			hint: `what it must hold is one line of JSON, {"format":1,"encryption":"none"}, or "age" for an encrypted target`,
		});
	if (facts.size > LONGEST_HEAD) throw damaged(`it has ${facts.size} bytes`);
	const text = Buffer.from(await store.readRange(TARGET_HEAD, { offset: 0, length: facts.size }, signal)).toString('utf8');
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (error) {
		if (!(error instanceof SyntaxError)) throw error;
		throw damaged('it is not JSON');
	}
	const { format, encryption } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
	if (typeof format === 'number' && format > FORMAT) {
		throw new MailsealError(
			'format-newer',
			`Cannot use the target "${store.place}": its format is ${format} (this mailseal knows ${FORMAT})`,
			{
				hint: 'use the mailseal that made it, or a later one',
			},
		);
	}
	if (format !== FORMAT) throw damaged('it lacks a format');
	if (encryption !== 'none' && encryption !== 'age') throw damaged('its field "encryption" is neither "none" nor "age"');
	return encryption;
}

/** Neither may plain mail slip into an encrypted target, nor may a copy that nobody asked to seal be unreadable. */
function refuseOtherEncryption(store: BlobStore, { encryption, keys }: Pick<Target, 'encryption' | 'keys'>): void {
	if (encryption === 'age' && keys.recipients === null) {
		throw new MailsealError('usage', `Cannot ship to "${store.place}": it is encrypted, and no recipient is given`, {
			hint: 'give --encrypt-to RECIPIENT, or encrypt-to in the config file',
		});
	}
	if (encryption === 'none' && keys.recipients !== null) {
		throw new MailsealError('usage', `Cannot encrypt what goes to "${store.place}": it is a target without encryption, for good`, {
			hint: 'name a new target for the encrypted copy, or leave --encrypt-to out',
		});
	}
}
