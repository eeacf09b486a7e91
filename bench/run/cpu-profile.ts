import { readFileSync } from 'node:fs';

/** One thread's `.cpuprofile`, as V8 writes it; times in microseconds. */
export interface CpuProfile {
	readonly nodes: readonly {
		readonly id: number;
		readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
		readonly children?: readonly number[];
	}[];
	readonly samples: readonly number[];
	readonly timeDeltas: readonly number[];
}

/** Where the time of a thread went, milliseconds. */
export interface Spent {
	/** By room or library, with what it called in Node: `bundle`, `yazl`, ...; V8's own work stands in brackets. */
	readonly rooms: ReadonlyMap<string, number>;
	/** By function alone, as `<module>: <function>`. */
	readonly functions: ReadonlyMap<string, number>;
	readonly busy: number;
	readonly idle: number;
}

interface Frame {
	readonly name: string;
	readonly module: string;
	/** Undefined for Node's own functions. */
	readonly room: string | undefined;
	parent: Frame | undefined;
}

/** Module of each line of a bundle: esbuild puts the path of each as a comment above it. */
export function readModules(bundle: string): (line: number) => string {
	const modules: string[] = [];
	let module = 'bundle start';
	for (const line of readFileSync(bundle, 'utf8').split('\n')) {
		module = /^\s*\/\/ (?:\S*?\/)?((?:src|node_modules)\/\S+)$/.exec(line)?.[1] ?? module;
		modules.push(module);
	}
	return (line) => modules[line] ?? 'bundle start';
}

/** `bundle` is the name of the program that was profiled. */
export function spentTime(profile: CpuProfile, options: { readonly bundle: string; readonly moduleAt: (line: number) => string }): Spent {
	const frames = readFrames(profile, options);
	const rooms = new Map<string, number>();
	const functions = new Map<string, number>();
	let busy = 0;
	let idle = 0;
	for (const [at, id] of profile.samples.entries()) {
		const frame = frames.get(id);
		const time = (profile.timeDeltas[at] ?? 0) / 1000;
		if (!frame) continue;
		if (frame.name === '(idle)') {
			idle += time;
			continue;
		}
		busy += time;
		add(functions, frame.module === '' ? frame.name : `${frame.module}: ${frame.name}`, time);
		add(rooms, roomOf(frame), time);
	}
	return { rooms, functions, busy, idle };
}

function readFrames(
	profile: CpuProfile,
	options: { readonly bundle: string; readonly moduleAt: (line: number) => string },
): Map<number, Frame> {
	const frames = new Map<number, Frame>();
	for (const { id, callFrame } of profile.nodes) {
		const own = callFrame.url.endsWith(options.bundle);
		const module = own ? options.moduleAt(callFrame.lineNumber) : callFrame.url;
		const room = own ? roomOfModule(module) : undefined;
		frames.set(id, { name: callFrame.functionName || '(anonymous)', module, room, parent: undefined });
	}
	for (const { id, children } of profile.nodes) {
		for (const child of children ?? []) {
			const frame = frames.get(child);
			if (frame) frame.parent = frames.get(id);
		}
	}
	return frames;
}

/** `src/bundle/zip.ts` belongs to `bundle`, `node_modules/yazl/index.js` to `yazl`. */
function roomOfModule(module: string): string {
	const [top, first = '', second = ''] = module.split('/');
	if (top === 'src') return first.endsWith('.ts') ? 'src' : first;
	if (top === 'node_modules') return first.startsWith('@') ? `${first}/${second}` : first;
	return module;
}

function roomOf(frame: Frame): string {
	for (let at: Frame | undefined = frame; at; at = at.parent) if (at.room !== undefined) return at.room;
	return frame.name.startsWith('(') ? frame.name : '(Node)';
}

function add(sums: Map<string, number>, key: string, time: number): void {
	sums.set(key, (sums.get(key) ?? 0) + time);
}
