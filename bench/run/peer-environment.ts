import { join } from 'node:path';

export type Environment = Readonly<Record<string, string>>;

/** `home` takes what the program would put into the home of whoever calls. */
function ownHome(home: string): Environment {
	return { TMPDIR: home, TZ: 'UTC' };
}

/** What each program is to know besides its command line, so that it asks nobody and keeps its caches below `home`. */
export const PEER_ENVIRONMENT = {
	restic: (home: string): Environment => ({ ...ownHome(home), RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: join(home, 'cache') }),
	borg: (home: string): Environment => ({
		...ownHome(home),
		BORG_BASE_DIR: home,
		BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
		BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
	}),
	bup: ownHome,
} as const;

/** The environment goes through env(1), which becomes the program: nothing else is measured. */
export function environmentWords(environment: Environment): string[] {
	return ['env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)];
}
