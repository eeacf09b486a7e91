// The licences of the packages whose code a build carries within it, as most of them ask of whoever hands their code on.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;
const TEXT = /^(?:licen[cs]e|copying|notice)(?:[.-].*)?$/i;

/** One text for all inputs of these esbuild metafiles; packages with the very same words stand over them together. */
export function licencesOf(metafiles) {
	const folders = new Set(metafiles.flatMap(({ inputs }) => Object.keys(inputs)).flatMap((input) => PACKAGE.exec(input)?.[0] ?? []));
	const holders = new Map();
	for (const folder of [...folders].sort()) {
		const text = wordsOf(folder);
		holders.set(text, new Set([...(holders.get(text) ?? []), titleOf(folder)]));
	}
	const entries = [...holders].map(([text, titles]) => `${'='.repeat(80)}\n${[...titles].join('\n')}\n\n${text}\n`);
	return `mailseal carries code of these packages.\n\n${entries.join('\n')}`;
}

function titleOf(folder) {
	const { name, version, license, author } = aboutOf(folder);
	const declared = [license, typeof author === 'object' ? author.name : author].filter((part) => part !== undefined);
	return [`${name} ${version}`, ...(declared.length === 0 ? [] : [`(${declared.join(', ')})`])].join(' ');
}

function wordsOf(folder) {
	const texts = readdirSync(folder)
		.filter((file) => TEXT.test(file))
		.sort()
		.map((file) => readFileSync(join(folder, file), 'utf8').trim());
	const { license } = aboutOf(folder);
	if (texts.length === 0 && license === undefined) throw new Error(`Cannot tell the licence of "${folder}": it has no text and names none`);
	if (texts.length === 0) return `The package has no text of its own and declares ${license}.`;
	return texts.join('\n\n').replace(/\r\n/g, '\n');
}

function aboutOf(folder) {
	return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}
