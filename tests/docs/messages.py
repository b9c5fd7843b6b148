#!/usr/bin/env python3
"""messages.py [list|twin] - each message that somebody may meet has an entry in docs/errors, and each entry a message in the sources.

A message is a text in the sources, its values written as "…"; "list" prints them all. An entry of docs/errors names it in backticks, as an item
of the list below its heading or as the first cell of a table's row; there "…" is any text, so that messages that differ in a name have one entry.
What a message is made of (after a ':', or behind it) may have an entry of its own, or be named inside of another. A heading is an anchor: it is
there once, of small letters, digits and '-', in whichever page. The statuses of the first page are as core/err.c and runtime/http_event.c say.
"""
import collections, functools, pathlib, re, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ["core", "store", "runtime", "compose", "kit", "latch.c", "tools/latch", "tools/common", "tools/latch-local"]
WORDS = re.compile(r"[a-z]{2}.* |\s.*[a-z]{2}", re.S)

# Whose texts are no messages: records below WARN, results, requests, and what is only compared with or asked at compile time.
NOT_CALLS = set("""latch_info latch_ctx_text latch_dynamodb_query latch_dynamodb_update latch_dynamodb_delete latch_saga_remove latch_api_post
  latch_span_begin_kind latch_client_check_open latch_table_check_span latch_keys_check check_text check_part take_local parse says strstr answer
  latch_refuse CLAIM COMPLETE MARK _Static_assert error""".split())
# The tools print results with everything but these; latch doctor's lines say what is wrong and what to do themselves.
TOOL_CALLS = set("latch_err_set latch_command_complain latch_subject_arguments misuse refuse".split())
LOCAL_CALLS = set("""latch_err_set latch_api_refuse latch_invocation_fail complain drop_waiting on_complaint why note say refuse snprintf
  latch_format""".split())
# Expressions; requests and JSON that are made.
NOT_TEXTS = re.compile(r"^[^\"]*#\w+[ ,)\[]?[^\"]*:\w|^[^\"]*(\(#|#\w+ =|, #\w+|attribute_)|\\r|^[{,]\"|: ?Function\.$|^\S+: (application|streaming)|Credential=|Signature")
# What else isn't told to anybody, by file; each of these is there.
NOT_MESSAGES = [
    ("core/http.c", r"X-Amzn-Trace-Id: …|traceparent: …|libcurl's bundle"),
    ("core/json_read.c", r"a whole number.*|a number.*|true or false|an object or a list|text of"),  # what a field is wanted to be
    ("core/redact.c", r".* key|connection string"),
    ("core/span.c", r", for"),
    ("kit/kit.c", r"latch_test: …"),
    ("runtime/api_stream.c", r"to its client"),
    ("runtime/crash.c", r"a signal|at address|in the handler|in the init of the handler"),
    ("runtime/http_event.c", r"[A-Z]\w+ [A-Z].*|See Other|No Content|(bad request|not found|not now|this is being done|this was (un)?done|too many requests"
                             r"|this key was used with another request)"),  # reasons; what the table of the statuses has
    ("runtime/watchdog.c", r"the handler|waits for"),
    ("store/client.c", r"… after …"),
    ("store/counter.c", r"pcounter's sort key"),
    ("store/dynamodb/connection.c", r"Amazon's roots, .*|libcurl's own bundle|shaking hands with|connecting to|sending to|reading .*|waiting .*"),
    ("store/dynamodb/container.c", r"container credentials"),
    ("store/dynamodb/settings.c", r"the option (region|endpoint)|an option"),
    ("store/dynamodb/endpoint.c", r"the region's partition"),
    ("store/dynamodb/sigv4.c", r"/aws4_request, SignedHeaders="),
    ("store/adaptive.c", r".moderate, which is below .high,|the priority"),
    ("store/layouts.c", r"the stores' own|npm .*|AWS Lambda Powertools.*|amazon-dynamodb-lock-client.*|@paradoxical-io.*|the same: .*"),
    ("store/lock_paradoxical.c", r"another library"),
    ("store/pages.c", r"tarting key|Start Key|Type mismatch for attribute"),  # DynamoDB's
    ("store/pkv.c", r"pkv's sort key"),
    ("store/saga.c", r"of (correlation )?id|saga …: …"),
    ("store/table.c", r"the key"),
    ("store/tables.c", r"of table"),
    ("store/transact.c", r"action …:|…: action …"),
    ("store/wait.c", r"for another's end"),
    ("tools/latch/item.c", r"table …"),
    ("tools/latch-local/serve.c", r"[A-Z]\w+ [A-Z].*|Not Found"),  # reasons
    ("tools/latch-local/sandbox.c", r"restored for the first invocation|the snapshot is taken, .*|extension … is registered: .*|process … is stopped at .*"),
    ("tools/latch-local/main.c", r": did you mean|unknown …"),
    ("tools/latch-local/expect.c", r"an (answer|error): …|… \(no JSON\)"),
    ("tools/latch-local/match.c", r"… \(… bytes\)"),
    ("store/embedded/", r"(?!.*(embedded store|arena)).*"),  # DynamoDB's own words: their exceptions have entries, they may
]

