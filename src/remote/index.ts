export type {
	BlobContent,
	BlobFacts,
	BlobRange,
	BlobStore,
	Created,
	CreateOptions,
	Expected,
	Proof,
	ProofMethod,
} from './contract.ts';
