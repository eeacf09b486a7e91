/** How a sender writes base64: columns a line, and what ends each line. */
export interface Wrapping {
	readonly columns: number;
	readonly end: '\n' | '\r\n';
}

/** 76 and 72 columns, LF and CRLF, in turn. */
export function wrappingOf(index: number): Wrapping {
	return { columns: index % 2 === 0 ? 76 : 72, end: index % 4 < 2 ? '\n' : '\r\n' };
}

/** Bytes that neither compress nor repeat, the same for the same name. */
export function fileBytes(name: string, size: number): Buffer {
	const bytes = Buffer.alloc(size);
	let state = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) >>> 0;
	for (let index = 0; index < size; index++) {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		bytes[index] = state >>> 8;
	}
	return bytes;
}

/** A mail with files in base64, as mail programs write it. */
export function mailWith(
	files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
	options: { readonly subject: string; readonly wrapping?: Wrapping; readonly text?: string },
): Buffer {
	const { subject, wrapping = { columns: 76, end: '\n' }, text = 'See the file.' } = options;
	const { columns, end } = wrapping;
	const lines = [
		`Message-ID: <${subject.replaceAll(' ', '.')}@test.example>`,
		'From: Ben <ben@example.org>',
		`Subject: ${subject}`,
		'MIME-Version: 1.0',
		'Content-Type: multipart/mixed; boundary="=_frontier"',
		'',
		'--=_frontier',
		'Content-Type: text/plain; charset=utf-8',
		'',
		text,
	];
	for (const { name, bytes } of files) {
		const encoded = Buffer.from(bytes).toString('base64');
		lines.push(
			'--=_frontier',
			`Content-Type: application/pdf; name="${name}"`,
			'Content-Transfer-Encoding: base64',
			`Content-Disposition: attachment; filename="${name}"`,
			'',
		);
		for (let at = 0; at < encoded.length; at += columns) lines.push(encoded.slice(at, at + columns));
	}
	return Buffer.from([...lines, '--=_frontier--', ''].join(end));
}
