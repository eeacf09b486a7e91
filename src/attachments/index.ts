export { decodePart } from './decode-part.ts';
export { readHeaderFacts } from './header-facts.ts';
export { type ReadAttachment, rebuildMessage } from './rebuild.ts';
export { type Leaf, openSplitter, type SplitProblem, type SplitResult, type Splitter, splitMessage } from './splitter.ts';
export { type TakenApart, takeApart } from './take-apart.ts';
export { type StreamedItem, type TakenApartStream, takeApartStream } from './take-apart-stream.ts';
