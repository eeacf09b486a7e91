import type { Command } from 'commander';

/** Adds examples to the help of a command: what one types, and what it is for. */
export function addExamples(command: Command, examples: readonly (readonly [line: string, purpose: string])[]): void {
	const lines = examples.map(([line, purpose]) => `  # ${purpose}\n  $ ${line}`);
	command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
