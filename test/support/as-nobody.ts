/** Runs `work` without root's right to read everything; where the tests do not run as root, it is as it is. */
export async function asNobody<Result>(work: () => Promise<Result>): Promise<Result> {
	if (process.getuid?.() !== 0 || process.seteuid === undefined) return work();
	process.seteuid(65534);
	try {
		return await work();
	} finally {
		process.seteuid(0);
	}
}