# ── the sources ──────────────────────────────────────────────────────────────────────────────────────────────────────

TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[A-Za-z_]\w*|\s+|.", re.S)
VALUE = re.compile(r"%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t)?[diouxXeEfgGcsp]|%(?=…)")
NAMES = [  # of errors: a status's own, types that are ours, DynamoDB's as they are judged, the embedded store's
    ("core/err.c", re.compile(r"return \"(\w+)\";")),
    ("runtime/", re.compile(r"type, \"([A-Za-z.]+)\"\)|latch_ending_begin\(\w+, \"(\w+)\"")),
    ("kit/", re.compile(r"type, \"([A-Za-z.]+)\"\)")),
    ("store/client.c", re.compile(r"type, \"([A-Za-z.]+)\"\)")),
    ("store/errors.c", re.compile(r"\{\"(\w+)\", [A-Z]+\}")),
    ("store/embedded/", re.compile(r"\"(\w+Exception)\"")),
]
Message = collections.namedtuple("Message", "text path line")


def is_name(token):
    return re.fullmatch(r"[A-Z][A-Z0-9_]*|PRI\w+", token)


def tokens(text):
    line = 1
    for found in TOKEN.finditer(text):
        token = found.group()
        if not token.isspace() and not token.startswith(("/*", "//")):
            yield token, line
        line += token.count("\n")


def as_shown(literal):
    """The literal's text, with "…" for its values; several side by side are one."""
    text = VALUE.sub("…", literal.replace("%%", "\0")).replace("\0", "%")
    text = text.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
    return re.sub(r"…(?:\s*…)+", "…", text).strip()


def literals(text):
    """Each text of a C file as (the function that it is given to, itself, its line); neighbours and the macros among them are one text."""
    found, callers, at = list(tokens(text)), [], 0
    while at < len(found):
        token, line = found[at]
        if token in "([{":
            before = found[at - 1][0] if at else ""
            callers.append(before if token == "(" and re.match(r"[A-Za-z_]", before) else "")
        elif token in ")]}":
            if callers:
                callers.pop()
        elif token[0] == '"' or (is_name(token) and found[at - 1][0] != "define"):
            parts = []
            while at < len(found) and (found[at][0][0] == '"' or is_name(found[at][0])):
                parts.append(found[at][0])
                at += 1
            if any(part[0] == '"' for part in parts):
                yield ([c for c in callers if c] or [""])[-1], as_shown("".join(p[1:-1] if p[0] == '"' else "…" for p in parts)), line
            continue
        at += 1


