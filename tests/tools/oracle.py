#!/usr/bin/env python3
"""oracle.py LATCH_LOCAL TEST - the same process on latch-local and on AWS's emulator (tests/emulator/rie.py): what it is answered, status by
status and error by error, and what its callers get. one_at_a_time is the emulator's first mode, several_at_once its second."""
import json, os, pathlib, shutil, subprocess, sys, tempfile, textwrap, time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "emulator"))
from rie import Emulator

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = "Resources: {test_function: {Type: 'AWS::Serverless::Function', Properties: {Handler: h, Timeout: 3}}}\n"

HEAD = """
    FILE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "told")
    def tell(label, answer):
        status, _, body = answer
        try: kind = json.loads(body).get("errorType", "")
        except (ValueError, AttributeError): kind = ""
        with open(FILE, "a") as f: f.write(json.dumps([label, status, kind]) + "\\n")
    def post(c, id, body=b"1", what="response", headers=()):
        return c.ask("POST", f"{RUNTIME}invocation/{id}/{what}", headers, body)
    SIDEWAYS = {"Lambda-Runtime-Function-Response-Mode": "sideways"}
"""

ONE = HEAD + """
    c = Client()
    first = not os.path.exists(FILE)
    if first:
        for name, body in (("", b'{"events":[]}'), ("a", b'{"events":["SHUTDOWN"]}'), ("a", b'{"events":["X"]}'), ("a", b"xx")):
            tell(f"register {name} {body}", c.ask("POST", EXTENSION + "register", {"Lambda-Extension-Name": name} if name else {}, body))
        for id in ("", "short", "11111111-1111-1111-1111-111111111111"):
            tell(f"event/next {id}", c.ask("GET", EXTENSION + "event/next", {"Lambda-Extension-Identifier": id} if id else {}))
        tell("restore/next", c.ask("GET", RUNTIME + "restore/next"))
        tell("restore/error", c.ask("POST", RUNTIME + "restore/error", {}, b"{}"))
        tell("credentials", c.ask("GET", "/2021-04-23/credentials"))
        tell("no path", c.ask("GET", RUNTIME + "nowhere"))
        tell("wrong method", c.ask("GET", RUNTIME + "init/error"))
        tell("too early", post(c, "x"))
    while True:
        id, _, event = c.next()
        if b"rules" in event:
            tell("register late", c.ask("POST", EXTENSION + "register", {"Lambda-Extension-Name": "late"}, b'{"events":[]}'))
            again = c.ask("GET", RUNTIME + "invocation/next")
            tell(f"early next, the same: {again[1]['lambda-runtime-aws-request-id'] == id and again[2] == event}", again)
            tell("init/error", c.ask("POST", RUNTIME + "init/error", {}, b"{}"))
            tell("unknown id", post(c, "11111111-1111-1111-1111-111111111111"))
            tell("unknown id's error", post(c, "11111111-1111-1111-1111-111111111111", b"{}", "error"))
            tell("answer", post(c, id, b'"fine"'))
            tell("another", post(c, id))
            tell("an error after it", post(c, id, b"{}", "error"))
        elif b"large" in event:
            tell("one byte too many", post(c, id, b"x" * 6291557))
            tell("an error after it", post(c, id, b"{}", "error"))
        elif b"full" in event:
            tell("as many as may be", post(c, id, b'"' + b"x" * 6291554 + b'"'))
        elif b"mode" in event:
            tell("no such mode", post(c, id, headers=SIDEWAYS))
            tell("answer after it", post(c, id))
            tell("error after it", post(c, id, b"{}", "error"))
            tell("next after it", c.ask("GET", RUNTIME + "invocation/next"))
            time.sleep(60)
        else:
            tell("answer", post(c, id, b'"last"'))
"""

