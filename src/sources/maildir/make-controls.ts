import { lchownSync, lutimesSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import { holdFolder, lookAtFolder, makeFolder } from '../write-destination.ts';
import { createFile } from '../write-file.ts';
import { readSmallFile } from './small-file.ts';
import type { ControlPlan } from './write-controls.ts';

/** What the destination has in the place of a control file. */
export type ControlState = 'absent' | 'same' | 'different';

/** Compares a control file with the destination, without changing it. */
export function lookAtControl(root: string, plan: ControlPlan): ControlState {
	const folder = [...plan.base, ...plan.parents];
	const state = lookAtFolder(root, folder);
	if (state !== 'folder') return state === 'absent' ? 'absent' : 'different';
	const there = readSmallFile(join(root, ...folder, plan.name), plan.content?.length ?? 0);
	if (there.kind === 'absent') return 'absent';
	if (there.kind === 'link') return there.target === plan.link ? 'same' : 'different';
	return there.kind === 'file' && plan.content?.equals(there.bytes) === true ? 'same' : 'different';
}

/** Makes a control file or link with the directories above it; what is there by now stays. */
export function makeControl(root: string, plan: ControlPlan): ControlState {
	const folder = [...plan.base];
	for (const parent of plan.parents) {
		folder.push(parent);
		if (lookAtFolder(root, folder) === 'absent') makeFolder(root, folder, { mode: 0o700, owner: plan.owner });
	}
	if (lookAtControl(root, plan) === 'different') return 'different';
	using held = holdFolder(root, folder);
	if (plan.link !== null) {
		try {
			symlinkSync(plan.link, held.path(plan.name));
			if (plan.owner !== null) lchownSync(held.path(plan.name), ...plan.owner);
			// As text, since Node takes a negative number for the present.
			if (plan.date !== null) lutimesSync(held.path(plan.name), String(plan.date / 1000), String(plan.date / 1000));
		} catch (error) {
			if (systemCode(error) !== 'EEXIST') throw asMailsealError(error, 'write', join(held.shown, plan.name));
		}
		return lookAtControl(root, plan);
	}
	const chunks = [plan.content ?? Buffer.alloc(0)];
	const file = { staging: held, folder: held, name: Buffer.from(plan.name), chunks, date: plan.date, mode: plan.mode, owner: plan.owner };
	return createFile(file) === 'written' ? 'same' : lookAtControl(root, plan);
}
