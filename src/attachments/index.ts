export { readHeaderFacts } from './header-facts.ts';
