import type { Reason } from '../domain/index.ts';

const EXPLANATIONS: Readonly<Record<Reason, string>> = {
	quiet: 'it has not changed for a whole quiet period',
	recent: 'it arrived less than a quiet period ago',
	'recently-changed': 'its flags or its folder changed less than a quiet period ago',
	unread: 'nobody has read it, and the longer period for unread mail is not over',
	'never-folder': 'it lies in a folder that is never sealed, or below one',
	draft: 'it is a draft, which may still be edited',
	'deleted-marked': 'it is marked as deleted and may soon be gone',
	'date-in-future': 'its date lies in the future, so that its age cannot be told',
};

/** Why a message is sealed or stays volatile, as one clause for people, without a full stop. */
export function explainReason(reason: Reason): string {
	return EXPLANATIONS[reason];
}
