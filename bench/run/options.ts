/** Options of a bench: `--name value`, or `--name` alone. */
export type Options = ReadonlyMap<string, string>;

/** Reads the process's arguments; an option that is not among `known` is an error that names it. */
export function readOptions(known: readonly string[]): Options {
	const options = new Map<string, string>();
	const rest = process.argv.slice(2);
	for (let at = 0; at < rest.length; at++) {
		const word = rest[at] ?? '';
		const name = word.slice(2);
		if (!word.startsWith('--') || !known.includes(name)) {
			throw new Error(`Cannot read option "${word}": it is unknown (known: ${known.map((one) => `--${one}`).join(' ')})`);
		}
		const next = rest[at + 1];
		const alone = next === undefined || next.startsWith('--');
		options.set(name, alone ? 'true' : next);
		if (!alone) at++;
	}
	return options;
}

export function hasOption(options: Options, name: string): boolean {
	return options.has(name);
}

export function textOption(options: Options, name: string, fallback: string): string {
	return options.get(name) ?? fallback;
}

/** Those of `all` that the option names, separated by commas, in the order of `all`; `fallback` where it is not given. */
export function namesOption<Name extends string>(
	options: Options,
	name: string,
	names: { readonly all: readonly Name[]; readonly fallback: readonly Name[] },
): Name[] {
	const words = options.get(name)?.split(',') ?? names.fallback;
	const unknown = words.find((word) => !names.all.some((one) => one === word));
	if (unknown !== undefined) throw new Error(`Cannot read option "--${name}": "${unknown}" is unknown (known: ${names.all.join(', ')})`);
	return names.all.filter((one) => words.includes(one));
}

export function numberOption(options: Options, name: string, fallback: number): number {
	const text = options.get(name);
	if (text === undefined) return fallback;
	if (!/^[0-9]+$/.test(text)) throw new Error(`Cannot read option "--${name}": it is "${text}" (a whole number is needed)`);
	return Number(text);
}
