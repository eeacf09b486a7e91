import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MailsealError } from '../../src/domain/index.ts';
import { formatTargetSpec, parseTargetSpec, type TargetSpec } from '../../src/remote/index.ts';
import { propertyRuns } from '../support/property-runs.ts';

describe('parseTargetSpec()', () => {
	it.each<[string, TargetSpec]>([
		['/mnt/disk/mail', { kind: 'folder', path: '/mnt/disk/mail' }],
		['../mail', { kind: 'folder', path: '../mail' }],
		['~/mail', { kind: 'folder', path: '~/mail' }],
		['./host:mail', { kind: 'folder', path: './host:mail' }],
		['/mnt/a:b', { kind: 'folder', path: '/mnt/a:b' }],
		['sftp://host/mail', { kind: 'sftp', host: 'host', path: '/mail' }],
		['SFTP://host/mail', { kind: 'sftp', host: 'host', path: '/mail' }],
		['sftp://host/', { kind: 'sftp', host: 'host', path: '/' }],
		[
			'sftp://me@backup.example.org:2222/srv//mail/',
			{ kind: 'sftp', user: 'me', host: 'backup.example.org', port: 2222, path: '/srv/mail' },
		],
		['sftp://host/~/mail', { kind: 'sftp', host: 'host', path: 'mail' }],
		['sftp://host/~', { kind: 'sftp', host: 'host', path: '.' }],
		['sftp://host/~/', { kind: 'sftp', host: 'host', path: '.' }],
		['sftp://host/~/../mail', { kind: 'sftp', host: 'host', path: '../mail' }],
		['sftp://host/~alice/mail', { kind: 'sftp', host: 'host', path: '/~alice/mail' }],
		['sftp://host/%7E/mail', { kind: 'sftp', host: 'host', path: '/~/mail' }],
		['sftp://host/a%20b/%C3%A4?#', { kind: 'sftp', host: 'host', path: '/a b/ä?#' }],
		['sftp://a%40b.org@host/x@y', { kind: 'sftp', user: 'a@b.org', host: 'host', path: '/x@y' }],
		['sftp://[2001:db8::1]:22/mail', { kind: 'sftp', host: '2001:db8::1', port: 22, path: '/mail' }],
		['sftp://[fe80::1%25eth0]/mail', { kind: 'sftp', host: 'fe80::1%eth0', path: '/mail' }],
		['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
		['s3://bucket/', { kind: 's3', bucket: 'bucket', prefix: '' }],
		['s3://bucket/pre/fix', { kind: 's3', bucket: 'bucket', prefix: 'pre/fix/' }],
		['s3://bucket/pre/fix/', { kind: 's3', bucket: 'bucket', prefix: 'pre/fix/' }],
	])('reads %s', (text, spec) => {
		expect(parseTargetSpec(text)).toEqual(spec);
	});

	it.each([
		['', 'it is empty'],
		['a\0b', 'control character'],
		['host:/mail', 'it looks like HOST:FOLDER'],
		['backup@nas:mail', 'written with ./ before it'],
		['ftp://host/mail', 'it begins with "ftp://"'],
		['file:///mail', 'a folder, sftp://'],
		['sftp://host', 'it names no folder'],
		['sftp:///mail', 'it names no host'],
		['sftp://me@/mail', 'it names no host'],
		['sftp://@host/mail', 'no user'],
		['sftp://a b/mail', 'it names no host'],
		['sftp://2001:db8::1/mail', 'stands in brackets'],
		['sftp://[host]/mail', 'stands in brackets'],
		['sftp://[::1/mail', 'stands in brackets'],
		['sftp://host:/mail', 'its port'],
		['sftp://host:0/mail', 'its port'],
		['sftp://host:65536/mail', 'its port'],
		['sftp://host:ssh/mail', 'its port'],
		['sftp://host/100%', 'write %25'],
		['sftp://host/%ff', 'write %25'],
		['sftp://host/a%00b', 'control character'],
		['s3://', 'it names no bucket'],
		['s3:///prefix', 'it names no bucket'],
		['s3://b/prefix', 'it names no bucket'],
		['s3://bucket/a//b', 'its prefix'],
		['s3://bucket/../other', 'its prefix'],
		['s3://bucket/a b', 'its prefix'],
	])('refuses %j', (text, what) => {
		expect(() => parseTargetSpec(text)).toThrow(MailsealError);
		expect(() => parseTargetSpec(text)).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringContaining(what) }));
	});

	it.each([
		'sftp://me:hush@host/mail',
		'sftp://me:hu@sh@host/mail',
		'sftp://me:hu/sh@host/mail',
		'sftp://me:hush@host',
		'sftp://me:hush',
		'sftp://me:hush/mail',
		'sftp://hush@@/mail',
		's3://key:hush@bucket/prefix',
		's3://key:hu/sh@bucket/prefix',
		'https://me:hush@host/mail',
		'https://me:hu/sh@host/mail',
	])('repeats no password: %s', (text) => {
		let told: unknown;
		try {
			parseTargetSpec(text);
		} catch (error) {
			told = error;
		}
		expect(told).toMatchObject({ code: 'usage' });
		const { message, hint } = told as MailsealError;
		expect(`${message} ${hint}`).not.toMatch(/hu|sh@/);
	});
});

