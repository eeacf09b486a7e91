"""Gets all mail out of a mailseal archive with nothing but Python 3.7 or newer (on Windows: inside WSL).

    python3 recover.py ARCHIVE OUT

ARCHIVE may be a target that has one archive, or archives/<id> of a target; what is encrypted must be decrypted before.
Writes OUT/<account>/<folder>/{cur,new}/<file name> (a Maildir for each folder) as the newest readable snapshot saw it.
Every message is checked against its SHA-256. Existing files are never changed; the archive is only read.
Exit status: 0 everything was recovered, 1 something was not (see the messages), 2 the call is wrong."""

import base64, datetime, errno, functools, gzip, hashlib, json, os, pathlib, re, sys, zipfile

LETTERS = (('draft', 'D'), ('flagged', 'F'), ('passed', 'P'), ('answered', 'R'), ('seen', 'S'), ('deleted', 'T'))
# The bundles used last stay open: reading a zip's directory again for each attachment would take most of the time.
troubles, open_bundle = [], functools.lru_cache(maxsize=8)(zipfile.ZipFile)

def trouble(text):
    """Names come from whoever sent or stored the mail: no control characters reach the terminal."""
    troubles.append(text)
    print('recover: ' + re.sub('[^ -~]', lambda odd: ascii(odd.group())[1:-1], text), file=sys.stderr)

def why(error):
    """What an error says; when the disk is full nothing that follows could be written, so this is the end."""
    if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        sys.exit('recover: stopped, cannot write: %s; make room and run it again' % error)
    return str(error) or repr(error)

def chunks(source):
    return iter(lambda: source.read(1 << 20), b'')

def sha256(parts, write=lambda data: None):
    """The SHA-256 of the parts, each of which is written somewhere."""
    digest = hashlib.sha256()
    for data in parts:
        digest.update(data)
        write(data)
    return digest.hexdigest()

def read_json(data):
    """All numbers are whole and have 16 digits at most: int() takes hours for millions of them."""
    whole = lambda digits: int(digits[:16])
    return json.loads(data.decode('utf-8'), parse_int=whole, parse_float=whole, parse_constant=whole)

def open_entry(path, name):
    entry = open_bundle(path).open(name)
    return gzip.GzipFile(fileobj=entry) if name.endswith('.gz') else entry

def read_snapshot(archive):
    """The newest snapshot whose name carries the start of its own SHA-256."""
    paths = archive.glob('snapshots/*/%sT%sZ-????????.json' % ('[0-9]' * 8, '[0-9]' * 6))
    for path in sorted(paths, key=lambda path: path.name, reverse=True):
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest()[:8] != path.stem[-8:]:
                raise ValueError('its SHA-256 does not match its name')
            snapshot = read_json(data)
            bundles = ['%s/%.2s/%s.zip' % (ref['kind'], ref['id'], ref['id']) for ref in snapshot['bundles']]
            if snapshot['format'] != 1 or not all(re.fullmatch('(sealed|volatile)/../[0-9a-f]{64}.zip', ref) for ref in bundles):
                raise ValueError('it is not of format 1, the one this program knows')
            return path.stem, bundles
        except Exception as error:
            trouble('snapshot %s cannot be used (%s), trying the one before it' % (path.stem, why(error)))
    hint = '; it is encrypted, README.txt tells how to decrypt it with age' if any(archive.glob('snapshots/*/*.age')) else ''
    sys.exit('recover: no usable snapshot in "%s", nothing was recovered%s' % (archive, hint))

def read_words(path, placements):
    """Applies the words of one bundle: what a later bundle says of a placement replaces what an earlier one said."""
    for number, line in enumerate(open_entry(path, 'manifest.ndjson.gz'), 1):
        try:
            word = read_json(line)
            if word['type'] == 'removed':
                placements.pop((word['account'], word['folder'], word['key']), None)
            elif word['type'] == 'placed':
                account, folder, key = placement = (word['account'], word['folder'], word['key'])
                flags = ':2,' + ''.join(letter for flag, letter in LETTERS if flag in word.get('flags', ()))
                info = word.get('info', '' if 'dir' in word else flags)
                place = ('/'.join(placement) + info, account, folder, word.get('dir', 'cur'), key + info, str(word.get('date')))
                placements[placement] = (str(word['message']), place)
        except Exception as error:
            trouble('line %d of the manifest of bundle %s cannot be read (%s)' % (number, os.path.basename(path), why(error)))

def read_attachment(name, size, copies):
    """The bytes of an attachment, from the first copy that has its SHA-256."""
    found = 'missing'
    for path, entry in copies.get(('attachments', name), ()):
        try:
            data, found = open_entry(path, entry).read(size), 'damaged'
            if hashlib.sha256(data).hexdigest() == name:
                copies['attachments', name] = [(path, entry)]
                return data
        except Exception as error:
            found = 'unreadable: ' + why(error)
    raise ValueError('its attachment %s is %s' % (str(name)[:64], found))

