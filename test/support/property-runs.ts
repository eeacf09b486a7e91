/** How often a property is tried: always the same cases, and many more of them where SLOW is set. */
export function propertyRuns(usual = 300): { seed: number; numRuns: number } {
	return { seed: 20261123, numRuns: process.env.SLOW ? usual * 50 : usual };
}
