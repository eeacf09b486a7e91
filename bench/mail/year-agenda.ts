import type { Prng } from './prng.ts';
import { HABITS, JUNK_NIGHTS, OLD_DAYS, type Sort, TRASH_NIGHTS, YOUNG_DELETED } from './year-habits.ts';
import { type Mail, nightsOf } from './year-mail.ts';

/** What may happen to a message. */
export type Act = 'read' | 'answer' | 'flag' | 'keyword' | 'move' | 'delete' | 'purge';

/** What will happen to which message, and before which night. */
export interface Agenda {
	plan(night: number, act: Act, mail: Mail): void;
	/** Gives the future to a message that was there before the year: the young ones have one. */
	foresee(mail: Mail, at: { readonly prng: Prng; readonly directory: string; readonly unread: boolean }): void;
	/** Decides on delivery what will become of a message. */
	decide(mail: Mail, options: { readonly sort: Sort; readonly prng: Prng }): void;
	/** Of one night, in order; what is planned for it meanwhile is at the end. */
	of(night: number): readonly { readonly act: Act; readonly mail: Mail }[];
}

/** An empty one. */
export function openAgenda(): Agenda {
	const agenda = new Map<number, { readonly act: Act; readonly mail: Mail }[]>();

	function plan(night: number, act: Act, mail: Mail): void {
		const events = agenda.get(night) ?? [];
		agenda.set(night, events);
		events.push({ act, mail });
	}

	function foresee(mail: Mail, at: { readonly prng: Prng; readonly directory: string; readonly unread: boolean }): void {
		const { prng, directory } = at;
		if (directory === '.Trash') plan(1 + prng.int(TRASH_NIGHTS), 'purge', mail);
		else if (directory === '.Junk') plan(Math.max(1 + prng.int(3), mail.came + JUNK_NIGHTS), 'purge', mail);
		else if (mail.came > -OLD_DAYS) {
			if (at.unread) plan(1 + prng.int(10), 'read', mail);
			if (prng.chance(YOUNG_DELETED)) plan(1 + nightsOf(HABITS.letter.deletedAfter, prng), 'delete', mail);
		}
	}

	function decide(mail: Mail, options: { readonly sort: Sort; readonly prng: Prng }): void {
		const { prng } = options;
		const habit = HABITS[options.sort];
		if (options.sort === 'spam') plan(mail.came + JUNK_NIGHTS, 'purge', mail);
		let known = mail.came + nightsOf(habit.readAfter, prng);
		if (habit.where !== '.Sent' && prng.chance(habit.read)) plan(known, 'read', mail);
		if (prng.chance(habit.answered)) plan(known, 'answer', mail);
		if (prng.chance(habit.flagged)) plan(known + prng.int(5), 'flag', mail);
		if (prng.chance(habit.keyworded)) plan(known + prng.int(5), 'keyword', mail);
		if (prng.chance(habit.deleted)) plan(known + nightsOf(habit.deletedAfter, prng), 'delete', mail);
		else if (prng.chance(habit.moved)) {
			known += nightsOf({ median: 3, sigma: 1.2 }, prng);
			plan(known, 'move', mail);
		}
	}

	return { plan, foresee, decide, of: (night) => agenda.get(night) ?? [] };
}
