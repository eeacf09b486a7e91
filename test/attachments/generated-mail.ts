import fc from 'fast-check';

/** A message as a tree of parts, with all that real mail does well and badly. */
export function mail(): fc.Arbitrary<Buffer> {
	return fc
		.tuple(
			lineEnd,
			fc.letrec<{ part: string; leaf: string; multipart: string; opened: string }>((tie) => ({
				part: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('leaf'), tie('multipart'), tie('opened')),
				leaf: leaf(),
				multipart: multipart(tie('part')),
				opened: tie('part').map((part) => `Content-Type: message/rfc822\n\nSubject: inner\n${part}`),
			})).part,
		)
		.map(([end, part]) => Buffer.from(`From: a@example.org\n${part}`.replaceAll('\n', end), 'latin1'));
}

const lineEnd = fc.constantFrom('\n', '\r\n');

const boundaries = fc.constantFrom('b', 'bb', 'b-', '--', '=_x', 'b ', 'B', 'long boundary with spaces');

function multipart(part: fc.Arbitrary<string>): fc.Arbitrary<string> {
	return fc
		.record({
			boundary: boundaries,
			parts: fc.array(part, { maxLength: 4 }),
			type: fc.constantFrom('multipart/mixed', 'multipart/digest', 'multipart/alternative'),
			preamble: fc.constantFrom('', 'preamble\n', '--\n'),
			end: fc.constantFrom('--', '--\nepilogue', '', ' ', '-- \t\n'),
		})
		.map(({ boundary, parts, type, preamble, end }) => {
			const body = parts.map((text) => `--${boundary}\n${text}\n`).join('');
			return `Content-Type: ${type};\n boundary="${boundary}"\n\n${preamble}${body}--${boundary}${end}`;
		});
}

function leaf(): fc.Arbitrary<string> {
	const type = fc.constantFrom('Content-Type: application/pdf; name="a.pdf"\n', 'Content-Type: text/html\n', 'X: y\n', '');
	const disposition = fc.constantFrom('', 'Content-Disposition: attachment; filename=x.bin\n', 'Content-Disposition: inline\n');
	const body = fc.oneof(
		base64Body().map((text) => `Content-Transfer-Encoding: base64\n\n${text}`),
		base64Body().map((text) => `Content-Transfer-Encoding: base64\n\n${text}`),
		bytes(200).map((text) => `\n${text}`),
		fc.constantFrom('Content-Transfer-Encoding: quoted-printable\n\na=3Db=\n', 'Content-Transfer-Encoding: 8bit\n\n\xe4\n\n', '\n', ''),
	);
	return fc.tuple(type, disposition, body).map((pieces) => pieces.join(''));
}

function bytes(maxLength: number): fc.Arbitrary<string> {
	return fc.uint8Array({ maxLength }).map((array) => Buffer.from(array).toString('latin1'));
}

function base64Body(): fc.Arbitrary<string> {
	return fc
		.record({
			content: fc.oneof(bytes(20), bytes(400)),
			width: fc.constantFrom(1, 4, 57, 60, 64, 72, 75, 76, 998, 5000),
			end: fc.constantFrom('\n', '\n', '\n', '\r\n', ' \n', '\n\n'),
			tail: fc.constantFrom('', '', '', '\n', '\n\n\n', ' ', '=', '==', '!', '\nfooter\n'),
			head: fc.constantFrom('', '', '', '\n', '\n \n', 'junk\n'),
			padding: fc.constantFrom('kept', 'kept', 'kept', 'dropped'),
			stain: fc.constantFrom('', '', '', '', '-', '_', ' ', '=', '\0'),
			at: fc.nat(500),
		})
		.map(({ content, width, end, tail, head, padding, stain, at }) => {
			const text = Buffer.from(content, 'latin1').toString('base64');
			const lines = (padding === 'kept' ? text : text.replace(/=+$/, '')).match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
			const body = head + lines.join(end) + tail;
			return stain === '' ? body : body.slice(0, at) + stain + body.slice(at);
		});
}
