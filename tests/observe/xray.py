#!/usr/bin/env python3
"""xray.py OBSERVED compare|twins - the same invocations told to X-Ray by Latch and by AWS's own SDK, document by document.

OBSERVED: observed.c's program. Both do what a row's steps say on one DynamoDB, a script of ours, and send to one daemon, ours too. What each sent
is put together to a tree by its parent ids, and the trees are compared member by member. What differs on purpose is in DIFFERENCES with
its reason; each of these must be seen in some row, so that the list stays true. `twins` takes members out of Latch's documents and changes them,
one at a time, and each must be found.
"""
import copy
import http.server
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from changed import each_change  # noqa: E402  pylint: disable=wrong-import-position
from service import Function  # noqa: E402  pylint: disable=wrong-import-position

PARENT = "53995c3f42cd8ad8"
REGION = "eu-central-1"
NO_WAIT_S = 10


def fails(status, name, **more):
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": "said the script", **more}


FINE, BROKEN = (200, {}), fails(500, "InternalServerError")
SLOW_DOWN, FALSE = fails(400, "ThrottlingException"), fails(400, "ConditionalCheckFailedException")
REFUSED = fails(400, "ValidationException")


def steps(text):
    """"begin get end put?" - a question mark: what it fails with is caught."""
    return [{"do": word.rstrip("?"), "caught": word.endswith("?")} for word in text.split()]


# name, steps, DynamoDB's answers (the last one again and again), how the fetched server answers
ROWS = [
    ("a cold start", "", [FINE], 200),
    ("no call", "", [FINE], 200),
    ("a get", "get?", [(200, {"Item": {"id": {"S": "1"}}})], 200),
    ("each operation", "put delete update", [FINE], 200),
    ("a step", "begin end", [FINE], 200),
    ("a call in a step", "begin put end", [FINE], 200),
    ("steps in steps", "begin put begin delete begin end end end put", [FINE], 200),
    ("a call repeated after a fault", "put", [BROKEN, FINE], 200),
    ("a call repeated when throttled", "put", [SLOW_DOWN, FINE], 200),
    ("a call that stays throttled", "put?", [SLOW_DOWN], 200),
    ("a call that stays broken", "put?", [BROKEN], 200),
    ("a condition that is false", "put-new?", [FALSE], 200),
    ("a call that is refused", "update?", [REFUSED], 200),
    ("a call that is refused, in a step", "begin update? end put", [REFUSED, FINE], 200),
    ("a refused call that fails the handler", "update", [REFUSED], 200),
    ("a fetch", "fetch", [FINE], 200),
    ("a fetch of what isn't there", "fetch", [FINE], 404),
    ("a fetch that breaks", "begin fetch end", [FINE], 503),
    ("a handler that fails", "put fail", [FINE], 200),
]

# headers by which neither sends
SILENT = [f"Root=%s;Parent={PARENT};Sampled=0", "Root=%s;Sampled=1", f"Root=%s;Parent={PARENT}", f"Parent={PARENT};Sampled=1;Lineage=%s"]


def header_of(number):
    return f"1-5759e988-{number:024x}"


# ── who answers both, and who listens to both ────────────────────────────────────────────────────────────────────────


class Script(http.server.BaseHTTPRequestHandler):
    """DynamoDB by POST, a server on the web by GET."""
    protocol_version = "HTTP/1.1"

    def reply(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("x-amzn-RequestId", "REQUEST-1")
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers["content-length"]))
        answers = self.server.answers
        self.reply(*(answers.pop(0) if len(answers) > 1 else answers[0]))

    def do_GET(self):  # pylint: disable=invalid-name
        self.reply(self.server.web_status, {})

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that has read enough may go
            super().handle_error(request, client_address)