def sources(root):
    listed = subprocess.run(["git", "ls-files", "-z", "--", *ROOMS], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    names = [name for name in listed.split("\0") if name.endswith((".c", ".h")) and (root / name).is_file()]
    return [name for name in names if not re.search(r"tools/latch.*/(help|format)", name)]


def is_message(path, caller, text, met):
    if caller in NOT_CALLS or not WORDS.search(text) or NOT_TEXTS.search(text):
        return False
    if path.startswith("tools/") and caller not in (LOCAL_CALLS if "/latch-local/" in path else TOOL_CALLS):
        return False
    for i, (where, pattern) in enumerate(NOT_MESSAGES):
        if path.startswith(where) and re.fullmatch(pattern, text, re.S):
            met.add(i)
            return False
    return True


def read_sources(root):
    """All messages, all names (of an error's type, of DynamoDB's exceptions), and what the embedded store says in DynamoDB's words."""
    messages, names, dynamodbs, met = {}, {}, set(), set()
    for path in sources(root):
        text = (root / path).read_text(encoding="utf-8")
        for caller, literal, line in literals(text):
            if is_message(path, caller, literal, met):
                messages.setdefault(literal, Message(literal, path, line))
            elif path.startswith("store/embedded/"):
                dynamodbs.add(literal)
        for found in (found for where, pattern in NAMES if path.startswith(where) for found in pattern.finditer(text)):
            name = next(group for group in found.groups() if group)
            names.setdefault(name, Message(name, path, text.count("\n", 0, found.start()) + 1))
    stale = [NOT_MESSAGES[i] for i in range(len(NOT_MESSAGES)) if i not in met]
    if stale:
        raise SystemExit(f"messages.py excepts what isn't there: {stale}")
    return messages, names, dynamodbs


# ── the pages ────────────────────────────────────────────────────────────────────────────────────────────────────────

Entry = collections.namedtuple("Entry", "text page line anchor")
SHOWN = re.compile(r"^(?:- |\| )(?:<a[^>]*></a>)?(`` .+? ``|`[^`]+`)(?: \||$)")


def read_pages(root):
    entries, anchors, seen, wrong = [], {}, {}, []
    for page in sorted((root / "docs/errors").glob("*.md")):
        anchor, name = "", page.relative_to(root)
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("### "):
                anchor = line[4:]
                if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", anchor) or anchor in anchors:
                    wrong.append(f"{name}:{number}: {anchor} is no anchor, or there is another: {anchors.get(anchor)}")
                anchors[anchor] = f"{name}:{number}"
            elif line.startswith("#"):
                anchor = line.lstrip("# ")
            shown = SHOWN.match(line)
            if shown and anchor:
                text = shown.group(1).strip("`").strip()
                if text in seen:
                    wrong.append(f"{name}:{number}: has an entry already, {seen[text]}: {text}")
                seen[text] = f"{name}:{number}"
                entries.append(Entry(text, str(name), number, anchor))
    return entries, wrong


def check_statuses(root):
    """The table of the statuses: each one's name, and what it becomes for an HTTP client."""
    page = (root / "docs/errors/README.md").read_text(encoding="utf-8")
    names = dict(re.findall(r"case (LATCH_\w+):\n +return \"(\w+)\";", (root / "core/err.c").read_text(encoding="utf-8")))
    http = dict(re.findall(r"\{(LATCH_\w+), (\d+), \"", (root / "runtime/http_event.c").read_text(encoding="utf-8")))
    rows = {row[1]: row for row in re.findall(r"^\| `(\w+)` \| `(LATCH_\w+)` \|.*\| ([^|]*) \| [^|]* \|$", page, re.M)}
    wrong = []
    for status, name in names.items():
        row = rows.get(status, ("", status, "none"))
        shown = (row[0], *re.findall(r"\d{3}", row[2]))
        if shown != (name, *([http[status]] if status in http else [])):
            wrong.append(f"docs/errors/README.md: {status} is {name}, HTTP {http.get(status, 'none')}; shown is {shown}")
    return wrong


# ── both ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

def letters(text):
    return len(re.sub(r"[^A-Za-z]", "", text))


@functools.lru_cache(maxsize=None)
def pattern_of(text):
    return re.compile("(.*)".join(re.escape(part) for part in text.split("…")), re.S)


class Matcher:
    def __init__(self, entries):
        self.entries = [(entry, pattern_of(entry.text)) for entry in entries if letters(entry.text) >= 8]
        self.exact = {entry.text: entry for entry in entries}

    def of(self, message):
        """The entry that is about it: its own words, else those that most of it has, else where it is the beginning, the end or the frame."""
        if message in self.exact:
            return self.exact[message]
        fits = [entry for entry, pattern in self.entries if pattern.fullmatch(message)]
        if not fits and letters(message) >= 8:
            fits = [entry for entry, _ in self.entries if is_part(message, entry.text)]
        return max(fits, key=lambda entry: letters(entry.text), default=None)


@functools.lru_cache(maxsize=None)
def is_part(message, entry):
    core = entry.strip("… ")
    return core.startswith(message) or core.endswith(message) or pattern_of(message).fullmatch(entry) is not None


def compare(root):
    messages, names, dynamodbs = read_sources(root)
    entries, wrong = read_pages(root)
    wrong += check_statuses(root)
    matcher, met = Matcher(entries), set()
    for message in messages.values():
        entry = matcher.of(message.text)
        met.add(entry)
        if entry is None:
            wrong.append(f"{message.path}:{message.line}: no entry in docs/errors: {message.text}")
    for name in names.values():
        met.add(matcher.exact.get(name.text))
        if name.text not in matcher.exact:
            wrong.append(f"{name.path}:{name.line}: no entry in docs/errors: {name.text}")
    for entry in entries:
        if entry not in met and entry.text not in dynamodbs and not any(letters(text) >= 8 and is_part(text, entry.text) for text in messages):
            wrong.append(f"{entry.page}:{entry.line}: no such message: {entry.text}")
    return messages, names, entries, wrong


def copy_of_all(to):
    for name in [*sources(ROOT), *[str(page.relative_to(ROOT)) for page in (ROOT / "docs/errors").glob("*.md")]]:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)


