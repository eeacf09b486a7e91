import { MailsealError } from '../domain/index.ts';

/** Makes the error for a field that is refused; `problem` says what is the case and what should be. */
export type Fault = (field: string, problem: string, cause?: unknown) => MailsealError;

/** A JSON object that is being read field by field. */
export interface Fields {
	readonly values: Readonly<Record<string, unknown>>;
	readonly fault: Fault;
}

/** The fields of a JSON object; `name` is the field that holds it. */
export function fieldsOf(value: unknown, options: { readonly name: string; readonly fault: Fault }): Fields {
	const { name, fault } = options;
	if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(name, `is ${show(value)} (must be an object)`);
	return { values: value as Record<string, unknown>, fault };
}

export function nested(fields: Fields, name: string): Fields {
	return fieldsOf(fields.values[name], {
		name,
		fault: (field, problem, cause) => fields.fault(field === name ? name : `${name}.${field}`, problem, cause),
	});
}

export function text(fields: Fields, name: string): string {
	const value = fields.values[name];
	if (typeof value !== 'string') throw fields.fault(name, `is ${show(value)} (must be a text)`);
	return value;
}

/** A whole number from 0 to `most`, by default the largest that JSON keeps exact. */
export function wholeNumber(fields: Fields, name: string, most: number = Number.MAX_SAFE_INTEGER): number {
	const value = fields.values[name];
	if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > most) {
		throw fields.fault(name, `is ${show(value)} (must be a whole number from 0 to ${most})`);
	}
	return value;
}

/** ISO 8601 UTC with milliseconds, in the one form that JavaScript writes. */
export function instant(fields: Fields, name: string): string {
	const value = text(fields, name);
	const time = Date.parse(value);
	if (Number.isNaN(time) || new Date(time).toISOString() !== value) {
		throw fields.fault(name, `is ${show(value)} (must be an instant such as 2026-11-23T02:15:00.000Z)`);
	}
	return value;
}

export function choice<Choice extends string>(fields: Fields, name: string, choices: readonly Choice[]): Choice {
	const value = fields.values[name];
	const found = choices.find((known) => known === value);
	if (found === undefined) throw fields.fault(name, `is ${show(value)} (must be ${choices.join(' or ')})`);
	return found;
}

/** A text that a parse function of the domain takes. */
export function parsed<Value>(fields: Fields, name: string, parse: (text: string) => Value): Value {
	const value = text(fields, name);
	try {
		return parse(value);
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'usage') throw error;
		throw fields.fault(name, `is refused: ${error.message}`, error);
	}
}

export function list(fields: Fields, name: string): readonly unknown[] {
	const value = fields.values[name];
	if (!Array.isArray(value)) throw fields.fault(name, `is ${show(value)} (must be a list)`);
	return value;
}

export function texts(fields: Fields, name: string): string[] {
	return list(fields, name).map((value, index) => text({ values: { item: value }, fault: atIndex(fields, name, index) }, 'item'));
}

/** A list of texts that a parse function of the domain takes. */
export function parsedTexts<Value>(fields: Fields, name: string, parse: (text: string) => Value): Value[] {
	return list(fields, name).map((value, index) => parsed({ values: { item: value }, fault: atIndex(fields, name, index) }, 'item', parse));
}

/** A list whose members are objects. */
export function records<Value>(fields: Fields, name: string, parse: (fields: Fields) => Value): Value[] {
	return list(fields, name).map((value, index) => {
		const fault: Fault = (field, problem, cause) =>
			fields.fault(field === '' ? `${name}[${index}]` : `${name}[${index}].${field}`, problem, cause);
		return parse(fieldsOf(value, { name: '', fault }));
	});
}

/** The field under its name where it is there, else nothing; for spreading into a value. */
export function optional<Name extends string, Value>(
	fields: Fields,
	name: Name,
	read: (fields: Fields, name: Name) => Value,
): { readonly [Key in Name]?: Value } {
	if (!Object.hasOwn(fields.values, name)) return {};
	return { [name]: read(fields, name) } as { readonly [Key in Name]?: Value };
}

/** Refuses a field that `known` lacks: rewriting the record would lose it without a word. */
export function refuseUnknown<Value extends object>(fields: Fields, known: Value): Value {
	for (const name of Object.keys(fields.values)) {
		if (!Object.hasOwn(known, name)) throw fields.fault(name, 'is not known');
	}
	return known;
}

function atIndex(fields: Fields, name: string, index: number): Fault {
	return (_field, problem, cause) => fields.fault(`${name}[${index}]`, problem, cause);
}

function show(value: unknown): string {
	if (value === undefined) return 'missing';
	const shown = JSON.stringify(value);
	return shown.length > 60 ? `${shown.slice(0, 60)}...` : shown;
}
