import { cpus, release, totalmem } from 'node:os';
import { formatSize } from '../../src/domain/index.ts';

/** What a figure is worth nothing without, in one line. */
export function machineLine(): string {
	const processors = cpus();
	const model = processors[0]?.model.trim() ?? 'unknown processor';
	return `${processors.length} cores (${model}), ${formatSize(totalmem())} memory, ${process.platform} ${release()}, Node ${process.version}`;
}