class Daemon:
    """Its .documents of one trace: all that came before the handler's own, which is sent last."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]

    def documents(self, trace_id):
        self.socket.settimeout(NO_WAIT_S)
        found = []
        while not (found and found[-1]["name"].startswith("## ")):
            line, _, text = self.socket.recv(1 << 16).partition(b"\n")
            assert json.loads(line) == {"format": "json", "version": 1}, line
            found.append(json.loads(text))
            assert found[-1]["trace_id"] == trace_id, f"a document of another trace: {found[-1]}"
        return found


class World:
    def __init__(self, observed):
        self.daemon = Daemon()
        self.server = Server(("127.0.0.1", 0), Script)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        settings = {"AWS_XRAY_DAEMON_ADDRESS": self.daemon.address, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "peer", "AWS_SECRET_ACCESS_KEY": "peer"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "POWERTOOLS_"))}
        self.sdk = subprocess.Popen([sys.executable, os.path.join(HERE, "xray_sdk.py"), self.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True,
                                    env={**kept, **settings, "AWS_DEFAULT_REGION": REGION, "LAMBDA_TASK_ROOT": HERE, "PYTHONDONTWRITEBYTECODE": "1"})
        self.latch = Function(observed, "traced", {**settings, "LATCH_TRACE": "xray", "LATCH_STORE": "dynamodb", "LATCH_TABLE": "orders",
                                                   "AWS_ENDPOINT_URL_DYNAMODB": self.url, "DYNAMODB_MAX_RETRIES": "1"}, timeout_s=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.latch.__exit__()
        self.sdk.kill()
        self.sdk.communicate()
        self.server.shutdown()
        self.server.server_close()
        self.daemon.socket.close()

    def both(self, trace, event, answers=(FINE,), web_status=200):
        """Each does it; a generator: what Latch sent is read before the SDK begins."""
        self.server.web_status = web_status
        self.server.answers = list(answers)
        self.latch.invoke(json.dumps(event).encode(), [("Lambda-Runtime-Trace-Id", trace)])
        yield
        self.server.answers = list(answers)
        self.sdk.stdin.write(json.dumps({"trace": trace, "event": event}) + "\n")
        self.sdk.stdin.flush()
        assert self.sdk.stdout.readline() == "{}\n", "the SDK's side ended"
        yield

    def row(self, number, row):
        _, text, answers, web_status = row
        root = header_of(number)
        sides = self.both(f"Root={root};Parent={PARENT};Sampled=1", {"url": self.url + "/rates?day=today", "steps": steps(text)}, answers, web_status)
        return [self.daemon.documents(root) for _ in sides]


# ── the documents ────────────────────────────────────────────────────────────────────────────────────────────────────


def check(fine, what):
    if not fine:
        raise ValueError(what)


def hang_up(documents):
    """The tree that the documents are: each below the one that its parent_id names, and the embedded ones in it. Its root is the handler's."""
    whole = copy.deepcopy(documents)
    by_id = {document["id"]: document for document in whole}
    root = whole[-1]
    check(root.get("parent_id") == PARENT, f"the handler's parent is {root.get('parent_id')}")
    check(root.get("type") == "subsegment", "the handler's document is no subsegment")
    for document in whole[:-1]:
        check(document["type"] == "subsegment" and document["trace_id"] == root["trace_id"], "a document of another kind or trace")
        check(document["parent_id"] in by_id, "its parent is nobody")
        by_id[document["parent_id"]].setdefault("subsegments", []).append(document)
        for name in ("parent_id", "type", "trace_id"):
            del document[name]
    return root


def tell_causes(root):
    """An exception that went on through several is told by the first, and by its id alone of the others: here by all. Latch tells it twice."""
    nodes, told = [root], {}
    for node in nodes:
        nodes.extend(node.get("subsegments", []))
        if isinstance(node.get("cause"), dict):
            told.update((exception["id"], node["cause"]) for exception in node["cause"]["exceptions"])
    for node in nodes:
        if isinstance(node.get("cause"), str):
            node["cause"] = told[node["cause"]]


def is_id(text):
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{16}", text) is not None and text != "0" * 16


