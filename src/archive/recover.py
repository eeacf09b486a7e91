"""Gets all mail out of a mailseal archive with nothing but Python 3.7 or newer.

    python3 recover.py ARCHIVE OUT

Writes OUT/<account>/<folder>/{cur,new}/<file name> (a Maildir for each folder) as the newest readable snapshot saw it.
Every message is checked against its SHA-256. Existing files are never changed; the archive is only read.
Exit status: 0 everything was recovered, 1 something was not (see the messages), 2 the call is wrong.
"""

import binascii, datetime, errno, gzip, hashlib, json, os, re, shutil, sys, tempfile, zipfile, zlib

DAMAGE = (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
BAD_JSON = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
LETTERS = (('draft', 'D'), ('flagged', 'F'), ('passed', 'P'), ('answered', 'R'), ('seen', 'S'), ('deleted', 'T'))
EPOCH = datetime.datetime(1970, 1, 1)
troubles = 0


def trouble(text):
    global troubles
    troubles += 1
    print('recover: ' + text, file=sys.stderr)


def show(*names):
    """Names come from whoever sent or stored the mail: no control characters reach the terminal."""
    return '"%s"' % ascii('/'.join(names))[1:-1]


def stop_when_full(error):
    if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        sys.exit('recover: stopped, cannot write: %s; make room and run it again' % error)


def sha256(source):
    digest = hashlib.sha256()
    for piece in iter(lambda: source.read(1 << 20), b''):
        digest.update(piece)
    return digest.hexdigest()


def read_snapshot(archive):
    """The newest snapshot whose name carries the start of its own SHA-256."""
    found = []
    for folder, _, names in os.walk(os.path.join(archive, 'snapshots')):
        found += [(name, os.path.join(folder, name)) for name in names if re.match(r'\d{8}T\d{6}Z-[0-9a-f]{8}\.json$', name)]
    for name, path in sorted(found, reverse=True):
        try:
            with open(path, 'rb') as file:
                data = file.read()
            if hashlib.sha256(data).hexdigest()[:8] != name[17:25]:
                raise ValueError('its SHA-256 does not match its name')
            snapshot = json.loads(data.decode('utf-8'))
            if snapshot['format'] != 1:
                raise ValueError('it has format %r, this program knows format 1' % snapshot['format'])
            bundles = ['%s/%.2s/%s.zip' % (bundle['kind'], bundle['id'], bundle['id']) for bundle in snapshot['bundles']]
            if not all(re.fullmatch('(sealed|volatile)/[0-9a-f]{2}/[0-9a-f]{64}.zip', bundle) for bundle in bundles):
                raise ValueError('it names what is no bundle')
            return name[:-5], bundles
        except (OSError,) + BAD_JSON as error:
            trouble('snapshot %s cannot be used (%s), trying the one before it' % (name[:-5], error))
    sys.exit('recover: no usable snapshot in %s, nothing was recovered' % show(archive))


def read_words(bundle, placements):
    """Applies the words of one bundle: what a later bundle says of a placement replaces what an earlier one said."""
    with zipfile.ZipFile(bundle) as archive, archive.open('manifest.ndjson.gz') as raw, gzip.GzipFile(fileobj=raw) as lines:
        for number, line in enumerate(lines, 1):
            try:
                word = json.loads(line.decode('utf-8'))
                if word['type'] not in ('placed', 'removed'):
                    continue
                place = (word['account'], word['folder'], word['key'])
                if not all(isinstance(part, str) for part in place):
                    raise ValueError('a name is not text')
                if word['type'] == 'removed':
                    placements.pop(place, None)
                    continue
                info = ':2,' + ''.join(letter for flag, letter in LETTERS if flag in word.get('flags', ()))
                name = word['key'] + word.get('info', '' if 'dir' in word else info)
                placements[place] = (str(word['message']), word.get('dir', 'cur'), name, str(word.get('date', '')))
            except BAD_JSON as error:
                trouble('line %d of the manifest of bundle %s cannot be read (%s)' % (number, os.path.basename(bundle)[:-4], error))


def path_of(out, account, folder, box, name):
    """A path below OUT as bytes; a byte that is not UTF-8 stands in a name as "/" and two hex digits."""
    levels = [level.encode('utf-8') for level in [account] + folder.split('/')]
    file = b''
    for position, part in enumerate(name.split('/')):
        if position > 0 and not re.match('[89a-f][0-9a-f]', part):
            raise ValueError('it is not a file name')
        file += binascii.unhexlify(part[:2]) + part[2:].encode('utf-8') if position > 0 else part.encode('utf-8')
    for level in levels + [file]:
        if level in (b'', b'.', b'..') or re.search(rb'[/\0]' if os.name != 'nt' else rb'[/\0\\]|^.:', level):
            raise ValueError('it would lie outside the output folder')
    if box not in ('cur', 'new'):
        raise ValueError('it lies neither in cur nor in new')
    file = file.replace(b':', b';') if os.name == 'nt' else file
    return os.path.join(os.fsencode(out), *levels, box.encode(), file)


def write_placement(path, spool, message, date):
    """True where the file was written, False where the same message is there already."""
    if os.path.lexists(path):
        with open(path, 'rb') as file:
            if sha256(file) == message:
                return False
        raise FileExistsError(errno.EEXIST, 'another file of this name is there, it was left alone')
    folder = os.path.dirname(os.path.dirname(path))
    for box in (b'cur', b'new', b'tmp'):
        os.makedirs(os.path.join(folder, box), exist_ok=True)
    temporary = os.path.join(folder, b'tmp', b'recover-%d' % os.getpid())
    try:
        spool.seek(0)
        with open(temporary, 'wb') as file:
            shutil.copyfileobj(spool, file, 1 << 20)
        try:
            age = datetime.datetime.strptime(date, '%Y-%m-%dT%H:%M:%S.%fZ') - EPOCH
            time = age // datetime.timedelta(microseconds=1) * 1000
            os.utime(temporary, ns=(time, time))
        except (ValueError, OverflowError):
            trouble('%s: its date %s cannot be restored' % (show(os.fsdecode(path)), show(date)))
        os.rename(temporary, path)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    return True


def read_messages(bundle, out, wanted, reasons, counts):
    """Writes every message of one bundle that is still wanted, to all its places."""
    with zipfile.ZipFile(bundle) as archive:
        for entry in archive.infolist():
            match = re.match(r'messages/[0-9a-f]{2}/([0-9a-f]{64})\.(eml|recipe)(\.gz)?$', entry.filename)
            if not match or match.group(1) not in wanted:
                continue
            message, form, compressed = match.groups()
            if form == 'recipe':
                reasons[message] = 'it is stored as a recipe with its attachments apart, which needs a newer recover.py'
                continue
            with tempfile.SpooledTemporaryFile(max_size=1 << 24, dir=out) as spool:
                try:
                    with archive.open(entry) as raw:
                        shutil.copyfileobj(gzip.GzipFile(fileobj=raw) if compressed else raw, spool, 1 << 20)
                except DAMAGE as error:
                    stop_when_full(error)
                    reasons[message] = 'its entry in bundle %s is damaged (%s)' % (os.path.basename(bundle), error)
                    continue
                spool.seek(0)
                if sha256(spool) != message:
                    reasons[message] = 'its bytes in bundle %s do not match its SHA-256' % os.path.basename(bundle)
                    continue
                for account, folder, box, name, date in wanted.pop(message):
                    try:
                        counts[write_placement(path_of(out, account, folder, box, name), spool, message, date)] += 1
                    except (OSError, ValueError) as error:
                        stop_when_full(error)
                        trouble('%s was not written: %s' % (show(account, folder, name), error))


def main(archive, out):
    os.umask(0o077)
    name, bundles = read_snapshot(archive)
    paths, placements = [], {}
    for bundle in bundles:
        path = os.path.join(archive, 'bundles', bundle)
        try:
            with open(path, 'rb') as file:
                if sha256(file) != bundle[-68:-4]:
                    trouble('bundle %s is damaged (its SHA-256 does not match its name), taking what can be read' % bundle)
            paths.append(path)
            read_words(path, placements)
        except DAMAGE as error:
            trouble('what bundle %s says about placements cannot be read: %s' % (bundle, error))
    wanted, reasons, counts, total = {}, {}, [0, 0], len(placements)
    while placements:
        (account, folder, _), (message, box, name_on_disk, date) = placements.popitem()
        wanted.setdefault(message, []).append((account, folder, box, name_on_disk, date))
    os.makedirs(out, exist_ok=True)
    for path in paths:
        try:
            read_messages(path, out, wanted, reasons, counts)
        except DAMAGE as error:
            trouble('bundle %s cannot be read to its end: %s' % (os.path.basename(path), error))
    for message, places in sorted(wanted.items()):
        reason = reasons.get(message, 'no readable bundle holds message ' + message)
        for account, folder, _, name_on_disk, _ in places:
            trouble('%s was not recovered: %s' % (show(account, folder, name_on_disk), reason))
    summary = 'snapshot %s: %d of %d messages recovered, %d were there already, %d not recovered'
    print(summary % (name, counts[True], total, counts[False], total - sum(counts)))
    return 1 if troubles else 0


if __name__ == '__main__':
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1], sys.argv[2]))
