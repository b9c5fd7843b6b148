#!/usr/bin/env python3
"""compare.py JUDGE LATCH_LOCAL TOOLS URL_FILE [--twin] - a judge's transcripts of `latch-local dynamodb` and of DynamoDB Local are the same.

JUDGE: boto3 or javascript. LATCH_LOCAL: the executable. TOOLS: where tools/deps puts what it fetches. URL_FILE: holds DynamoDB Local's URL.
What may differ is in EXCUSED, each with its reason; an excuse that isn't needed any more is a failure too. --twin: latch-local's answers
are falsified on their way, each in one place, and every falsification has to be found, and nothing else.
"""
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

LEAST_CALLS = 150


# ── what may differ ──

def without(*names):
    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in names}
        return [strip(v) for v in value] if isinstance(value, list) else value
    return strip


def sums(line):
    pages = line["answer"]
    return {"Count": sum(p["Count"] for p in pages), "Scanned": sum(p["Scanned"] for p in pages), "end": pages[-1]["more"]}


def only_message(line):
    return line["refused"]["error"]["Message"]


THROUGHPUT = ("LastIncreaseDateTime", "LastDecreaseDateTime", "NumberOfDecreasesToday")

# What of a call's answer is compared, and why not all of it. By the call's name, its number left out.
EXCUSED = [
    (r"table\.units", without(*THROUGHPUT, "IndexSizeBytes"), "the bytes of an index are estimated, by the table's average"),
    (r"create.*|describe.*|table\..*", without(*THROUGHPUT),
     "Local has 1970 for throughput that never changed, and no count of decreases for an index; DynamoDB has the count, and no times"),
    (r"delete\.(none|again)", without("ConsumedCapacity"), "Local tells the capacity of a deletion that finds nothing, also unasked"),
    (r"large\.filter", sums, "a page of 1 MB is measured before the filter, as DynamoDB's documentation has it; by Local after it"),
    (r"transact\.get\.key", only_message, "Local calls a wrong key a cancelled transaction, without reasons; DynamoDB a ValidationException"),
]


def compare(ours, theirs):
    """The lines that differ, as texts; and the excuses that were needed."""
    found, needed = [], set()
    for mine, local in zip(ours, theirs):
        if mine == local:
            continue
        name = mine["call"].split(" ", 1)[1]
        for pattern, view, _ in EXCUSED:
            if not re.fullmatch(pattern, name):
                continue
            try:
                same = view(mine) == view(local)
            except (KeyError, TypeError, IndexError):
                same = False
            if same:
                needed.add(pattern)
                break
        else:
            found.append(describe(mine, local))
    if len(ours) != len(theirs):
        found.append(f"{len(ours)} calls of latch-local, {len(theirs)} of DynamoDB Local")
    return found, needed


def describe(mine, local):
    """Both from a little before where they part."""
    texts = [json.dumps({k: v for k, v in line.items() if k != "call"}, ensure_ascii=False, sort_keys=True) for line in (mine, local)]
    at = max(0, len(os.path.commonprefix(texts)) - 100)
    before = "…" if at > 0 else ""
    return "\n".join([mine["call"]] + [f"  {name}: {before}{text[at:at + 400]}" for name, text in zip(("latch", "Local"), texts)])


# ── endpoints and judges ──

class Latch:
    def __init__(self, program):
        self.process = subprocess.Popen([program, "dynamodb", "--port", "0", "--quiet"], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url.startswith("http://"):
            sys.exit(f"{program} did not start")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=20) != 0:
            sys.exit(f"latch-local ended with {self.process.returncode}")


