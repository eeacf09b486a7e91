import { type BundleWriter, openBundleWriter } from './bundle-writer.ts';
import { openProofs } from './prove-bundles.ts';
import type { Workers } from './workers.ts';

/** Has `work` write bundles; ends once all of them are on disk and were read back, as must be before a snapshot names them. */
export async function writeBundles<Result>(
	options: Omit<Parameters<typeof openBundleWriter>[0], 'onWritten'> & { readonly workers: Workers },
	work: (writer: BundleWriter) => Promise<Result>,
): Promise<{ readonly result: Result; readonly written: BundleWriter['written'] }> {
	const { workers, ...rest } = options;
	const proofs = openProofs(options.archive, workers);
	const writer = openBundleWriter({ ...rest, onWritten: proofs.add });
	try {
		const result = await work(writer);
		await writer.settle();
		await proofs.all();
		return { result, written: writer.written };
	} finally {
		await writer.close();
	}
}
