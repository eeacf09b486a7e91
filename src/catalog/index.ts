export type { BundleToApply, Location, Totals } from './apply.ts';
export type { AttachmentCopy } from './attachment-queries.ts';
export { type Catalog, type CatalogState, catalogDamage, openCatalog } from './catalog.ts';
export type { CarriedMessage, SealedLiveness } from './compact-queries.ts';
export type { Place } from './database.ts';
export type { AttachmentBundle, AttachmentFilter, AttachmentTotals, ListedAttachment } from './list-attachments.ts';
export { keyOfLine, type ListedFacts, listedLines, listedPlacement } from './listed-lines.ts';
export type { Copy, KnownAccount, KnownFolder, Liveness, WaitingTotal } from './pack-queries.ts';
export type { AccountContents, Filter, PlacementState, ShownPlacement } from './read-queries.ts';