def transcript(judge, tools, url):
    here = os.path.dirname(os.path.abspath(__file__))
    program, script = {"boto3": ("python", "judge.py"), "javascript": ("node", "judge.mjs")}[judge]
    path = os.path.join(tools, "sdk", "bin", program)
    if not os.path.exists(path):
        sys.exit(f"{path} is missing: tools/deps test")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
    environment.update(NODE_MODULES=os.path.join(tools, "js", "node_modules"), NODE_NO_WARNINGS="1", AWS_EC2_METADATA_DISABLED="true",
                       AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run([path, os.path.join(here, script), url], env=environment, capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        sys.exit(f"{judge} at {url} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    answered = sum("failed" not in line for line in lines)
    if answered < LEAST_CALLS:
        sys.exit(f"{judge}: {answered} calls were answered, want at least {LEAST_CALLS}")
    return lines


# ── the twin ──

def change_value(operation, body):
    if operation != "GetItem" or "Item" not in body:
        return False
    body["Item"]["id"] = {"S": "another"}
    return True


def change_count(operation, body):
    if operation != "Query" or not body.get("Items"):
        return False
    body["Count"] += 1
    return True


def lose_item(operation, body):
    return operation == "Scan" and len(body.get("Items", [])) > 1 and bool(body["Items"].pop())


def change_text(operation, body):
    if operation != "UpdateItem" or "ValidationException" not in body.get("__type", ""):
        return False
    body["message"] = body["message"].replace("i", "I", 1)
    return True


def change_name(operation, body):
    if operation != "BatchGetItem" or "ResourceNotFoundException" not in body.get("__type", ""):
        return False
    body["__type"] = body["__type"].replace("ResourceNotFound", "ResourceInUse")
    return True


def add_member(operation, body):
    if operation != "DescribeTimeToLive" or body.get("TimeToLiveDescription", {}).get("TimeToLiveStatus") != "ENABLED":
        return False
    body["TimeToLiveDescription"]["AttributeName"] += "2"
    return True


class Twin:
    """In front of an endpoint: falsifies one answer of each kind, and keeps x-amz-crc32 right."""

    def __init__(self, url):
        self.left = [change_value, change_count, lose_item, change_text, change_name, add_member]
        self.kinds = len(self.left)
        self.lock = threading.Lock()
        self.address = urlsplit(url).netloc
        twin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one piece: else the second waits for the first one's acknowledgement

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                connection = http.client.HTTPConnection(twin.address, timeout=30)
                connection.request("POST", "/", body, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")})
                answer = connection.getresponse()
                content = twin.falsify(self.headers.get("X-Amz-Target", "").split(".")[-1], answer.read())
                connection.close()
                self.send_response(answer.status)
                for name in ("Content-Type", "x-amzn-RequestId"):
                    self.send_header(name, answer.getheader(name))
                self.send_header("x-amz-crc32", str(zlib.crc32(content)))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def falsify(self, operation, content):
        body = json.loads(content)
        with self.lock:
            for kind in self.left:
                if kind(operation, body):
                    self.left.remove(kind)
                    return json.dumps(body).encode()
        return content

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def main(judge, program, tools, url_file, *flags):
    with open(url_file, encoding="utf-8") as f:
        local = f.read().strip()
    theirs = transcript(judge, tools, local)
    latch = Latch(program)
    twin = Twin(latch.url) if "--twin" in flags else None
    try:
        ours = transcript(judge, tools, twin.url if twin else latch.url)
    finally:
        if twin:
            twin.stop()
        latch.stop()
    found, needed = compare(ours, theirs)
    print(f"{judge}: {len(ours)} calls, {sum('refused' in line for line in ours)} of them refused; {len(found)} differ")
    if twin:
        print("\n".join(found))
        if twin.left or len(found) != twin.kinds:
            sys.exit(f"{twin.kinds} answers were to be falsified, {twin.kinds - len(twin.left)} were, and {len(found)} were found")
        return
    if found:
        sys.exit("\n".join(found))
    names = [line["call"].split(" ", 1)[1] for line in ours]
    stale = [p for p, _, _ in EXCUSED if p not in needed and any(re.fullmatch(p, n) for n in names)]
    if stale:
        sys.exit(f"excused and no longer different: {', '.join(stale)}")


main(*sys.argv[1:])
