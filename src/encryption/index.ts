export { type Identity, parseIdentities } from './identities.ts';
export { type OpenedSealed, openSealed, openSealedStream, type SealedSource } from './open.ts';
export { plainSize, sealedSize } from './payload.ts';
export { parseRecipients, type Recipient, type Recipients, recipientsInFile } from './recipients.ts';
export { beginSealing, type Sealing } from './seal.ts';