SEVERAL = HEAD + """
    @each_event
    def work(c, id, fields, event):
        own = {"Lambda-Runtime-Invocation-Id": fields["lambda-runtime-invocation-id"]}
        if b"rules" in event:
            tell("another's invocation id", post(c, id, headers={"Lambda-Runtime-Invocation-Id": "11111111-1111-1111-1111-111111111111"}))
            tell("unknown id", post(c, "11111111-1111-1111-1111-111111111111", headers=own))
            tell("answer", post(c, id, b'"fine"', headers=own))
            tell("another", post(c, id, headers=own))
            tell("an error after it", post(c, id, b"{}", "error", headers=own))
        elif b"without" in event:
            tell("without an invocation id", post(c, id, b'"without"'))
        elif b"mode" in event:
            tell("no such mode", post(c, id, headers={**own, **SIDEWAYS}))
            tell("answer after it", post(c, id, headers=own))
        elif b"large" in event:
            tell("one byte too many", post(c, id, b"x" * 6291557, headers=own))
            tell("an error after it", post(c, id, b"{}", "error", headers=own))
        elif b"late" in event:
            time.sleep(3.5)
            tell("late", post(c, id, headers=own))
        elif b"trailers" in event:
            c.begin_stream(id, {**own, "Content-Type": "text/plain"})
            c.chunk(b"abc")
            tell("trailers", (c.end_stream(error_trailers("Function.Oops", {"errorType": "Oops", "errorMessage": "m"})), {}, b""))
        elif b"pause" in event:
            time.sleep(1.5)
            tell("answer", post(c, id, b'"rested"', headers=own))
        else:
            time.sleep(0.5) # until what others were answered is told
            post(c, id, b'"last"', headers=own) # and what would be told of it, nobody waits for
"""


def write_bootstrap(folder, script):
    shutil.copy(HERE / "fake_runtime.py", folder)
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable # the emulator starts it as another user
    (folder / "bootstrap").write_text(f"#!{python}\nimport os, sys\nsys.dont_write_bytecode = True\n"
                                      "sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))\nfrom fake_runtime import *\n" + textwrap.dedent(script))
    folder.chmod(0o777)
    (folder / "bootstrap").chmod(0o755)


def told(folder):
    return [tuple(json.loads(line)) for line in (folder / "told").read_text().splitlines()]


def on_latch_local(folder, script, events, *options):
    write_bootstrap(folder, script)
    (folder / "template.yaml").write_text(TEMPLATE)
    for n, event in enumerate(events): (folder / f"h-{n}.json").write_text(json.dumps(event))
    words = [LATCH_LOCAL, "invoke", "--json", *options, *(f"h-{n}.json" for n in range(len(events))), "--", "./bootstrap"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    rows = [row for row in map(json.loads, done.stdout.splitlines()) if "outcome" in row]
    return told(folder), [row["answer"] if row["outcome"] == "answered" else row["error"] for row in rows], done.stderr


def on_emulator(folder, script, events, managed):
    write_bootstrap(folder, script)
    with Emulator([folder / "bootstrap"], "h", at_once=2 if managed else 1, timeout_s=3) as emulator:
        answers = [emulator.invoke(event)[1].decode() for event in events]
        time.sleep(0.8 if managed else 0) # what is late, or posted after the answer, is told after it
        log = emulator.said()
    return told(folder), answers, log


def compare(script, events, managed, *options):
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as root:
        folders = [pathlib.Path(root) / name for name in ("ours", "aws")]
        os.chmod(root, 0o755)
        for folder in folders: folder.mkdir()
        ours, our_answers, our_log = on_latch_local(folders[0], script, events, *options)
        aws, aws_answers, aws_log = on_emulator(folders[1], script, events, managed)
    print("\n".join(map(str, aws)), aws_log, sep="\n")
    assert len(ours) == len(aws) >= 9, (ours, aws, our_log[-2000:])
    for mine, theirs in zip(sorted(ours), sorted(aws)):
        assert mine[:2] == theirs[:2] and (mine[2] == theirs[2] or not theirs[2]), (mine, theirs) # a 404 of the emulator's is no JSON
    return our_answers, aws_answers


def as_text(answer):
    return answer if len(answer) < 1000 else f"{len(answer)} bytes"


def test_one_at_a_time():
    events = [{"do": "rules"}, {"do": "full"}, {"do": "mode"}, {"do": "last"}, {"do": "large"}]
    ours, aws = compare(ONE, events, False)
    for event, mine, theirs in zip(events[:4], ours, aws):
        if event["do"] == "mode":
            assert "Task timed out after 3.00 seconds" in mine and theirs == "Task timed out after 3.00 seconds", (mine, theirs)
        else:
            assert mine == theirs, (event, as_text(mine), as_text(theirs))
    assert "6291556" in ours[4] and "6291556" in aws[4], (ours[4], aws[4])


def test_several_at_once():
    events = [{"do": word} for word in ("rules", "without", "mode", "trailers", "large", "late", "pause", "pause", "last")]
    ours, aws = compare(SEVERAL, events, True, "--concurrency", "2")
    by_event = sorted(zip(aws, events), key=lambda pair: pair[1]["do"])
    assert len(ours) == len(aws)
    for theirs, event in by_event:
        if event["do"] != "large": assert theirs in ours, (event, theirs, ours)


if __name__ == "__main__":
    LATCH_LOCAL = str(pathlib.Path(sys.argv[1]).resolve())
    globals()[f"test_{sys.argv[2]}"]()
