"""peers.py - processes that are driven by lines of JSON: Latch's driver, and those of the libraries that share tables with it (README.md)."""
import ctypes
import json
import os
import select
import signal
import subprocess
import time

REGION = "us-east-1"
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
HERE = os.path.dirname(os.path.abspath(__file__))
libc = ctypes.CDLL(None, use_errno=True)


class PeerError(Exception):
    """What a library threw: .error has its name, its message and its members; .answer all."""

    def __init__(self, answer):
        super().__init__(f"{answer['error'].get('name')}: {answer['error'].get('message')}")
        self.answer, self.error, self.name = answer, answer["error"], answer["error"].get("name")


def environment(**more):
    """Nothing of the caller's AWS settings, and keys that any local endpoint takes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LATCH_", "DYNAMODB_")) and not k.lower().endswith("_proxy")}
    kept.update(AWS_REGION=REGION, AWS_ACCESS_KEY_ID="peer", AWS_SECRET_ACCESS_KEY="peer", AWS_EC2_METADATA_DISABLED="true",
                AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, PYTHONDONTWRITEBYTECODE="1", NODE_NO_WARNINGS="1",
                POWERTOOLS_DEV="1", ASAN_OPTIONS="detect_leaks=1", **more)
    return kept


class Process:
    """Lines go in in order; answers may come in another where the peer does several at once: they are told apart by their id."""

    def __init__(self, command, **more):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(**more),
                                        preexec_fn=lambda: libc.prctl(DIE_WITH_PARENT, signal.SIGKILL))
        self.name = os.path.basename(command[0])
        self.sent, self.buffer, self.answers = 0, b"", {}

    def send(self, **line):
        """The line's id, for receive."""
        self.sent += 1
        self.process.stdin.write(json.dumps({"id": self.sent, **line}).encode() + b"\n")
        self.process.stdin.flush()
        return self.sent

    def receive(self, line_id=None, timeout_s=60):
        """The answer to the line of that id; without one, to the line sent last."""
        line_id = self.sent if line_id is None else line_id
        end = time.monotonic() + timeout_s
        while line_id not in self.answers:
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"{self.name} did not answer within {timeout_s} s")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
            *lines, self.buffer = (self.buffer + chunk).split(b"\n")
            for line in lines:
                answer = json.loads(line)
                self.answers[answer["id"]] = answer
        return self.answers.pop(line_id)

    def call(self, **line):
        return self.receive(self.send(**line))

    def kill(self):
        """As a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Its input ends, and so does it; an unclean end is an error (of the driver: what its sanitizers found)."""
        if self.process.poll() is None:
            self.process.stdin.close()
        try:
            code = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self.process.stdout.close()
        if code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"{self.name} ended with {code}")

    close = stop


class Drive(Process):
    """A process of Latch. call() gives the whole answer: its status is for the caller to look at."""

    def __init__(self, program, url, table="latch", ahead_ms=0, **more):
        command = [program] + (["--ahead", str(ahead_ms)] if ahead_ms else [])
        super().__init__(command, LATCH_STORE="dynamodb", LATCH_TABLE=table, AWS_ENDPOINT_URL_DYNAMODB=url, **more)


class Peer(Process):
    def receive(self, line_id=None, timeout_s=60):
        answer = super().receive(line_id, timeout_s)
        if "error" in answer:
            raise PeerError(answer)
        return answer["result"]


class Node(Peer):
    """npm's libraries: new("c", "Cache", tableName="t"), then do("c", "get", "key")."""

    def __init__(self, tools, url):
        peers = os.path.join(tools, "peers", "node")
        super().__init__([os.path.join(tools, "sdk", "bin", "node"), os.path.join(peers, "peer.mjs"), url])

    def new(self, name, class_name, **options):
        self.call(**{"do": "new", "as": name, "class": class_name, "options": options})

    def begin(self, name, method, *args):
        return self.send(do="call", on=name, method=method, args=args)

    def do(self, name, method, *args):
        return self.receive(self.begin(name, method, *args))


class Python(Peer):
    """Powertools for Python: new("f", "table", "prefix", event_key_jmespath="id"), then run("f", event, result=…, sleep_ms=…)."""

    def __init__(self, tools, url):
        super().__init__([os.path.join(tools, "peers", "python", "bin", "python"), os.path.join(HERE, "python", "peer.py"), url])

    def new(self, name, table, prefix, layer=None, **config):
        self.call(**{"do": "new", "as": name, "table": table, "prefix": prefix, "config": config, "layer": layer or {}})

    def begin(self, name, event, left_ms=60000, **work):
        return self.send(do="run", on=name, event=event, left_ms=left_ms, work=work)

    def run(self, name, event, left_ms=60000, **work):
        return self.receive(self.begin(name, event, left_ms, **work))


class Locker(Peer):
    """A lock client: new("c", table="t", owner="o", lease_ms=2000), then acquire("c", "lock", "key")."""

    def new(self, name, **options):
        self.call(**{"do": "new", "as": name, **options})

    def acquire(self, client, lock, key, **options):
        return self.call(**{"do": "acquire", "on": client, "as": lock, "key": key, **options})

    def do(self, what, client, **more):
        return self.call(do=what, on=client, **more)


class Java(Locker):
    """awslabs' amazon-dynamodb-lock-client."""

    def __init__(self, tools, url):
        peers = os.path.join(tools, "peers", "java")
        super().__init__(["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
                          "-cp", f"{peers}/classes:{peers}/lib/*", "LockPeer", url])


class Go(Locker):
    """dynamolock v2."""

    def __init__(self, tools, url):
        super().__init__([os.path.join(tools, "peers", "go", "peer"), url])