def check_frame(node, within, ids):
    """What all have, and what is drawn or measured: ids that are ids and no other's, and times within those of whoever it lies in."""
    check(is_id(node.get("id")) and node["id"] not in ids, "an id is none, or another's")
    ids.add(node["id"])
    check(isinstance(node.get("name"), str) and 1 <= len(node["name"]) <= 200, "a name is none")
    begin, end = node.get("start_time"), node.get("end_time")
    check(isinstance(begin, float) and isinstance(end, float) and 1e9 < begin <= end, "the times are none")
    check(within is None or (within[0] - 1e-3 <= begin and end <= within[1] + 1e-3), "it lies in another that it isn't within")
    for exception in node["cause"]["exceptions"] if isinstance(node.get("cause"), dict) else []:
        check(is_id(exception.get("id")) and exception["id"] not in ids, "an exception's id is none, or another's")
        ids.add(exception["id"])
    for inner in node.get("subsegments", []):
        check_frame(inner, (begin, end), ids)


def flat(value, path=""):
    """{path: value} of all members that hold neither lists nor objects."""
    if isinstance(value, (dict, list)):
        found = {}
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found.update(flat(inner, f"{path}.{name}" if path else str(name)))
        return found
    return {path: value}


def facts(node):
    """A node's own members, without what is drawn or measured."""
    members = flat({name: value for name, value in node.items() if name != "subsegments"})
    return {path: value for path, value in members.items() if path not in ("id", "start_time", "end_time") and not re.fullmatch(r"cause\.exceptions\.\d\.id", path)}


def inner_of(node):
    """In the order of their beginnings. Of a fetch the SDK sends two: the second one, of the answer, has all that the first has."""
    inner = sorted(node.get("subsegments", []), key=lambda n: n["start_time"])
    return [n for n in inner if not (n.get("namespace") == "remote" and "response" not in n["http"] and len(inner) > 1)]


# ── what differs on purpose ──────────────────────────────────────────────────────────────────────────────────────────

# Why; which members (a pattern); whether these two values are what is meant, where the node is as it is: (Latch's, the SDK's, SDK's node)
DIFFERENCES = [
    ("in_progress is for what hasn't ended; false is what its absence says", r"in_progress", lambda ours, its, _: (ours, its) == (None, False)),
    ("DynamoDB as AWS's console and its SDKs but Python's write it", r"name", lambda ours, its, _: (ours, its) == ("DynamoDB", "dynamodb")),
    ("namespace is aws or remote; \"local\" is Python's own word for neither", r"namespace", lambda ours, its, _: (ours, its) == (None, "local")),
    ("the SDK keeps some parameters of a request; Latch the table alone", r"aws\.consistent_read", lambda ours, its, _: (ours, its) == (None, True)),
    ("how often it was repeated, a member of the documents that Python's SDK doesn't fill", r"aws\.retries", lambda ours, its, _: (ours, its) == (1, None)),
    ("Powertools' own annotation, by its setting", r"annotations\.Service", lambda ours, its, _: (ours, its) == (None, "shop")),
    ("where the program lies is nobody's business", r"cause\.working_directory", lambda ours, its, _: ours == "" and bool(its)),
    ("C has no stack of an error that is a value", r"cause\.exceptions\.0\.stack\..*", lambda ours, its, _: ours is None and its is not None),
    ("remote says whose exception it was, which the namespace does", r"cause\.exceptions\.0\.remote", lambda ours, its, _: ours is None and its is not None),
    ("of a call's failure AWS's name is kept, which its message only wraps", r"cause\.exceptions\.0\.message",
     lambda ours, its, node: ours == "" and its.startswith("An error occurred") and node.get("namespace") == "aws"),
    ("what boto3 has no class for is its ClientError; AWS's name of it is in the message alone", r"cause\.exceptions\.0\.type",
     lambda ours, its, node: its == "ClientError" and f"({ours})" in node["cause"]["exceptions"][0]["message"]),
    ("the caller's mistake is an error and no fault, as the documents define the two; the SDK says both", r"fault",
     lambda ours, its, node: (ours, its) == (None, True) and node["http"]["response"]["status"] < 500),
    ("a condition that is false is an answer: nothing failed", r"error|fault|cause\..*",
     lambda ours, its, node: ours is None and node["cause"]["exceptions"][0]["type"] == "ConditionalCheckFailedException"),
    ("DynamoDB throttles with a 400; the SDK looks for 429", r"throttle", lambda ours, its, node: (ours, its) == (True, None) and "aws" in node),
    ("the SDK forgets a URL's port", r"http\.request\.url", lambda ours, its, _: its == re.sub(r":\d+/", "/", ours)),
    ("a failure's message is a sentence of Latch's own, with what AWS said in it", r"cause\.exceptions\.0\.message",
     lambda ours, its, node: node["name"].startswith("## ") and ours.rsplit(": ")[-1] == its.rsplit(": ")[-1] and its.startswith("An error occurred")),
]