def base64_text(data, form):
    """An attachment as base64: each run is `count` lines of `width` characters with their `end`, the rest is one more line."""
    text, body, at = base64.b64encode(data), bytearray(), 0
    text = text[:-4] + form['last'].encode('ascii') if form.get('last') else text
    for count, width, end in form['lines']:
        if min(count, width) < 1 or at + count * width > len(text) or len(end) > 4:
            raise ValueError('its lines do not fit its attachment')
        for _ in range(count):
            body += text[at:at + width] + end.encode('ascii')
            at += width
            if len(body) >= 1 << 20:
                yield bytes(body)
                body.clear()
    yield bytes(body)
    yield text[at:]

def rebuild(recipe, copies):
    """A message from its recipe. Whoever forges one gets no more bytes than the size it tells."""
    line = read_json(recipe.readline(1 << 24))
    if line['recipe'] != 1:
        raise ValueError('it needs a newer recover.py')
    left = line['size']
    for piece in line['pieces']:
        size = piece['literal'] if 'literal' in piece else piece['size']
        if not 0 < size <= left:
            raise ValueError('it is longer than it says')
        data = recipe.read(size) if 'literal' in piece else read_attachment(piece['attachment'], size, copies)
        for part in base64_text(data, piece['base64']) if 'base64' in piece else [data]:
            yield part[:max(left, 0)]
            left -= len(part)

def write_message(out, place, parts, message):
    """Writes a message to its place: True where it was written, False where it was there already."""
    label, account, folder, box, name, date = place
    # A byte of a name that is not UTF-8 stands there as "/" and two hex digits.
    file = re.sub(b'/([89a-f][0-9a-f])', lambda match: bytes.fromhex(match.group(1).decode()), name.encode('utf-8'))
    levels = [level.encode('utf-8') for level in [account] + folder.split('/')]
    if box not in ('cur', 'new') or any(level in (b'', b'.', b'..') or re.search(rb'[/\0]', level) for level in levels + [file]):
        raise ValueError('it would lie outside its folder')
    folder = os.path.join(os.fsencode(out), *levels)
    path = os.path.join(folder, box.encode(), file)
    if os.path.lexists(path):
        with open(path, 'rb') as existing:
            if sha256(chunks(existing)) == message:
                return False
        raise FileExistsError('another file of this name is there, it was left alone')
    for level in (b'cur', b'new', b'tmp'):
        os.makedirs(os.path.join(folder, level), exist_ok=True)
    temporary = os.path.join(folder, b'tmp', b'recover-%d' % os.getpid())
    try:
        with open(temporary, 'wb') as written:
            if sha256(parts, written.write) != message:
                raise ValueError('its bytes do not match its SHA-256')
        try:
            moment = datetime.datetime.strptime(date + '+0000', '%Y-%m-%dT%H:%M:%S.%fZ%z')
            os.utime(temporary, ns=(round(moment.timestamp() * 1000) * 10 ** 6,) * 2)
        except (ValueError, OverflowError):
            trouble('"%s": its date "%s" cannot be restored' % (label, date))
        os.rename(temporary, path)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    return True

def recover_message(out, place, message, copies):
    """Writes a message to its place from the first copy that has its SHA-256; None where there is none."""
    reason = 'no readable bundle holds message ' + message
    for path, entry in copies.get(('messages', message), ()):
        try:
            source = open_entry(path, entry)
            return write_message(out, place, rebuild(source, copies) if '.recipe' in entry else chunks(source), message)
        except Exception as error:
            reason = 'taking it from bundle %s failed (%s)' % (os.path.basename(path), why(error))
    trouble('"%s" was not recovered: %s' % (place[0], reason))

def main(given, out):
    os.umask(0o077)
    # At a target the snapshots of each archive lie in a folder of its own, and the bundles of all beside these.
    archive, *others = sorted(pathlib.Path(given).glob('archives/' + '[0-9a-f]' * 32)) or [pathlib.Path(given)]
    if others:
        sys.exit('recover: several archives are there, give one of them:\n' + '\n'.join(map(str, [archive] + others)))
    top = archive / ('bundles' if (archive / 'bundles').is_dir() else '../../bundles')
    snapshot, bundles = read_snapshot(archive)
    copies, placements, counts = {}, {}, {True: 0, False: 0, None: 0}
    for bundle in bundles:
        try:
            path = str(top / bundle)
            with open(path, 'rb') as file:
                if sha256(chunks(file)) != bundle[-68:-4]:
                    trouble('bundle %s is damaged (its SHA-256 does not match its name), taking what can be read' % bundle)
            for entry in open_bundle(path).namelist():
                copies.setdefault((entry.split('/')[0], os.path.basename(entry)[:64]), []).append((path, entry))
            read_words(path, placements)
        except Exception as error:
            trouble('what bundle %s says about placements cannot be read: %s' % (bundle, why(error)))
    # Bundle by bundle, so that each is opened once.
    for message, place in sorted(placements.values(), key=lambda item: copies.get(('messages', item[0]), [])):
        counts[recover_message(out, place, message, copies)] += 1
    summary = 'snapshot %s: %d of %d messages recovered, %d were there already, %d not recovered'
    print(summary % (snapshot, counts[True], len(placements), counts[False], counts[None]))
    return 1 if troubles else 0

if __name__ == '__main__':
    if len(sys.argv) != 3 or os.name == 'nt':
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1], sys.argv[2]))
