"""world.py - what cases stand on: tables of their own on DynamoDB Local, the processes that share them, and a proxy that breaks Latch."""
import http.client
import os
import tempfile
import threading
import zlib
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

import peers

TOOLKIT = {"keys": {"pk": "S", "sk": "S"}, "indexes": {"gsi1": {"gsi1pk": "S", "gsi1sk": "S"}}}
SAGAS = {"keys": {"PK": "S", "SK": "S"}, "indexes": {"GSI1": {"GSI1PK": "S", "GSI1SK": "S"}, "GSI2": {"GSI2PK": "S", "GSI2SK": "S"}}}
LATCH = {"keys": {"pk": "S", "sk": "S"}, "indexes": {"gsi1": {"gsi1pk": "S", "gsi1sk": "S"}, "gsi2": {"gsi2pk": "S", "gsi2sk": "S"}}}
POWERTOOLS = {"keys": {"id": "S"}}
SORTED_POWERTOOLS = {"keys": {"pk": "S", "sk": "S"}}
LOCKS = {"keys": {"key": "S"}}
SORTED_LOCKS = {"keys": {"key": "S", "sort": "S"}}
PARADOXICAL_LOCKS = {"keys": {"key": "S"}}
PARADOXICAL_KEYS = {"keys": {"key": "S"}}
PARADOXICAL_PARTITIONED = {"keys": {"partitionKey": "S", "sortKey": "S"}}


class Missing(Exception):
    """A case found something else than it should: what the harness reports."""


def must(truth, *what):
    if not truth:
        raise Missing(" ".join(str(w) for w in what))


def same(found, wanted):
    must(found == wanted, "found", found, "want", wanted)


def ok(answer, status="OK"):
    """A driver's answer of that status: its `out`."""
    must(answer["status"] == status, "status", answer["status"], answer["error"], "want", status)
    return answer["out"]


def schema(keys):
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"))]


class World:
    """One of each: closes what it opened."""

    def __init__(self, program, tools, url, seconds):
        self.program, self.tools, self.url, self.seconds = program, tools, url, seconds
        self.stack, self.tables, self.opened, self.made, self.keys = ExitStack(), {}, {}, set(), 0
        self.db = boto3.resource("dynamodb", endpoint_url=url, region_name=peers.REGION, aws_access_key_id="peer", aws_secret_access_key="peer",
                                 config=Config(retries={"max_attempts": 2, "mode": "standard"}))
        self.latch_url, self.folder = url, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        try:
            self.stack.close()
        finally:
            for table in self.tables.values():
                self.db.Table(table).delete()

    def break_latch(self, rules):
        """Its processes from now on, and they alone, go through a Proxy with these rules."""
        for name in [name for name, process in self.opened.items() if isinstance(process, peers.Drive)]:
            self.opened.pop(name).kill()
        self.latch_url = self.stack.enter_context(Proxy(self.url, rules)).url

    def key(self, name="k"):
        """One that no other case has."""
        self.keys += 1
        return f"{name}-{self.keys}"

    def table(self, what, layout):
        """The name of this run's table of that layout."""
        if what not in self.tables:
            name = f"interop-{what}-{os.getpid()}"
            types = dict(layout["keys"])
            for index in layout.get("indexes", {}).values():
                types.update(index)
            indexes = [{"IndexName": index, "KeySchema": schema(keys), "Projection": {"ProjectionType": "ALL"}}
                       for index, keys in layout.get("indexes", {}).items()]
            self.db.create_table(TableName=name, KeySchema=schema(layout["keys"]), BillingMode="PAY_PER_REQUEST",
                                 AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in types.items()],
                                 **({"GlobalSecondaryIndexes": indexes} if indexes else {}))
            self.tables[what] = name
        return self.tables[what]

    def gate(self):
        """A file that work waits for ("until"): open() makes it."""
        self.folder = self.folder or self.stack.enter_context(tempfile.TemporaryDirectory())
        return Gate(os.path.join(self.folder, self.key("gate")))

    def item(self, table, **key):
        return self.db.Table(table).get_item(Key=key, ConsistentRead=True).get("Item")

    def set(self, table, key, **attributes):
        """These attributes of an item, whatever the rest of it is."""
        names = {f"#{i}": name for i, name in enumerate(attributes)}
        values = {f":{i}": value for i, value in enumerate(attributes.values())}
        self.db.Table(table).update_item(Key=key, UpdateExpression="SET " + ", ".join(f"#{i} = :{i}" for i in range(len(attributes))),
                                         ExpressionAttributeNames=names, ExpressionAttributeValues=values)

    def once(self, what, make):
        if what not in self.made:
            make()
            self.made.add(what)

    def process(self, name, make):
        if name not in self.opened:
            self.opened[name] = make()
            self.stack.callback(self.opened[name].stop)
        return self.opened[name]

    def another_drive(self, name, **more):
        return self.process(name, lambda: peers.Drive(self.program, self.latch_url, self.table("latch", LATCH), **more))

    drive = property(lambda self: self.another_drive("drive"))
    node = property(lambda self: self.process("node", lambda: peers.Node(self.tools, self.url)))
    python = property(lambda self: self.process("python", lambda: peers.Python(self.tools, self.url)))
    java = property(lambda self: self.process("java", lambda: peers.Java(self.tools, self.url)))
    go = property(lambda self: self.process("go", lambda: peers.Go(self.tools, self.url)))

    def latch(self, store, do, policy, key="", **more):
        """The whole answer to a call of a store."""
        return self.drive.call(store=store, do=do, policy=policy, key=key, **more)


class Gate:
    def __init__(self, path):
        self.path = path

    def open(self):
        os.close(os.open(self.path, os.O_CREAT))


class Proxy:
    """Between Latch and DynamoDB: what Latch sends is changed by `rules`, a list of (from, to), and what it gets is changed the other way, both
    ways at once. So it gets along with itself, and reads and writes as if its code had that fault."""

    def __init__(self, url, rules):
        proxy, self.rules, self.changed = self, rules, 0
        address = urlsplit(url).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one piece

            def do_GET(self):
                self.forward("GET", None)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.forward("POST", proxy.change(body.decode()).encode())

            def forward(self, method, body):
                upstream = http.client.HTTPConnection(address, timeout=30)
                upstream.request(method, "/", body, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")})
                answer = upstream.getresponse()
                content = proxy.change_back(answer.read().decode()).encode()
                self.send_response(answer.status)
                for name in ("Content-Type", "x-amzn-RequestId"):
                    if answer.getheader(name):
                        self.send_header(name, answer.getheader(name))
                self.send_header("x-amz-crc32", str(zlib.crc32(content)))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def change(self, text):
        for old, new in self.rules:
            self.changed += text.count(old)
            text = text.replace(old, new)
        return text

    def change_back(self, text):
        for old, new in self.rules:
            text = old.join(part.replace(old, new) for part in text.split(new))
        return text

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
