import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fingerprint, keyType, parseKnownHosts } from '../../src/remote/sftp/known-hosts.ts';
import { lacks } from '../support/needs.ts';

/** A public key as a server shows it: its type, and bytes that are no real key. */
function keyOf(type: string, seed: number): Buffer {
	const head = Buffer.alloc(4);
	head.writeUInt32BE(type.length);
	return Buffer.concat([head, Buffer.from(type), Buffer.alloc(36, seed)]);
}

const ED = keyOf('ssh-ed25519', 1);
const OTHER = keyOf('ssh-ed25519', 2);
const RSA = keyOf('ssh-rsa', 3);

function line(hosts: string, key: Buffer): string {
	return `${hosts} ${keyType(key)} ${key.toString('base64')}`;
}

function known(...lines: readonly string[]) {
	return parseKnownHosts([{ path: 'kh', text: lines.join('\n') }]);
}

const SSH = { host: 'nas.example.org', port: 22 };
const ODD = { host: 'nas.example.org', port: 2222 };

describe('parseKnownHosts()', () => {
	it.each([
		['its name', 'nas.example.org', SSH],
		['its name, whatever the case', 'NAS.Example.org', { host: 'nas.EXAMPLE.org', port: 22 }],
		['one name of several', 'other,nas.example.org,10.0.0.1', SSH],
		['a pattern', '*.example.org', SSH],
		['a pattern with one character open', 'na?.example.org', SSH],
		['its name and port', '[nas.example.org]:2222', ODD],
		['a pattern with a port', '[*.example.org]:2222', ODD],
		['its name without the port', 'nas.example.org', ODD],
		['a pattern, where another one excludes somebody else', '*.example.org,!mail.example.org', SSH],
	])('knows a host by %s', (_by, hosts, host) => {
		expect(known(line(hosts, ED)).judge(host, ED)).toEqual({ state: 'known' });
	});

	it.each([
		['another name', 'nas.example.com', SSH],
		['a name that only begins so', 'nas.example.org.evil.example', SSH],
		['a dot that is no wildcard', 'nas-example.org', { host: 'nasxexample.org', port: 22 }],
		['another port', '[nas.example.org]:2223', ODD],
		['a port where it has none', '[nas.example.org]:2222', SSH],
		['an excluded name', '*.example.org,!nas.example.org', SSH],
		['an excluded name that stands first', '!nas.example.org,*.example.org', SSH],
	])('does not know a host by %s', (_by, hosts, host) => {
		expect(known(line(hosts, ED)).judge(host, ED)).toEqual({ state: 'unknown' });
	});

	it('tells a changed key from an unknown host, and says where the known one stands', () => {
		const text = ['# comment', '', line('nas.example.org', ED), line('mail.example.org', OTHER)];
		expect(known(...text).judge(SSH, OTHER)).toEqual({ state: 'changed', where: 'kh:3' });
		expect(known(...text).judge(SSH, RSA)).toEqual({ state: 'changed', where: 'kh:3' });
		expect(known(...text).judge({ host: 'mail.example.org', port: 22 }, OTHER)).toEqual({ state: 'known' });
	});

	it('takes any of several keys of one host', () => {
		const hosts = known(line('nas.example.org', ED), line('nas.example.org', RSA));
		expect([ED, RSA, OTHER].map((key) => hosts.judge(SSH, key).state)).toEqual(['known', 'known', 'changed']);
	});

	it('does not call a key changed for what is known of another port', () => {
		expect(known(line('nas.example.org', ED)).judge(ODD, OTHER)).toEqual({ state: 'unknown' });
		expect(known(line('[nas.example.org]:2222', ED)).judge(SSH, OTHER)).toEqual({ state: 'unknown' });
		expect(known(line('[nas.example.org]:2222', ED), line('nas.example.org', OTHER)).judge(ODD, OTHER)).toEqual({ state: 'known' });
	});

	it('refuses a revoked key, wherever else it stands', () => {
		const hosts = known(line('nas.example.org', ED), `@revoked ${line('*', ED)}`);
		expect(hosts.judge(SSH, ED)).toEqual({ state: 'revoked', where: 'kh:2' });
		expect(known(`@revoked ${line('*', ED)}`).judge(SSH, OTHER)).toEqual({ state: 'unknown' });
		expect(hosts.typesOf(SSH)).toEqual(['ssh-ed25519']);
		expect(known(`@revoked ${line('*', ED)}`).typesOf(SSH)).toEqual([]);
	});

	it('names the types of known keys, those for the very port first', () => {
		expect(known(line('nas.example.org', RSA), line('[nas.example.org]:2222', ED)).typesOf(ODD)).toEqual(['ssh-ed25519', 'ssh-rsa']);
	});

	it.each([
		['an authority', `@cert-authority ${line('*', ED)}`],
		['another marker', `@future ${line('*', ED)}`],
		['a line of protocol 1', '* 1024 35 1234567890'],
		['a type that the key contradicts', `* ssh-rsa ${ED.toString('base64')}`],
		['half a line', '* ssh-ed25519'],
		['no key', '* ssh-ed25519 AAAA'],
		['a hash of another kind', `|2|AAAA|AAAA ssh-ed25519 ${ED.toString('base64')}`],
		['half a hash', `|1|AAAA ssh-ed25519 ${ED.toString('base64')}`],
	])('passes over %s', (_what, text) => {
		expect(known(text).judge(SSH, ED)).toEqual({ state: 'unknown' });
	});

	it.skipIf(lacks('ssh-keygen'))('knows the hashed names and shows the fingerprint of OpenSSH', () => {
		const dir = mkdtempSync(join(tmpdir(), 'mailseal-kh-'));
		onTestFinished(() => rmSync(dir, { recursive: true }));
		execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'key')]);
		const [type, base64 = ''] = readFileSync(join(dir, 'key.pub'), 'utf8').split(' ');
		const path = join(dir, 'known_hosts');
		writeFileSync(path, `nas.example.org ${type} ${base64}\n[nas.example.org]:2222 ${type} ${base64}\n`);
		execFileSync('ssh-keygen', ['-q', '-H', '-f', path], { stdio: 'ignore' });
		const text = readFileSync(path, 'utf8');
		expect(text).not.toContain('example');
		const hosts = parseKnownHosts([{ path, text }]);
		const key = Buffer.from(base64, 'base64');
		expect(hosts.judge(SSH, key)).toEqual({ state: 'known' });
		expect(hosts.judge(ODD, key)).toEqual({ state: 'known' });
		expect(hosts.judge({ host: 'mail.example.org', port: 22 }, key)).toEqual({ state: 'unknown' });
		expect(hosts.judge(SSH, ED)).toEqual({ state: 'changed', where: `${path}:1` });
		expect(execFileSync('ssh-keygen', ['-l', '-f', join(dir, 'key.pub')], { encoding: 'utf8' })).toContain(` ${fingerprint(key)} `);
	});
});
