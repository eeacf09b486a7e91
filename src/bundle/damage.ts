import { MailsealError } from '../domain/index.ts';

/** An `archive-damaged` error whose `details.damage` is a stable, kebab-case code. */
export function damaged(
	damage: string,
	text: string,
	options: { readonly cause?: unknown; readonly details?: Readonly<Record<string, string | number>> } = {},
): MailsealError {
	return new MailsealError('archive-damaged', text, {
		hint: 'run "mailseal verify" to see what is affected, and put the bundle back from a copy of the archive',
		details: { ...options.details, damage },
		...(options.cause === undefined ? {} : { cause: options.cause }),
	});
}

/** The damage code of an error made by `damaged`, or undefined for any other value. */
export function damageOf(error: unknown): string | undefined {
	if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') return undefined;
	const damage = error.details.damage;
	return typeof damage === 'string' ? damage : undefined;
}
