import { ControlSet } from './control-set.ts';
import { type DiskPath, under } from './disk-name.ts';

const FILES = ['courierimapacl', 'dovecot-acl', 'dovecot-keywords', 'maildirfolder'];
const INDEX_FILES = ['dovecot.index', 'dovecot.index.log', 'dovecot.index.log.2'];

/**
 * Files of a folder that a restored store needs. The uidlist is none of them: placements and folder facts hold what it says.
 * Index files are caches, but for keywords that no file name can hold. `absent`: names that are not looked for.
 */
export function readFolderControls(
	directory: DiskPath,
	{ withIndex, absent }: { readonly withIndex: boolean; readonly absent: ReadonlySet<string> },
): ControlSet {
	const set = new ControlSet();
	for (const name of FILES) if (!absent.has(name)) set.add(name, under(directory, name));
	if (withIndex) for (const name of INDEX_FILES) set.add(name, under(directory, name));
	if (!absent.has('courierimapkeywords')) set.addTree('courierimapkeywords', under(directory, 'courierimapkeywords'), () => true);
	return set;
}
