import { MailsealError } from '../domain/index.ts';
import { type ExitCode, exitOf } from './exit-codes.ts';
import { reasonOf } from './interrupt.ts';
import type { Io } from './io.ts';
import { drawJsonError } from './json.ts';
import type { Services } from './services.ts';
import { printable, printableLines } from './text.ts';
import { VERSION } from './version.ts';

async function loadServices(): Promise<Services> {
	const { compose } = await import('./compose.ts');
	return compose();
}

/** Runs the program and gives its exit code. Never throws. `args` are those behind the program's name. */
export async function main(args: readonly string[], io: Io, load: () => Promise<Services> = loadServices): Promise<ExitCode> {
	let command: string | null = null;
	try {
		if (args.length === 1 && args[0] === '--version') {
			await io.stdout.write(`${VERSION}\n`);
			return 0;
		}
		const { openProgram } = await import('./program.ts');
		const program = openProgram(io, load);
		try {
			return await program.run(args);
		} finally {
			command = program.running;
		}
	} catch (error) {
		return await reportFailure(error, { io, command, json: wantsJson(args) });
	}
}

/** True where the call asked for JSON, even if the rest of it cannot be understood. */
function wantsJson(args: readonly string[]): boolean {
	const end = args.indexOf('--');
	return args.slice(0, end < 0 ? args.length : end).includes('--json');
}

/** Tells a failure, for people or for programs, and gives the exit code. Never throws. */
export async function reportFailure(
	error: unknown,
	call: { readonly io: Io; readonly command: string | null; readonly json: boolean },
): Promise<ExitCode> {
	const { io, command, json } = call;
	const failure = describeFailure(error, io.signal);
	try {
		if (json) await io.stdout.write(drawJsonError({ ...failure, command, findings: [] }));
		else {
			const hint = failure.hint === null ? '' : `  ${printable(failure.hint)}\n`;
			await io.stderr.write(`mailseal: ${printable(failure.text)}\n${hint}`);
		}
		if (io.env.MAILSEAL_DEBUG && error instanceof Error) await io.stderr.write(`${printableLines(stackOf(error))}\n`);
	} catch (unwritable) {
		// The exit code is the only word left when neither stream takes one.
		if (!(unwritable instanceof MailsealError)) return 70;
	}
	return failure.exit;
}

interface Failure {
	readonly code: string;
	readonly text: string;
	readonly hint: string | null;
	readonly exit: ExitCode;
}

function describeFailure(error: unknown, signal: AbortSignal): Failure {
	const known = reasonOf(error, signal);
	if (known instanceof MailsealError) {
		return { code: known.code, text: known.message, hint: known.hint ?? null, exit: exitOf(known.code) };
	}
	const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
	return {
		code: 'bug',
		text: `Cannot go on: a bug in mailseal ${VERSION} (${what})`,
		hint: 'please report it with the command that was run; with MAILSEAL_DEBUG=1 set, the place in the code is shown too',
		exit: 70,
	};
}

function stackOf(error: Error): string {
	const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
	return (error.stack ?? error.message) + cause;
}
