#!/usr/bin/env python3
"""emulator.py BOOTSTRAP TEST - one test against AWS's emulator of the Runtime API (aws-lambda-rie of the SAM CLI), in one of its two modes:
plain, one event at a time, and managed instances, several at once (AWS_LAMBDA_MAX_CONCURRENCY). BOOTSTRAP is handlers.c's.

In the second it starts /var/task/bootstrap and nothing else: a private mount of /var has one that runs ours.
"""
import base64, concurrent.futures, json, os, pathlib, platform, shlex, signal, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOOTSTRAP = pathlib.Path(sys.argv[1]).resolve()
MACHINE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
EMULATOR = next(ROOT.glob(f"build/tools/sam/lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{MACHINE}"))
MOST = 6291556


def free_ports(count):
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def children_of(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *children_of(int(child))]
    return found


class Emulator:
    def __init__(self, handler, at_once=1, timeout_s=10):
        self.handler, self.at_once, self.timeout_s = handler, at_once, timeout_s

    def command(self):
        self.port, runtime = free_ports(2)
        words = [str(EMULATOR), "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}", "--runtime-api-address", f"127.0.0.1:{runtime}"]
        if self.at_once == 1:
            return [*words, str(BOOTSTRAP), self.handler]
        script = f"#!/bin/sh\nexec {shlex.quote(str(BOOTSTRAP))}\n"
        inside = f"mount -t tmpfs none /var && mkdir /var/task && printf %s {shlex.quote(script)} >/var/task/bootstrap && chmod 755 /var/task/bootstrap && exec {shlex.join(words)}"
        return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", inside]

    def __enter__(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "_"))}
        environment |= {"_HANDLER": self.handler, "AWS_LAMBDA_FUNCTION_NAME": "probe", "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout_s),
                        "LATCH_STORE": "embedded", "ASAN_OPTIONS": "handle_segv=0:handle_abort=0:allow_user_segv_handler=1:detect_leaks=0"}
        if self.at_once > 1:
            environment["AWS_LAMBDA_MAX_CONCURRENCY"] = str(self.at_once)
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command(), env=environment, stdout=self.log, stderr=self.log, start_new_session=True)
        self.await_port()
        return self

    def await_port(self):
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until, self.said()
                time.sleep(0.02)

    def __exit__(self, kind, *_):
        for child in [*children_of(self.process.pid), self.process.pid] if self.process.poll() is None else ():
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        if kind is not None:
            print(self.said()[-3000:])
        self.log.close()

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def await_word(self, word, seconds=10):
        until = time.monotonic() + seconds
        while word not in self.said():
            assert time.monotonic() < until, f"{word!r} was never said"
            time.sleep(0.02)

    def invoke(self, event, **headers):
        """(status, body) of one invocation. Several at once: where no worker has asked for an event yet, the emulator doesn't wait for one."""
        until = time.monotonic() + 20
        while True:
            status, body = self.invoke_once(event, **headers)
            if b"Runtime.Unavailable" not in body or time.monotonic() > until:
                return status, body
            time.sleep(0.01)

    def invoke_once(self, event, **headers):
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=40) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def act(self, what, **more):
        status, body = self.invoke({"do": what, **more})
        return json.loads(body)

    def at_the_same_time(self, events):
        with concurrent.futures.ThreadPoolExecutor(len(events)) as pool:
            return list(pool.map(self.invoke, events))


# ── one at a time ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_answers_errors_and_context():
    with Emulator("act") as e:
        first, second = e.act("echo"), e.act("echo")
        assert first["id"] != second["id"] and first["event"] == {"do": "echo"} and first["arn"].startswith("arn:aws:lambda:"), first
        assert 5000 < first["left"] <= 10000, first
        failed = e.act("fail")
        assert failed["errorType"] == "CardDeclined" and failed["errorMessage"].startswith("the card was declined"), failed
        custom = {"client": {"app_title": "shop"}, "custom": {"a": "ü"}, "env": {}}
        _, body = e.invoke({"do": "echo"}, **{"X-Amz-Client-Context": base64.b64encode(json.dumps(custom).encode()).decode()})
        assert json.loads(body)["context"] == custom, body
        assert e.act("echo")["context"] is None


