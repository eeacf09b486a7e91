import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** A copy of what benches need, so that a bench that runs there does not overwrite the rows of a real run. */
export function benchProject(project: string): string {
	for (const name of ['bench', 'src', 'scripts', 'test/support']) {
		cpSync(join(ROOT, name), join(project, name), { recursive: true, filter: (path) => path !== join(ROOT, 'bench', 'out') });
	}
	for (const name of ['node_modules', 'dist']) symlinkSync(join(ROOT, name), join(project, name));
	return project;
}
