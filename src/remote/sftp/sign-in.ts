import type { AnyAuthMethod, AuthHandlerMiddleware, ParsedKey } from 'ssh2';
import { MailsealError } from '../../domain/index.ts';

/** What a user can prove themselves with. */
export interface Auth {
	readonly privateKeys: readonly { readonly path: string; readonly text: string; readonly passphrase?: string }[];
	/** Path of the socket of an ssh-agent. */
	readonly agent?: string;
	readonly password?: string;
}

/** One way to sign in. */
interface Way {
	/** The method as servers name it, RFC 4252. */
	readonly method: 'publickey' | 'password' | 'keyboard-interactive';
	readonly asked: AnyAuthMethod;
	/** Names it without its secret. */
	readonly text: string;
}

/** Signing in to one server once. */
export interface SignIn {
	/** Chooses what is tried next: keys, then the agent, then the password, as far as the server takes each. */
	readonly next: AuthHandlerMiddleware;
	/** Remembers that the agent did not do what it should. */
	agentFailed(said: string): void;
	/** The error where the server refused everything. */
	refused(): MailsealError;
}

export interface SignInOptions {
	readonly place: string;
	readonly user: string;
	readonly auth: Auth;
	/** The library's reader of private keys. */
	readonly parseKey: (text: string, passphrase?: string) => ParsedKey | Error;
	/** Called when nothing is left to try. */
	readonly giveUp: () => void;
}

/** Reads the keys. Throws `permission` where there is nothing to sign in with. */
export function prepareSignIn({ place, user, auth, parseKey, giveUp }: SignInOptions): SignIn {
	const ways: Way[] = [];
	const unusable: { readonly path: string; readonly why: string; readonly encrypted: boolean }[] = [];
	for (const { path, text, passphrase } of auth.privateKeys) {
		const key = parseKey(text, passphrase);
		if (key instanceof Error) {
			const encrypted = /no passphrase/i.test(key.message);
			const wrong = passphrase !== undefined && /passphrase/i.test(key.message);
			const why = encrypted ? 'it is encrypted' : wrong ? 'its passphrase is another one' : 'it is in no form that is known';
			unusable.push({ path, why, encrypted });
		} else if (key.isPrivateKey()) {
			ways.push({ method: 'publickey', asked: { type: 'publickey', username: user, key }, text: `the key "${path}"` });
		} else unusable.push({ path, why: 'it is a public key', encrypted: false });
	}
	const { agent, password } = auth;
	if (agent !== undefined) {
		ways.push({ method: 'publickey', asked: { type: 'agent', username: user, agent }, text: `the ssh-agent at "${agent}"` });
	}
	if (password !== undefined) {
		ways.push({ method: 'password', asked: { type: 'password', username: user, password }, text: 'the password' });
		ways.push({
			method: 'keyboard-interactive',
			asked: {
				type: 'keyboard-interactive',
				username: user,
				prompt: (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)),
			},
			text: 'the password',
		});
	}

	const notUsable = unusable.map(({ path, why }) => `the key "${path}" cannot be used: ${why}`).join('; ');
	const locked = unusable.find(({ encrypted }) => encrypted);
	const unlock = locked === undefined ? '' : `make the encrypted key known to an ssh-agent with "ssh-add ${locked.path}", or `;
	const start = `Cannot sign in to "${place}" as "${user}"`;
	if (ways.length === 0) {
		throw new MailsealError(
			'permission',
			`${start}: ${notUsable || 'there is nothing to sign in with (a key, an ssh-agent or a password)'}`,
			{
				hint: `${unlock}name a private key that has no passphrase and may do nothing but this`,
			},
		);
	}

	let untried = [...ways];
	let last: Way | undefined;
	const tried = new Set<string>();
	let agentSaid = '';
	return {
		next(left: readonly string[] | null, partial, choose) {
			// A server that wants two proofs takes the second in any order.
			if (partial) untried = ways.filter((way) => way !== last);
			last = untried.find(({ method }) => left === null || left.includes(method));
			if (last === undefined) {
				giveUp();
				return;
			}
			const way = last;
			untried = untried.filter((one) => one !== way);
			tried.add(way.text);
			choose(way.asked);
		},
		agentFailed(said) {
			agentSaid = `; the ssh-agent says "${said}"`;
		},
		refused() {
			const list = [...tried].join(', ');
			const rest = notUsable === '' ? '' : `; ${notUsable}`;
			return new MailsealError('permission', `${start}: the server refuses ${list || 'every way that there is'}${agentSaid}${rest}`, {
				retryable: false,
				hint: `${unlock}${password === undefined ? '' : 'check the password, or '}add the public key to the file authorized_keys of "${user}" at the server`,
			});
		},
	};
}
