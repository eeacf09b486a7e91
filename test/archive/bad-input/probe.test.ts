import { statfsSync, unlinkSync, writeFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { builtFile } from '../../support/build-program.ts';
import { callerOf, openFolder } from '../../support/call-program.ts';
import { DAY, DAY_ZERO, makeMailStore, noisyMail } from '../../support/mail-store.ts';
import { smallDisk } from '../../support/small-disk.ts';
const program = builtFile('src/cli/bin.ts');
test('probe', () => {
	for (const kib of [560,580,590,600,610,620,630,640,660,700,740,760,780,800,820,840,860,900,960]) {
		const store = makeMailStore(join(openFolder(), 'store'));
		for (let n = 0; n < 40; n++) store.put(`anna/INBOX/${n}.old:2,S`, { content: noisyMail(`old ${n}`, 8192) });
		const disk = smallDisk('8m'); const archive = join(disk.path,'archive'); const c = callerOf(program, { archive });
		const pack = (d:number) => c.json<any>('pack','--now',new Date(DAY_ZERO+d*DAY).toISOString(),'--linger','0s','--bundle-target','64KiB',store.spec);
		pack(0);
		for (let n = 0; n < 30; n++) store.put(`anna/Sub/${n}.new:2,`, { content: noisyMail(`new ${n}`, 8192) });
		const { bavail, bsize } = statfsSync(disk.path); writeFileSync(join(disk.path,'fill'), Buffer.alloc(Math.max(0,bavail*bsize-kib*1024)));
		const s = pack(60);
		const v = c.json<any>('verify','--deep'); const l = c.json<any>('ls','accounts');
		const snaps = readdirSync(join(archive,'snapshots'),{recursive:true}).length;
		console.log('OUT', kib, s.code, JSON.stringify(s.error), 'snaps', snaps, 'verify', v.code, JSON.stringify(v.error??v.findings), 'ls', l.code, JSON.stringify(l.error));
	}
}, 100000);
