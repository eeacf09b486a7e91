/** Options of mailseal that the year lets run beside the defaults. */
export interface Rule {
	readonly name: string;
	readonly pack: readonly string[];
	readonly compact: readonly string[];
}

const DEFAULTS = 'defaults';

export const RULES: readonly Rule[] = [
	rule(DEFAULTS),
	rule('quiet', { pack: ['--seal-attachments', 'quiet'] }),
	rule('quiet-3d', { pack: ['--quiet-period', '3d'] }),
	rule('quiet-7d', { pack: ['--quiet-period', '7d'] }),
	rule('quiet-14d', { pack: ['--quiet-period', '14d'] }),
	rule('quiet-60d', { pack: ['--quiet-period', '60d'] }),
	rule('unread-30d', { pack: ['--unread-period', '30d'] }),
	rule('linger-1d', { pack: ['--linger', '1d'] }),
	rule('linger-7d', { pack: ['--linger', '7d'] }),
	rule('linger-90d', { pack: ['--linger', '90d'] }),
	rule('fold-0.5', { pack: ['--fold-below', '0.5'] }),
	rule('fold-0.8', { pack: ['--fold-below', '0.8'] }),
	rule('volatile-20', { pack: ['--most-volatile', '20'] }),
	rule('bundle-16MiB', { pack: ['--bundle-target', '16MiB'] }),
	rule('below-0.3', { compact: ['--below', '0.3'] }),
	rule('below-0.8', { compact: ['--below', '0.8'] }),
];

/** `all`, or names with commas between them; `arrival+fold-0.2` is one rule that has the options of both. */
export function rulesNamed(list: string): Rule[] {
	if (list === 'all') return [...RULES];
	return list.split(',').map((name) => {
		const parts = name.split('+').map(ruleNamed);
		return { name, pack: parts.flatMap(({ pack }) => pack), compact: parts.flatMap(({ compact }) => compact) };
	});
}

function ruleNamed(name: string): Rule {
	const found = RULES.find((one) => one.name === name);
	if (found) return found;
	throw new Error(`Cannot read option "--rules": "${name}" is unknown (known: all, ${RULES.map((one) => one.name).join(', ')})`);
}

function rule(name: string, options: Partial<Omit<Rule, 'name'>> = {}): Rule {
	return { name, pack: [], compact: [], ...options };
}
