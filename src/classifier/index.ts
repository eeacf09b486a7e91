export { classify } from './classify.ts';
export { dueAt, dueOf } from './due-at.ts';
export { explainReason } from './explain-reason.ts';
export { decideKept } from './keep.ts';
