import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';
import { systemCode } from '../domain/index.ts';

/** How V8 was set when it compiled the program (scripts/v8-flags.mjs); empty for the usual way. */
declare const V8_FLAGS: string;

/** The program as the build leaves it: one function with the parameters of a CommonJS module. */
type Program = (exports: object, require: NodeJS.Require, module: NodeJS.Module, filename: string, dirname: string) => void;

/** Starts the program beside this file. */
function start(): void {
	const filename = join(__dirname, 'program.cjs');
	const source = readFileSync(filename);
	const cachedData = compiledCode(source);
	// A V8 of another version might not know them, and would say so.
	if (cachedData !== null && V8_FLAGS !== '') setFlagsFromString(V8_FLAGS);
	const script = new Script(source.toString('latin1'), {
		filename,
		...(cachedData === null ? {} : { cachedData }),
	});
	// The name is that of this file, since worker threads start with it too.
	(script.runInThisContext() as Program)(exports, require, module, __filename, __dirname);
}

/**
 * What V8 made of the program at the build: compiling it takes a third of a start. V8 refuses what another version of it made, but looks
 * neither at the source, nor for damage, nor at the processor, nor at what Node changed in it; so the CRC-32 of all that leads the file.
 * Null where there is none, or it is not of this source and this Node.
 */
function compiledCode(source: Buffer): Buffer | null {
	const file = readIfThere(join(__dirname, 'program.code'));
	if (file === null || file.length < 8) return null;
	const code = file.subarray(8);
	const maker = crc32(`${process.versions.v8} ${process.arch}`);
	return file.readUInt32LE(0) === crc32(source, maker) && file.readUInt32LE(4) === crc32(code) ? code : null;
}

function readIfThere(path: string): Buffer | null {
	try {
		return readFileSync(path);
	} catch (error) {
		// Without it a start takes longer, and nothing else is lost.
		if (systemCode(error) === undefined) throw error;
		return null;
	}
}

start();
