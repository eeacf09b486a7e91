import { openPrng, type Prng } from './prng.ts';
import { makePerson, type Person } from './words.ts';

/** Who owns the mailboxes, and who writes to them. */
export interface Population {
	readonly owners: readonly Person[];
	readonly strangers: readonly Person[];
}

/** Where people write from in their own name, or through a list. */
const PRIVATE_DOMAINS = new Set(['mail.example.com', 'lists.example.edu']);
const STRANGER_DOMAINS = ['mail.example.com', 'firm.example.net', 'lists.example.edu', 'shop.example.com', 'office.example.gov'];

/** `accounts` owners, spread over the domains in turn. The first n owners are the same for any number of accounts. */
export function makePopulation(options: {
	readonly seed: number;
	readonly accounts: number;
	readonly domains: readonly string[];
}): Population {
	const { seed, accounts, domains } = options;
	const local = openPrng('owners', seed);
	const remote = openPrng('strangers', seed);
	return {
		owners: Array.from({ length: accounts }, (_, n) => makePerson(local, { n, domain: domains[n % domains.length] ?? 'example.org' })),
		strangers: Array.from({ length: 400 }, (_, n) => makePerson(remote, { n, domain: remote.pick(STRANGER_DOMAINS) })),
	};
}

/** True for a person who writes for a firm or an office. */
export function isBusiness(person: Person): boolean {
	return !PRIVATE_DOMAINS.has(domainOf(person));
}

export function domainOf(person: Person): string {
	return person.address.slice(person.address.indexOf('@') + 1);
}

/** Correspondents of a mailbox: half of its mail comes from some twenty people. */
export function correspondent(people: Population, options: { readonly owner: number; readonly prng: Prng }): Person {
	const { owner, prng } = options;
	const pool = prng.chance(0.3) ? people.owners : people.strangers;
	return pool[(prng.chance(0.5) ? owner * 7 + prng.int(20) : prng.int(pool.length)) % pool.length] ?? prng.pick(people.strangers);
}
