"""stage.py - where the races run: a store served over HTTP with a table in it, and processes that are started, killed and stopped by their
own pid. Everything started here ends with its `with`."""
import json, os, pathlib, signal, subprocess, tempfile, time, urllib.request, uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEYS = [("pk", "HASH"), ("sk", "RANGE")]


def quiet_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "DYNAMODB_"))}


class Store:
    """`latch-local dynamodb` (engine), or the real DynamoDB Local: one of ctest's, whose URL is in a file, or one of our own."""

    def __init__(self, kind, binaries, url_file=None):
        self.kind, self.binaries, self.url_file, self.process, self.folder = kind, pathlib.Path(binaries), url_file, None, None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        if self.kind == "engine":
            self.start_engine()
        elif self.url_file:
            self.url = pathlib.Path(self.url_file).read_text().strip()
        else:
            self.url_file = pathlib.Path(self.folder.name) / "url"
            subprocess.run([ROOT / "tools/dynamodb-local", "start", self.url_file], check=True)
            self.url, self.process = self.url_file.read_text().strip(), "ours"
        return self

    def start_engine(self):
        self.process = subprocess.Popen([self.binaries / "latch-local", "dynamodb", "--port", "0", "--quiet"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=quiet_environment())
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://"), "latch-local dynamodb did not start"

    def __exit__(self, *_):
        if self.process == "ours":
            subprocess.run([ROOT / "tools/dynamodb-local", "stop", self.url_file], check=True)
        elif self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process.stdout.close()
        self.folder.cleanup()

    def ask(self, operation, request, key="local"):
        """DynamoDB Local has a database for each access key."""
        headers = {"X-Amz-Target": "DynamoDB_20120810." + operation, "Content-Type": "application/x-amz-json-1.0",
                   "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"}
        return json.loads(urllib.request.urlopen(urllib.request.Request(self.url, json.dumps(request).encode(), headers), timeout=30).read())

    @property
    def name(self):
        return "embedded engine" if self.kind == "engine" else "DynamoDB Local"


class Stage:
    """A table of its own in a store, and a folder of journals."""

    def __init__(self, store, keys=KEYS, url=None, access_key="local"):
        self.store, self.keys, self.url, self.access_key = store, keys, url or store.url, access_key
        self.table, self.processes, self.started = "races-" + uuid.uuid4().hex, [], 0

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.ask("CreateTable", {"BillingMode": "PAY_PER_REQUEST",
                                 "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n, _ in self.keys],
                                 "KeySchema": [{"AttributeName": n, "KeyType": t} for n, t in self.keys]})
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.ask("DeleteTable", {})
        self.folder.cleanup()

    def ask(self, operation, request):
        return self.store.ask(operation, {"TableName": self.table, **request}, self.access_key)

    @property
    def environment(self):
        return {**quiet_environment(), "LATCH_STORE": "dynamodb", "LATCH_TABLE": self.table, "AWS_ENDPOINT_URL_DYNAMODB": self.url,
                "AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1",
                "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}

    def start(self, race, command=None, **options):
        """One worker more; `command` is a model's, which takes the same options and writes the same journal."""
        self.started += 1
        journal = f"{self.folder.name}/{self.started:05d}.jsonl"
        words = [*(command or [self.store.binaries / "tests/races/races_worker"]), race, "--journal", journal, "--seed", str(self.started)]
        for name, value in options.items():
            if value is not None:
                words += ["--" + name.replace("_", "-"), str(value)]
        broken = "from" in options or "lost_in" in options  # it complains, and rightly
        self.processes.append(subprocess.Popen([str(word) for word in words], env=self.environment, stderr=subprocess.DEVNULL if broken else None,
                                               stdin=subprocess.PIPE if options.get("rounds") else subprocess.DEVNULL,
                                               stdout=subprocess.PIPE if options.get("rounds") else None))
        self.processes[-1].journal = pathlib.Path(journal)
        return self.processes[-1]

    def rounds(self, count):
        """All processes begin each round together, when all have ended the one before."""
        for _ in range(count):
            for process in self.processes:
                os.write(process.stdin.fileno(), b".")
            for process in self.processes:
                assert os.read(process.stdout.fileno(), 1) == b".", "a worker ended before its round"
        for process in self.processes:
            process.stdin.close()
            process.stdout.close()

    def wait(self, timeout_s):
        until = time.monotonic() + timeout_s
        for process in self.processes:
            status = process.wait(max(0.1, until - time.monotonic()))
            assert status in (0, -signal.SIGKILL), f"a worker ended with {status}"

    def item(self, pk, sk):
        return self.ask("GetItem", {"ConsistentRead": True, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}).get("Item")
