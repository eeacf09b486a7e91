import { describeLives } from '../support/offsite-life.ts';
import { CEPH, FOLDER, SFTP, SFTP_ONLY, SWIFT } from '../support/offsite-places.ts';

describeLives([FOLDER, SFTP, SFTP_ONLY, CEPH, SWIFT], { encrypted: false });