def change(root, path, before, after):
    text = (root / path).read_text(encoding="utf-8")
    if before not in text:
        raise SystemExit(f"{path} has no {before}")
    (root / path).write_text(text.replace(before, after), encoding="utf-8")
    return text


TWINS = [  # a file, what is changed in it, and each report that must come of it
    ("runtime/api.c", "AWS_LAMBDA_RUNTIME_API is not set:", "AWS_LAMBDA_RUNTIME_API is missing:",
     ["no entry in docs/errors: AWS_LAMBDA_RUNTIME_API is missing", "no such message: AWS_LAMBDA_RUNTIME_API is not set"]),
    ("store/lock.c", "; a try of this release got no answer", "; nobody answered this release", ["nobody answered this release"]),
    ("store/errors.c", '"TransactionInProgressException"', '"TransactionInProcessException"',
     ["no entry in docs/errors: TransactionInProcessException", "no such message: TransactionInProgressException"]),
    ("runtime/http_event.c", "{LATCH_UNDONE, 409,", "{LATCH_UNDONE, 410,", ["LATCH_UNDONE is Undone, HTTP 410"]),
    ("docs/errors/start.md", "### handler-unknown\n", "### handler-table\n", ["handler-table is no anchor, or there is another"]),
    ("docs/errors/tools.md", "- `which command?`\n", "- `which command?`\n- `which commands?`\n- `takes one NAME`\n",
     ["no such message: which commands?", "has an entry already"]),
]


def twin():
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch)
        copy_of_all(copy)
        if compare(copy)[3]:
            raise SystemExit("the copy as it stands is wrong already")
        for path, before, after, reports in TWINS:
            text = change(copy, path, before, after)
            wrong = "\n".join(compare(copy)[3])
            (copy / path).write_text(text, encoding="utf-8")
            for report in reports:
                if report not in wrong:
                    raise SystemExit(f"{path} with \"{after.strip()}\": not reported: {report}\n{wrong}")
    messages, _, entries, _ = compare(ROOT)
    matcher, seen = Matcher(entries), 0
    for text in messages:
        longest = max(re.findall(r"[A-Za-z_]+", text), key=len)
        seen += matcher.of(text.replace(longest, longest[::-1])) is None
    print(f"{len(TWINS)} twins are found out, and {seen} of {len(messages)} messages with a word turned round")
    if seen * 100 < len(messages) * 90:
        raise SystemExit("entries fit too much")


def main():
    if "twin" in sys.argv:
        return twin()
    messages, names, entries, wrong = compare(ROOT)
    if "list" in sys.argv:
        print("\n".join(f"{m.path}:{m.line}: {m.text}" for m in [*messages.values(), *names.values()]))
        return None
    print(f"{len(messages)} messages and {len(names)} names, {len(entries)} of them as docs/errors shows them")
    if wrong:
        raise SystemExit("\n".join(wrong))
    return None


main()
