import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** True where this process may mount file systems; says so aloud where it may not. */
export function canMount(): boolean {
	const place = mkdtempSync(join(tmpdir(), 'mailseal-mount-'));
	const mounted = process.getuid?.() === 0 && mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place);
	if (mounted) unmount(place);
	else console.warn('skipped: needs the right to mount');
	rmSync(place, { recursive: true });
	return mounted;
}

/** A disk of its own, gone when the test ends; `size` as mount(8) takes it. */
export function smallDisk(size: string): { readonly path: string; resize(size: string): void } {
	const path = mkdtempSync(join(tmpdir(), 'mailseal-disk-'));
	must('-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path);
	onTestFinished(() => {
		unmount(path);
		rmSync(path, { recursive: true });
	});
	return { path, resize: (other) => must('-o', `remount,size=${other}`, path) };
}

/** The folder `path` in a second place, where nothing can be changed. */
export function readOnlyView(path: string): string {
	const view = mkdtempSync(join(tmpdir(), 'mailseal-view-'));
	must('--bind', path, view);
	onTestFinished(() => {
		unmount(view);
		rmSync(view, { recursive: true });
	});
	must('-o', 'remount,ro,bind', view);
	return view;
}

function mount(...args: readonly string[]): boolean {
	return spawnSync('mount', args).status === 0;
}

function must(...args: readonly string[]): void {
	if (!mount(...args)) throw new Error(`mount ${args.join(' ')} failed`);
}

function unmount(path: string): void {
	if (spawnSync('umount', [path]).status !== 0) spawnSync('umount', ['-l', path]);
}