def difference_of(path, ours, its, node):
    """Its place in the list; None: it is one that nobody meant."""
    for i, (_, pattern, is_meant) in enumerate(DIFFERENCES):
        try:
            if re.fullmatch(pattern, path) and is_meant(ours, its, node):
                return i
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
    return None


def compare_nodes(ours, its, seen, where):
    left, right = facts(ours), facts(its)
    for path in sorted(left.keys() | right.keys()):
        a, b = left.get(path), right.get(path)
        if a == b and type(a) is type(b):
            continue
        meant = difference_of(path, a, b, its)
        check(meant is not None, f"{where}: {path} is {a!r}, the SDK has {b!r}")
        seen.add(meant)
    inner, its_inner = inner_of(ours), inner_of(its)
    check(len(inner) == len(its_inner), f"{where} has {len(inner)} subsegments, the SDK's {len(its_inner)}")
    for n, (a, b) in enumerate(zip(inner, its_inner)):
        compare_nodes(a, b, seen, f"{where} > {n} {a['name']}")


def compare(latch, sdk, seen):
    """Raises ValueError where they differ otherwise than is meant."""
    check(len(latch) == 1, f"{len(latch)} datagrams, want one an invocation")
    trees = [hang_up(latch), hang_up(sdk)]
    for tree in trees:
        check_frame(tree, None, set())
    tell_causes(trees[1])
    compare_nodes(*trees, seen, trees[0]["name"])


def differs(latch, sdk):
    try:
        compare(latch, sdk, set())
        return False
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


# ── the twins ────────────────────────────────────────────────────────────────────────────────────────────────────────


def twins(document):
    yield from each_change(document)
    for name in ("fault", "error", "throttle"):
        if name not in document:
            yield f"{name} on the handler", (name,), {**document, name: True}
    yield "another parent", ("parent_id",), {**document, "parent_id": document["id"]}


def is_only_ours(path):
    """That Latch tells of it and the SDK doesn't: without it both are alike."""
    return path[-1] in ("retries", "throttle")


def run_twins(world):
    found = 0
    for number, row in enumerate(ROWS):
        (document,), sdk = world.row(number, row)
        if differs([document], sdk):
            sys.exit(f"{row[0]}: differs without a change")
        for name, path, twin in twins(document):
            if is_only_ours(path) and name.endswith("left out"):
                continue
            if not differs([twin], sdk):
                sys.exit(f"{row[0]}: isn't found: {name}")
            found += 1
        if not differs([document, document], sdk):
            sys.exit(f"{row[0]}: isn't found: sent twice")
    print(f"{found} changed documents found")


def main():
    observed, verb = sys.argv[1:]
    if importlib.util.find_spec("aws_xray_sdk") is None:
        sys.exit("aws-xray-sdk isn't here: tools/deps peers installs what tests/interop pins")
    with World(observed) as world:
        if verb == "twins":
            run_twins(world)
            return
        seen = set()
        for number, row in enumerate(ROWS):
            latch, sdk = world.row(number, row)
            try:
                compare(latch, sdk, seen)
            except ValueError as e:
                sys.exit(f"{row[0]}: {e}\nLatch {json.dumps(latch)}\nSDK   {json.dumps(sdk)}")
        for number, header in enumerate(SILENT):
            for _ in world.both(header % header_of(1000 + number), {"url": world.url, "steps": steps("begin put end")}):
                pass
        world.row(2000, ROWS[1])  # what would have come for the silent ones would have come before
        unseen = [DIFFERENCES[i][0] for i in range(len(DIFFERENCES)) if i not in seen]
        if unseen:
            sys.exit(f"differences that no row shows: {unseen}")
        print(f"{len(ROWS)} invocations told as aws-xray-sdk tells them but for {len(DIFFERENCES)} differences that are meant; {len(SILENT)} told by neither")


main()
