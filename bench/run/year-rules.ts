/** Options of mailseal that the year lets run beside the defaults. */
export interface Rule {
	readonly name: string;
	readonly pack: readonly string[];
	readonly compact: readonly string[];
}

const DEFAULTS = 'defaults';

export const RULES: readonly Rule[] = [
	rule(DEFAULTS),
	rule('arrival', { pack: ['--seal-attachments', 'arrival'] }),
	rule('quiet-3d', { pack: ['--quiet-period', '3d'] }),
	rule('quiet-7d', { pack: ['--quiet-period', '7d'] }),
	rule('quiet-14d', { pack: ['--quiet-period', '14d'] }),
	rule('quiet-60d', { pack: ['--quiet-period', '60d'] }),
	rule('linger-7d', { pack: ['--linger', '7d'] }),
	rule('linger-90d', { pack: ['--linger', '90d'] }),
	rule('fold-0.2', { pack: ['--fold-below', '0.2'] }),
	rule('fold-0.8', { pack: ['--fold-below', '0.8'] }),
	rule('volatile-20', { pack: ['--most-volatile', '20'] }),
	rule('bundle-16MiB', { pack: ['--bundle-target', '16MiB'] }),
	rule('below-0.3', { compact: ['--below', '0.3'] }),
	rule('below-0.8', { compact: ['--below', '0.8'] }),
	rule('arrival-fold-0.2', { pack: ['--seal-attachments', 'arrival', '--fold-below', '0.2'] }),
	rule('quiet-14d-fold-0.2', { pack: ['--quiet-period', '14d', '--fold-below', '0.2'] }),
];

/** `all`, or names with commas between them. */
export function rulesNamed(list: string): Rule[] {
	if (list === 'all') return [...RULES];
	return list.split(',').map((name) => {
		const found = RULES.find((one) => one.name === name);
		if (!found)
			throw new Error(`Cannot read option "--rules": "${name}" is unknown (known: all, ${RULES.map((one) => one.name).join(', ')})`);
		return found;
	});
}

function rule(name: string, options: Partial<Omit<Rule, 'name'>> = {}): Rule {
	return { name, pack: [], compact: [], ...options };
}