const level = fc
	.string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
	.filter((text) => [...text].every((letter) => letter >= ' ' && letter !== '\x7f' && letter !== '/') && text !== '.' && text !== '..');
const path = fc.array(fc.oneof({ weight: 5, arbitrary: level }, fc.constantFrom('~', '%', '%2F', '~~', 'a@b', ':', '?x', '#')), {
	minLength: 1,
	maxLength: 4,
});
const word = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{1,20}[a-z0-9]$/);

const sftp = fc
	.record(
		{
			user: level,
			host: fc.oneof(word, fc.ipV4(), fc.ipV6()),
			port: fc.integer({ min: 1, max: 65_535 }),
			path: fc.oneof(
				path.map((levels) => `/${levels.join('/')}`),
				path.map((levels) => levels.join('/')),
				fc.constantFrom('/', '.', '..', '../a'),
			),
		},
		{ requiredKeys: ['host', 'path'] },
	)
	.map((spec): TargetSpec => ({ kind: 'sftp', ...spec }));
const s3 = fc
	.record({ bucket: word, levels: fc.array(fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,9}$/), { maxLength: 3 }) })
	.map(({ bucket, levels }): TargetSpec => ({ kind: 's3', bucket, prefix: levels.map((name) => `${name}/`).join('') }));
const folder = path.map((levels): TargetSpec => ({ kind: 'folder', path: `/${levels.join('/')}` }));
const anySpec = fc.oneof(sftp, s3, folder);

describe('formatTargetSpec()', () => {
	it('gives a text that reads back as the same target', () => {
		fc.assert(
			fc.property(anySpec, (spec) => {
				expect(parseTargetSpec(formatTargetSpec(spec))).toEqual(spec);
			}),
			propertyRuns(),
		);
	});

	it('gives the same text for whatever it wrote', () => {
		fc.assert(
			fc.property(anySpec, (spec) => {
				const text = formatTargetSpec(spec);
				expect(formatTargetSpec(parseTargetSpec(text))).toBe(text);
			}),
			propertyRuns(),
		);
	});

	it('reads any text, or refuses it as a use', () => {
		const anyText = fc.tuple(fc.constantFrom('', 'sftp://', 's3://', 'sftp://host/', 'x://'), fc.string({ unit: 'binary', maxLength: 20 }));
		fc.assert(
			fc.property(anyText, ([start, rest]) => {
				let spec: TargetSpec;
				try {
					spec = parseTargetSpec(`${start}${rest}`);
				} catch (error) {
					expect(error).toMatchObject({ code: 'usage' });
					return;
				}
				expect(parseTargetSpec(formatTargetSpec(spec))).toEqual(spec);
			}),
			propertyRuns(),
		);
	});
});
