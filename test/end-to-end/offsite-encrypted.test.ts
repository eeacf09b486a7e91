import { lacks } from '../support/needs.ts';
import { describeLives } from '../support/offsite-life.ts';
import { CEPH, FOLDER, SFTP } from '../support/offsite-places.ts';

describeLives(lacks('age-keygen') ? [] : [FOLDER, SFTP, CEPH], { encrypted: true });
