import RECOVER_SCRIPT from './recover.py';

export { RECOVER_SCRIPT };

/** README.txt of every archive and every target: how to get the mail back without mailseal. */
export const README_TEXT = `THIS FOLDER IS A MAIL ARCHIVE, OR A COPY OF ONE

It was made by a program called mailseal and holds the mail of one or more mailboxes. You need no mailseal to get the
mail back: everything in here is ordinary zip, gzip and JSON.
(Do file names end in ".age"? Then read "ENCRYPTED FILES" first.)


THE SHORT WAY

    python3 recover.py ARCHIVE OUT

ARCHIVE is this folder, OUT a new one. It needs Python 3.7 or newer and nothing else. It writes each mailbox folder
as a Maildir, OUT/<account>/<folder>/cur/ and new/, one file for each message, which most mail programs and servers can
import. Every message is checked. The archive itself is only read. If recover.py complains, read on: what it could not
get may still be got by hand.


WHAT LIES HERE

    mailseal.json              format version and id of the archive
    bundles/sealed/ab/*.zip    bundles of mail that had been quiet for a while, and bundles of attachments of such mail
    bundles/volatile/ab/*.zip  bundles of recent mail, and news about older mail (moved, marked, deleted)
    snapshots/<year>/*.json    which bundles, in which order, are the mail store as it was at one moment
    catalog.sqlite             an index, for speed only; it may be deleted
    recover.py                 the program above
    targets/*.json             where copies are; "dropped" lists bundles that lie there and no more here
    cache/                     what was read from such places; it may be deleted

A copy that was shipped elsewhere (a target) may be of several archives. The bundles of all lie together:

    mailseal-target.json       format version, and whether files are encrypted ("age") or not ("none")
    bundles/                   as above
    archives/<id>/             of each archive: mailseal.json and snapshots/, as above

There, "python3 recover.py archives/ID OUT" takes one of several archives.

A bundle is a zip file without compression of its own; "unzip" and every file manager open it. In it lie

    messages/ab/<id>.eml       one message, exactly as it was; ".eml.gz" is the same compressed: use gunzip
    messages/ab/<id>.recipe    a message whose large parts lie apart: one line of JSON that says how to put it
                               together, then the rest of its bytes; ".recipe.gz" is the same compressed
    attachments/ab/<id>        such a part, most often an attached file: the PDF or picture itself, see below;
                               ".gz" is the same compressed
    manifest.ndjson.gz         what the bundle says: gunzip it and read it with any text program, one JSON object a line

"ab" stands for the first two letters of the id.


IDS ARE SHA-256

The id of a message is the SHA-256 of its bytes after gunzip (of a recipe: of the message that it makes), the id of an
attachment that of its bytes after gunzip; the id of a bundle is the SHA-256 of the whole zip file.
So you can always tell whether something is whole:

    sha256sum bundles/sealed/ab/*.zip                     prints the name of each file again, if it is whole
    unzip -p BUNDLE messages/ab/ID.eml.gz | gunzip | sha256sum     prints ID

The eight letters at the end of a snapshot's name are the first eight of the SHA-256 of that file. Each snapshot also
names the one before it (its "parent") with its whole SHA-256, so a changed snapshot shows.


WHERE A MESSAGE WAS: THE NEWEST WORD WINS

Lines of type "placed" in the manifests say that a message was in a folder of an account, under a key (its file name
there), with its flags and its date. Lines of type "removed" say that it is no longer there. To know a moment, take its
snapshot, go through the bundles it names from first to last, and believe what the last one says about each account,
folder and key. Other lines: "message" (what a message in this bundle is: sender, subject, ...), "folder", "account",
and "control" (small files beside the mail, such as subscriptions and filters; their content is base64). A byte of a
key that is not UTF-8 is written as a slash and two hex digits.


MESSAGES WITH ATTACHMENTS

Every large part of a message is stored as an attachment: files, and long texts too. Files are mostly sent as base64;
such a part is stored decoded, so what you unzip is the PDF or picture itself. A part that was sent in another way
(quoted-printable, 8bit, uuencode, or base64 with something odd in it) is stored as it was sent, and a mail program or
a tool for that way has to decode it.

An attachment that many messages share is stored once, in whichever bundle of the snapshot; most lie in sealed bundles
that hold nothing else. The first line of a recipe lists the pieces of the message in order. {"literal":N} is the next N
bytes behind that line. {"attachment":ID,"size":N} is the attachment's bytes as they are. With "base64" it is their
base64 text, cut into lines: [720,76,"\\r\\n"] means 720 lines of 76 characters with CR LF behind each; what is left is
the last line, without an end. "last", where it is there, replaces the last four characters of the text. recover.py does
all this. To get an attachment alone you need no recipe: look its name up in a manifest, and unzip its id.


ENCRYPTED FILES

A target may hold age files (https://age-encryption.org); Linux distributions have the program "age". Its secret key,
AGE-SECRET-KEY-1..., was never on the host with the mail, so look for it elsewhere. The names are

    <id of the bundle>.<SHA-256 of the file as it lies here>.zip.age
    <name of the snapshot>.<SHA-256 of the file as it lies here>.json.age

so "sha256sum" tells without a key whether a file is whole. To decrypt everything into a new folder PLAIN, with the
secret key in the file KEYS (write both with their full paths), run this where mailseal-target.json is:

    mkdir PLAIN
    find archives bundles -name '*.age' | while read -r file; do
        name=\${file%.age}
        plain=PLAIN/\${name%.*.*}.\${name##*.}
        hash=\${plain##*[/-]}
        mkdir -p "\${plain%/*}"
        age -d -i KEYS -o PLAIN/new "$file" && sha256sum <PLAIN/new | grep -q "^\${hash%.*}" &&
            mv -f PLAIN/new "$plain" || echo "NOT USABLE: $file"
    done

Then "python3 recover.py PLAIN OUT", or PLAIN/archives/ID where there are several. Whoever could write to the target
could put any file there: the loop takes only what has the SHA-256 that its name tells.


IF THINGS ARE BROKEN

- A bundle is not here: if a file in targets/ lists it as "dropped", it lies at the target that this file names.
- A bundle is damaged: look for a copy of the same name in a backup; its SHA-256 tells whether that copy is good.
- A bundle with attachments is gone: the text of the messages that need them is still in their .recipe entries, which
  mostly lie in other bundles. Unzip these entries, gunzip those that end in ".gz", and read them with any text
  program. Long texts, many of them HTML, lay apart too and are missing. What looks like random letters is base64:
  "base64 -d" makes it plain.
- A bundle's manifest is damaged: the messages in it are still there, unzip them; only their folders are unknown.
- A zip will not open: "zip -FF BUNDLE --out FIXED.zip" finds the entries again; they are not compressed by the zip.
- A snapshot is damaged or gone: take the one before it; later mail is in the bundles that only the lost one named.
`;
