import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { builtFile } from '../support/build-program.ts';
import { makeMailStore } from '../support/mail-store.ts';
import { callerOf, openFolder, type PackSaid } from '../support/program.ts';

const program = builtFile('src/cli/bin.ts', { chunks: true });

interface Shipped {
	readonly sync: { readonly shipped: number; readonly snapshots: number; readonly newest: string } | null;
}

function openNight() {
	const store = makeMailStore();
	store.put('anna@example.org/INBOX/1:2,S', { content: Buffer.from('Subject: one\n\none\n'), at: Date.UTC(2026, 0, 1) });
	const home = openFolder();
	const [archive, target] = ['archive', 'target'].map((name) => join(home, name)) as [string, string];
	mkdirSync(target);
	return { store, home, archive, target, caller: callerOf(program, { archive, home }), spec: store.spec };
}

function bundlesBelow(folder: string): string[] {
	return readdirSync(join(folder, 'bundles'), { recursive: true, encoding: 'utf8' })
		.filter((name) => name.endsWith('.zip'))
		.sort();
}

test('a pack with --sync leaves at the target what a sync after it would, and the two say nothing new of it', () => {
	const { caller, archive, target, spec } = openNight();
	const { code, result, findings } = caller.json<PackSaid & Shipped>('pack', spec, '--sync', target);
	expect({ code, findings }).toEqual({ code: 0, findings: [] });
	expect(result.messages.added).toBe(1);
	expect(result.sync).toMatchObject({ shipped: 2, snapshots: 1, newest: result.snapshot });
	expect(bundlesBelow(target)).toEqual(bundlesBelow(archive));
	expect(caller.json('sync', target).result).toMatchObject({ shipped: 0, snapshots: 0, confirmed: 2 });
});

test('a pack with --sync tells people what both cost, the pack first', () => {
	const { caller, target, spec } = openNight();
	const { code, bytes } = caller.run('pack', spec, '--sync', target);
	expect(code).toBe(0);
	expect(bytes.toString()).toMatch(
		/0 sealed bytes rewritten, .*\ntarget {4}.*\nnewest {4}.*\n0 bundles confirmed \(0 proved\), 2 shipped .*\n$/,
	);
});

test('a pack stands where its target takes nothing: the result is told, and the exit code is that of the sync', () => {
	const { caller, home, spec } = openNight();
	const gone = join(home, 'not', 'mounted');
	const { code, result, findings, error } = caller.json<PackSaid & Shipped>('pack', spec, '--sync', gone);
	expect({ code, error, sync: result.sync }).toEqual({ code: caller.json('sync', gone).code, error: undefined, sync: null });
	expect(code).toBeGreaterThan(1);
	expect(findings).toMatchObject([{ code: 'sync-failed', severity: 'error', subject: gone }]);
	expect(findings[0]?.text).toContain('The pack is done, and was not shipped: ');
	expect(caller.json('ls', 'snapshots').result).toMatchObject({ rows: [{ name: result.snapshot }] });
	expect(existsSync(join(home, 'not'))).toBe(false);
});

test('a pack ships to a target of the config file as that says', () => {
	const { caller, home, target, spec } = openNight();
	const config = join(home, 'mailseal.toml');
	writeFileSync(config, `[targets.offsite]\nurl = "${target}"\n`);
	expect(caller.json<Shipped>('--config', config, 'pack', spec, '--sync', 'offsite').result.sync).toMatchObject({ shipped: 2 });
});

test.each([
	['a dry run', (night: ReturnType<typeof openNight>) => ['--sync', night.target, '--dry-run'], /dry run makes no snapshot/],
	['the archive itself', (night: ReturnType<typeof openNight>) => ['--sync', night.archive], /in, the same folder/],
	['an address with a password', () => ['--sync', 'sftp://user:secret@host/path'], /password/],
])('a pack is not begun where it could not be shipped: %s', (_name, options, text) => {
	const night = openNight();
	const { code, error } = night.caller.json('pack', night.spec, ...options(night));
	expect({ code, error: error?.code }).toEqual({ code: 2, error: 'usage' });
	expect(error?.text).toMatch(text);
	expect(existsSync(join(night.archive, 'mailseal.json'))).toBe(false);
});
