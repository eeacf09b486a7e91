// Packages that only some calls need lie in files of their own beside the program, and are read when they are asked for.
import { build } from 'esbuild';

const CHUNKS = {
	'@aws-sdk/client-s3': {
		file: 'aws-sdk.cjs',
		names: ['DeleteObjectCommand', 'GetObjectCommand', 'HeadObjectCommand', 'ListObjectsV2Command', 'PutObjectCommand', 'S3Client'],
	},
	ssh2: { file: 'ssh2.cjs', names: ['Client', 'utils'] },
	'age-encryption': { file: 'age.cjs', names: ['Decrypter', 'Encrypter'] },
};

/** Leaves `import('PACKAGE')` in the program, leading to the chunk beside it. */
export const chunksApart = {
	name: 'chunks-apart',
	setup({ onResolve }) {
		for (const [name, { file }] of Object.entries(CHUNKS)) {
			onResolve({ filter: new RegExp(`^${name.replaceAll('/', '\\/')}$`) }, () => ({ path: `./${file}`, external: true }));
		}
	},
};

/** Writes the chunks into `folder`; gives what esbuild tells of each. */
export async function buildChunks(folder) {
	const metafiles = [];
	for (const [name, { file, names }] of Object.entries(CHUNKS)) {
		const { metafile } = await build({
			metafile: true,
			stdin: { contents: `export { ${names.join(', ')} } from '${name}';`, resolveDir: '.', loader: 'js' },
			outfile: `${folder}/${file}`,
			bundle: true,
			platform: 'node',
			target: 'node20',
			format: 'cjs',
			mainFields: ['module', 'main'],
			// ssh2 does without its compiled parts; nothing has to be compiled where mailseal is installed.
			external: ['*.node', 'cpu-features'],
			// The SDK would print a warning about this Node on every run: which version of it is used is our affair, and docs/architecture.md says why.
			define: { 'process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED': '"true"' },
			minifySyntax: true,
			legalComments: 'none',
			logLevel: 'warning',
		});
		metafiles.push(metafile);
	}
	return metafiles;
}
