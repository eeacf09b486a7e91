import { isMainThread } from 'node:worker_threads';
import { abortOnSignals } from './interrupt.ts';
import { openIo } from './io.ts';
import { main, reportFailure } from './main.ts';

function start(): void {
	const workerScript = typeof __filename === 'string' ? __filename : null;
	const io = openIo({ signal: abortOnSignals(), workerScript });
	const args = process.argv.slice(2);
	// Node would end with 1, which stands for findings.
	process.on('uncaughtException', (error) => {
		reportFailure(error, { io, command: null, json: args.includes('--json') }).then((code) => process.exit(code));
	});
	// Should the event loop run dry before the end, Node would say that all is well.
	process.exitCode = 70;
	main(args, io).then((code) => {
		process.exitCode = code;
	});
}

if (isMainThread) start();
else import('./compose.ts').then((compose) => compose.serveWorker());