def test_the_largest_answer_and_one_byte_more():
    with Emulator("act") as e:
        status, body = e.invoke({"do": "large", "bytes": MOST})
        assert status == 200 and len(body) == MOST, (status, len(body))
        refused = e.act("large", bytes=MOST + 1)
        assert "ResponseSizeTooLarge" in refused["errorType"] and str(MOST + 1) in refused["errorMessage"] and str(MOST) in refused["errorMessage"], refused
        assert "id" in e.act("echo")


def test_a_stream_is_whole():
    with Emulator("stream") as e:
        for pieces in (1, 7, 3000):
            status, body = e.invoke({"pieces": pieces})
            assert status == 200 and body == b"0123456789" * pieces, (status, len(body))
        status, body = e.invoke({"pieces": 3, "fails": True})  # plain, it doesn't look at trailers
        assert body.startswith(b"0123456789" * 3), body
        assert e.invoke({"pieces": 2})[1] == b"0123456789" * 2


def test_a_crash_and_an_exit_are_told_and_the_next_process_answers():
    with Emulator("act") as e:
        for what, words in (("crash", "SIGSEGV"), ("exit", "3")):
            told = e.act(what)
            assert words in told["errorMessage"], told
            assert "id" in e.act("echo")


def test_a_hang_is_told_before_the_deadline():
    with Emulator("act", timeout_s=1) as e:
        begin = time.monotonic()
        told = e.act("hang")
        assert "errorType" in told and "act" in told["errorMessage"], told
        assert time.monotonic() - begin < 3, "the emulator's own timeout spoke"
        assert "id" in e.act("echo")


def test_a_shutdown_hook_runs_at_sigterm():
    with Emulator("polite") as e:
        assert "id" in e.act("echo")
        e.process.send_signal(signal.SIGTERM)
        e.await_word("goodbye")


# ── several at once ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_four_at_once_take_the_time_of_one():
    with Emulator("act", at_once=4) as e:
        e.act("echo")
        begin = time.monotonic()
        answers = e.at_the_same_time([{"do": "slow", "ms": 1000, "n": n} for n in range(4)])
        took = time.monotonic() - begin
        assert [json.loads(body)["event"]["n"] for _, body in answers] == [0, 1, 2, 3], answers
        assert took < 3, f"{took:.1f} s: one after another"


def test_each_of_many_gets_its_own_answer():
    with Emulator("act", at_once=8) as e:
        ids = set()
        for _ in range(5):
            answers = e.at_the_same_time([{"do": "slow", "ms": n % 5, "n": n} for n in range(8)])
            bodies = [json.loads(body) for _, body in answers]
            assert [body.get("event", {}).get("n") for body in bodies] == list(range(8)), bodies
            ids |= {body["id"] for body in bodies}
        assert len(ids) == 40, len(ids)
        records = [json.loads(line) for line in e.said().splitlines() if '"asked"' in line]
        assert {record["requestId"] for record in records} == ids, records[:3]  # JSON, each with its own id


def test_a_streams_trailers_are_the_callers_error():
    with Emulator("stream", at_once=2) as e:
        assert e.invoke({"pieces": 5})[1] == b"0123456789" * 5
        status, body = e.invoke({"pieces": 5, "fails": True})
        told = json.loads(body)
        assert told["errorType"] == "HalfDone" and told["errorMessage"] == "not all of it is here", (status, body)


def test_a_crash_leaves_the_others_their_answers():
    with Emulator("act", at_once=4) as e:
        e.act("echo")
        answers = e.at_the_same_time([{"do": "slow", "ms": 800, "n": 0}, {"do": "slow", "ms": 800, "n": 1}, {"do": "crash"}])
        bodies = [json.loads(body) for _, body in answers]
        assert [bodies[n]["event"]["n"] for n in (0, 1)] == [0, 1], bodies
        assert "SIGSEGV" in bodies[2]["errorMessage"], bodies


if __name__ == "__main__":
    globals()["test_" + sys.argv[2]]()
