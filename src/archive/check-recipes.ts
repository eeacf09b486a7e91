import type { AttachmentCopy } from '../catalog/index.ts';
import type { AttachmentId, BundleRef, Finding } from '../domain/index.ts';
import { throwIfAborted } from './abort.ts';
import type { RecipeMaterial } from './check-bundle.ts';
import { attachmentIds, type StoredAt } from './locate.ts';
import type { Workers } from './workers.ts';

/** What the bundles of an archive have for rebuilding messages. */
export interface Material {
	readonly ref: BundleRef;
	readonly material: RecipeMaterial;
}

/** Messages handed to a thread at once. */
const BATCH = 64;

/** Rebuilds every message that is stored as a recipe, from nothing but the bundles given; one finding for each bundle with messages that cannot be. */
export async function recipeFindings(
	bundles: readonly Material[],
	options: {
		readonly dir: string;
		readonly workers: Workers;
		readonly signal: AbortSignal;
		/**
		 * True where attachments may be missing without harm: they lie at a target, which a check of that looks at, or every bundle is whole, and
		 * they were let go with the last message that needed them. Whether the newest state has all that it needs is told by its catalog.
		 */
		readonly lacksSome: boolean;
	},
): Promise<Finding[]> {
	const { dir, workers, signal, lacksSome } = options;
	const apart = new Map<AttachmentId, AttachmentCopy[]>();
	for (const { ref, material } of bundles) {
		for (const { line, offset, length } of material.attachments) {
			const copies = apart.get(line.id) ?? [];
			copies.push({ bundle: ref.id, sealed: ref.kind === 'sealed', offset, length, codec: line.codec, size: line.size });
			apart.set(line.id, copies);
		}
	}
	const findings: Finding[] = [];
	for (const { ref, material } of bundles) {
		const recipes = lacksSome
			? material.recipes.filter(({ line }) => attachmentIds(line.attachments).every((id) => apart.has(id)))
			: material.recipes;
		const messages = recipes.map(({ line, offset, length }): StoredAt => {
			const { id, size, codec, recipe = 0, attachments } = line;
			return {
				id,
				copies: [{ bundle: ref.id, sealed: ref.kind === 'sealed', offset, length, codec, size, recipe, attachments }],
				attachments: new Map(attachmentIds(attachments).map((needed) => [needed, apart.get(needed) ?? []])),
			};
		});
		const tasks: Promise<readonly (string | null)[]>[] = [];
		for (let start = 0; start < messages.length; start += BATCH) {
			throwIfAborted(signal);
			const task = workers.run({ type: 'prove', dir, messages: messages.slice(start, start + BATCH) }).then(({ problems }) => problems);
			// Awaited below, all of them.
			task.catch(() => {});
			tasks.push(task);
		}
		const problems = (await Promise.all(tasks)).flat().filter((problem) => problem !== null);
		const [first] = problems;
		if (first === undefined) continue;
		findings.push({
			code: 'messages-incomplete',
			severity: 'error',
			subject: ref.id,
			text: `${problems.length} of the messages in the ${ref.kind} bundle ${ref.id} cannot be rebuilt; the first: ${first}`,
			hint: 'put the bundle with the missing or damaged attachments back from a copy of the archive',
		});
	}
	return findings;
}
