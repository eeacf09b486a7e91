// Prints the closing line of a test run, from the runner's own JSON report. A skipped test is named: nothing is skipped quietly.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
for (const file of report.testResults) {
	for (const test of file.assertionResults) {
		if (test.status !== 'passed' && test.status !== 'failed') console.log(`not run: ${test.fullName}`);
	}
}
const skipped = report.numPendingTests + report.numTodoTests;
console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
if (!report.success) process.exitCode = 1;
