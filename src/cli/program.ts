import { Command, CommanderError, Option } from 'commander';
import { MailsealError, needsAttention } from '../domain/index.ts';
import type { Answer, CommandModule } from './call.ts';
import { COMMANDS } from './commands.ts';
import { EXIT_CODES, type ExitCode } from './exit-codes.ts';
import { drawFindings } from './findings.ts';
import type { Io } from './io.ts';
import { drawJson } from './json.ts';
import { openProgress, type ProgressMode } from './progress.ts';
import type { Services } from './services.ts';
import { resolveSettings } from './settings.ts';
import { VERSION } from './version.ts';

/** The widest that help is set, so that it stays readable. */
const HELP_WIDTH = 100;

interface GlobalOptions {
	readonly archive?: string;
	readonly config?: string;
	readonly json?: boolean;
	readonly progress: ProgressMode;
}

export interface Program {
	/** Name of the command that is running; null before it is known. */
	readonly running: string | null;
	/** Runs the command that `args` name. Throws MailsealError `usage` for arguments that are wrong. */
	run(args: readonly string[]): Promise<ExitCode>;
}

/** The whole command line. `load` brings the parts that a command works with, once one really runs. */
export function openProgram(io: Io, load: () => Promise<Services>): Program {
	let running: string | null = null;
	let exit: ExitCode = 0;
	const out: string[] = [];
	const err: string[] = [];
	const modules = new Map<string, CommandModule>();
	let loading: Promise<Services> | null = null;
	function loadOnce(): Promise<Services> {
		loading ??= load();
		return loading;
	}

	const program = new Command('mailseal')
		.description('Seals aging mail into immutable zip bundles that a backup confirms by hash instead of copying.')
		.version(VERSION, '--version', 'print the version and exit')
		.option('-a, --archive <dir>', 'the archive (else MAILSEAL_ARCHIVE, the config file, $XDG_DATA_HOME/mailseal/archive)')
		.option('--config <file>', 'the config file (else mailseal/mailseal.toml in $XDG_CONFIG_HOME or /etc)')
		.option('--json', 'print one JSON object on standard output')
		.addOption(
			new Option('--progress <how>', 'on standard error: a bar on a terminal (auto), JSON lines, or nothing')
				.choices(['auto', 'json', 'none'])
				.default('auto'),
		)
		.helpOption('-h, --help', 'show help and exit')
		.helpCommand(false)
		.configureHelp({ showGlobalOptions: true })
		.addHelpText('after', `\n${describeExitCodes()}\n\nmailseal COMMAND --help shows the options of a command, with examples.`)
		.exitOverride()
		.configureOutput({
			writeOut: (text) => out.push(text),
			writeErr: (text) => err.push(text),
			// What is wrong with the arguments is told by the caller, as every other failure is.
			outputError() {},
			getOutHelpWidth: () => Math.min(HELP_WIDTH, io.stdout.columns),
			getErrHelpWidth: () => Math.min(HELP_WIDTH, io.stderr.columns),
			getOutHasColors: () => false,
			getErrHasColors: () => false,
		});

	for (const entry of COMMANDS) {
		const command = program.command(entry.name).summary(entry.summary);
		command.action(async () => {
			const module = modules.get(entry.name);
			if (module) exit = await execute(entry.name, { module, command });
		});
	}
	program.hook('preSubcommand', async (_program, command) => {
		const entry = COMMANDS.find(({ name }) => name === command.name());
		if (!entry) return;
		running = entry.name;
		const module = await entry.load();
		modules.set(entry.name, module);
		await module.describe(command, loadOnce);
	});

	async function execute(name: string, parts: { readonly module: CommandModule; readonly command: Command }): Promise<ExitCode> {
		const { module, command } = parts;
		const global = program.opts<GlobalOptions>();
		const json = global.json === true;
		const settings = await resolveSettings(io, global);
		const services = await loadOnce();
		const progress = openProgress(io, { mode: global.progress, json });
		let answer: Answer;
		try {
			answer = await module.run({
				arguments: command.args,
				options: <Options extends object>() => command.opts<Options>(),
				settings,
				services,
				io,
				json,
				progress,
			});
		} finally {
			progress.end();
		}
		await (json ? showJson(io, name, answer) : showHuman(io, answer));
		return answer.exit ?? (answer.findings.some(needsAttention) ? 1 : 0);
	}

	return {
		get running() {
			return running;
		},
		async run(args) {
			try {
				await program.parseAsync([...helpLast(args)], { from: 'user' });
			} catch (error) {
				if (!(error instanceof CommanderError)) throw error;
				if (err.length > 0) await io.stderr.write(err.join(''));
				if (error.code === 'commander.help') {
					throw new MailsealError('usage', 'Cannot start: no command is named (one of those above was expected)');
				}
				if (error.exitCode !== 0) throw usageError(error, running);
			}
			if (out.length > 0) await io.stdout.write(out.join(''));
			return exit;
		},
	};
}

/** `help COMMAND` means `COMMAND --help`, and `help` alone `--help`. */
function helpLast(args: readonly string[]): readonly string[] {
	return args[0] === 'help' ? [...args.slice(1), '--help'] : args;
}

function describeExitCodes(): string {
	return `Exit codes:\n${EXIT_CODES.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n')}`;
}

function usageError(error: CommanderError, command: string | null): MailsealError {
	const text = error.message.replace(/^error: /, '').replace(/\n\((.*)\)$/s, ' ($1)');
	const call = command === null ? 'mailseal' : `mailseal ${command}`;
	return new MailsealError('usage', `Cannot run "${call}": ${text.replace(/\.$/, '')}`, { hint: `see ${call} --help`, cause: error });
}

async function showJson(io: Io, command: string, answer: Answer): Promise<void> {
	for (const piece of drawJson({ command, result: answer.result, findings: answer.findings })) await io.stdout.write(piece);
}

async function showHuman(io: Io, answer: Answer): Promise<void> {
	const all = answer.findingsAreResult === true;
	const sink = all ? io.stdout : io.stderr;
	for (const line of drawFindings(answer.findings, { lively: sink.lively, all })) await sink.write(`${line}\n`);
	await writeLines(io, answer.lines);
	if (answer.remark !== undefined) await io.stderr.write(`${answer.remark}\n`);
}

/** Many lines a write: a long list would spend its time in system calls. */
async function writeLines(io: Io, lines: Iterable<string>): Promise<void> {
	let pending: string[] = [];
	for (const line of lines) {
		if (io.stdout.closed) return;
		pending.push(line, '\n');
		if (pending.length < 2000) continue;
		await io.stdout.write(pending.join(''));
		pending = [];
	}
	if (pending.length > 0) await io.stdout.write(pending.join(''));
}
