#!/usr/bin/env python3
"""runtime_api.py LATCH_LOCAL TEST - latch-local's side of the Lambda Runtime API, beyond one buffered event at a time: streams, several
events at once, SnapStart, extensions, callers. Statuses are those that AWS's emulator gave (aws-lambda-rie of SAM CLI 1.170.0).

Each test_… below is one entry of ctest; the function's process is a script of the test's own, over fake_runtime.py.
"""
import fcntl, json, os, pathlib, re, signal, socket, struct, subprocess, sys, tempfile, termios, textwrap, threading, time, urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = """
Globals: {Function: {Timeout: 5}}
Resources:
  One: {Type: 'AWS::Serverless::Function', Properties: {Handler: one}}
"""
FORBIDDEN = ("Sanitizer", "runtime error:")


def write_bootstrap(folder, script):
    bootstrap = folder / "bootstrap"
    bootstrap.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(HERE)!r})\nsys.dont_write_bytecode = True\n"
                         "from fake_runtime import *\n" + textwrap.dedent(script))
    bootstrap.chmod(0o755)


def await_text(path, pattern):
    """What the file holds once it does: the first group."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = re.search(pattern, path.read_text())
        if found: return found.group(1)
        time.sleep(0.005)
    raise AssertionError((pattern, path.read_text()))


class Run:
    """latch-local invoke --json, ended."""

    def __init__(self, script, *options, events=None, environment=None, json_lines=True):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as folder:
            self.folder = pathlib.Path(folder)
            events = events if events is not None else {"one-a": "{}"}
            (self.folder / "events").mkdir()
            for name, event in events.items():
                (self.folder / "events" / f"{name}.json").write_text(event)
            (self.folder / "template.yaml").write_text(TEMPLATE)
            write_bootstrap(self.folder, script)
            words = [LATCH_LOCAL, "invoke", *(["--json"] if json_lines else []), *options, "events", "--", "./bootstrap"]
            self.prepare()
            done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, env={**os.environ, **(environment or {})})
            self.status, self.out, self.log = done.returncode, done.stdout, done.stderr
        assert not any(word in self.log for word in FORBIDDEN), self.log
        self.lines = [json.loads(line) for line in self.out.splitlines()] if json_lines else []
        self.rows = {row["event"]: row for row in self.lines if "event" in row}

    def prepare(self): pass

    def __getitem__(self, name):
        assert name in self.rows, (self.out, self.log)
        return self.rows[name]

    def said(self, text):
        assert text in self.log, (text, self.log)


def answer(row):
    return json.loads(row["answer"])


ECHO = """
c = Client()
while True:
    id, fields, event = c.next()
    c.post(id, fields)
"""


# ── callers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_callers_are_told_of():
    given = {"tenant": "blue", "client-context": '{"client":{"installation_id":"i"}}', "cognito-identity": '{"cognitoIdentityId":"c"}'}
    headers = {"tenant": "lambda-runtime-aws-tenant-id", "client-context": "lambda-runtime-client-context",
               "cognito-identity": "lambda-runtime-cognito-identity"}
    told = answer(Run(ECHO, *[word for name, value in given.items() for word in (f"--{name}", value)], "--sampled")["one-a"])
    for name, header in headers.items():
        assert told[header] == given[name], told
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1", told["lambda-runtime-trace-id"]), told
    plain = answer(Run(ECHO)["one-a"])
    assert not set(headers.values()) & set(plain) and "lambda-runtime-invocation-id" not in plain, plain
    assert plain["lambda-runtime-trace-id"].endswith(";Sampled=0")
    wrong = Run(ECHO, "--tenant", "a\nb", json_lines=False)
    assert wrong.status == 2 and "--tenant: it is sent in a header" in wrong.log, wrong.log


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

STREAM = """
c = Client()
while True:
    id, fields, event = c.next()
    c.begin_stream(id, {"Content-Type": TYPE})
    for piece in PIECES: c.chunk(piece)
    say("answered", c.end_stream(ENDING))
"""


def stream(pieces, ending="{}", type="'text/plain'"):
    return STREAM.replace("PIECES", pieces).replace("ENDING", ending).replace("TYPE", type)


def test_a_stream_is_collected():
    run = Run(stream("[b'one ', b'two ', b'three']"))
    row = run["one-a"]
    assert (row["outcome"], row["answer"], row["streamed_bytes"], row["content_type"]) == ("answered", "one two three", 13, "text/plain"), row
    run.said("answered 202")
    assert Run(stream("[b'one ', b'two']"), json_lines=False).out.splitlines()[1].endswith('"one two"')


def test_a_prelude_is_understood():
    pieces = "[b'{\"statusCode\":201,\"headers\":{\"X-A\":\"1\"},\"cookies\":[\"a=b\"]}' + bytes(5), bytes(3) + b'hello ', b'you']"
    script = stream(pieces, type="HTTP")
    assert " 201 hello you" in Run(script, json_lines=False).out
    row = Run(script)["one-a"]
    assert row["streamed_bytes"] == len(row["answer"]) == 75 and "\0" * 8 + "hello you" in row["answer"], row


def test_a_prelude_is_what_is_expected():
    pieces = "[b'{\"statusCode\":201}' + bytes(8), b'{\"sku\":\"tea\"}']"
    for body, ok in (('{"sku":"tea"}', True), ('{"sku":"coffee"}', False)):

        class Expecting(Run):
            def prepare(self):
                (self.folder / "events/expect").mkdir()
                (self.folder / "events/expect/one-a.json").write_text('{"first":{"statusCode":201,"body":%s}}' % body)

        assert Expecting(stream(pieces, type="HTTP"))["one-a"]["ok"] is ok


def test_trailers_fail_a_stream():
    error = "error_trailers('Function.CardDeclined', {'errorType': 'CardDeclined', 'errorMessage': 'no funds'})"
    run = Run(stream("[b'abc', b'def']", error))
    row = run["one-a"]
    assert (row["outcome"], row["error_type"], row["answer"], row["streamed_bytes"]) == ("failed", "Function.CardDeclined", "abcdef", 6), row
    assert json.loads(row["error"]) == {"errorType": "CardDeclined", "errorMessage": "no funds"}, row
    run.said("answered 202")
    table = Run(stream("[b'abc', b'def']", error), json_lines=False)
    assert "CardDeclined: no funds, after 6 bytes of a stream" in table.out, table.out


def test_trailers_that_are_none_are_told_of():
    row = Run(stream("[b'abc']", "{'Lambda-Runtime-Function-Error-Type': 'Function.Oops', 'Lambda-Runtime-Function-Error-Body': '%%'}"))["one-a"]
    assert row["outcome"] == "failed" and row["complaints"] == ["ended a stream with an error body that is no base64"], row
    row = Run(stream("[b'abc']", "{'X-Other': '1'}"))["one-a"]
    assert row["outcome"] == "answered", row


def test_a_stream_that_is_cut_failed():
    run = Run("""
        id, _, _ = Client().next()
        c = Client()
        c.begin_stream(id)
        c.chunk(b"abc")
        c.socket.close()
        time.sleep(0.2)
        Client().next()
    """, "--timeout", "1")
    row = run["one-a"]
    assert (row["outcome"], row["answer"]) == ("failed", "abc"), (row, run.log)
    assert "the connection ended before the stream did, after 3 bytes" in row["error"], row


def test_a_stream_that_comes_is_the_answer():
    """While it comes no other outcome is taken; and what is posted when it was cut comes too late."""
    run = Run("""
        id, _, _ = Client().next()
        c, other = Client(), Client()
        c.begin_stream(id)
        c.chunk(b"abc")
        time.sleep(0.05)
        statuses = [other.post(id, 1), other.post(id, {}, "error"), other.post(id, b"x", headers=STREAMING)]
        statuses.append(c.end_stream())
        id, _, _ = Client().next()
        c = Client()
        c.begin_stream(id)
        c.chunk(b"abc")
        time.sleep(0.05)
        c.socket.close()
        time.sleep(0.02)
        say("statuses", *statuses, other.post(id, 1))
        Client().next()
    """, events={"one-a": "1", "one-b": "2"})
    assert (run["one-a"]["outcome"], run["one-a"]["answer"], run["one-b"]["outcome"]) == ("answered", "abc", "failed"), (run.out, run.log)
    run.said("statuses 403 403 403 202 403")
    assert "complaints" not in run.lines[-1], run.log


def test_a_process_may_die_within_a_stream():
    for end, outcome in (("os._exit(3)", "exited"), ("time.sleep(9)", "timed_out")):
        run = Run(f"""
            c = Client()
            id, _, event = c.next()
            if event == b'2': c.post(id, 2)
            c.begin_stream(id)
            c.chunk(b"abc")
            time.sleep(0.1)
            {end}
        """, "--timeout", "0.5", events={"one-1": "1", "one-2": "2"})
        assert (run["one-1"]["outcome"], run["one-1"]["answer"], run["one-2"]["outcome"]) == (outcome, "abc", "answered"), (run.out, run.log)


def test_streams_may_be_larger_than_answers():
    row = Run(stream("[b'x' * (1 << 20)] * 9"))["one-a"]
    assert row["outcome"] == "answered" and row["streamed_bytes"] == 9 << 20 and len(row["answer"]) == 9 << 20


def test_streams_end_at_200_mb():
    run = Run(stream("[b'x' * (1 << 20)] * 200 + [b'x']"), "--timeout", "30", json_lines=False)
    run.said("answered 413")
    assert "Function.ResponseSizeTooLarge: the stream of 209715201 bytes is larger" in run.out, run.out[-300:]


def test_streams_are_throttled_where_asked():
    durations = [Run(stream("[b'x' * (1 << 20)] * 7"), *options)["one-a"]["duration_ms"] for options in ((), ("--throttle-stream",))]
    assert durations[1] >= 490, durations # 6 MiB at once, one more at 2 MiB/s
    assert durations[0] < durations[1], durations


# ── one at a time ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mode_that_is_none_loses_the_invocation():
    run = Run("""
        c = Client()
        id, _, _ = c.next()
        say(c.post(id, 1, headers={"Lambda-Runtime-Function-Response-Mode": "sideways"}), c.post(id, 1), c.post(id, {}, "error"),
            c.ask("GET", RUNTIME + "invocation/next")[0])
        time.sleep(5)
    """, "--timeout", "0.5")
    run.said("] 400 403 403 403\n")
    row = run["one-a"]
    assert row["outcome"] == "timed_out" and "in a mode that there isn't" in row["complaints"][0], row


def test_another_outcome_is_told_of():
    run = Run("""
        c = Client()
        while True:
            id, _, event = c.next()
            say("twice", c.post(id, 1), c.post(id, 2))
    """, events={"one-a": "{}", "one-b": "{}"})
    run.said("] twice 202 403\n")
    assert [run[name]["answer"] for name in ("one-a", "one-b")] == ["1", "1"]
    assert run["one-a"]["complaints"] == ["posted another outcome for an invocation that had one"], run.out
    assert run.lines[-1] == {"events": 2, "ok": 2, "complaints": 2}, run.lines[-1]
    run.said("the process posted another outcome for an invocation that had one")


# ── several at once ─────────────────────────────────────────────────────────────────────────────────────────────────────

EIGHT = {f"one-{letter}": json.dumps(letter) for letter in "abcdefgh"}


def test_several_run_at_once():
    run = Run("""
        everybody = threading.Barrier(8)
        @each_event
        def work(c, id, fields, event):
            everybody.wait(4)
            c.post(id, {"event": json.loads(event), "id": fields["lambda-runtime-invocation-id"]},
                   headers={"Lambda-Runtime-Invocation-Id": fields["lambda-runtime-invocation-id"]})
    """, "--concurrency", "8", "--plays", "3", events=EIGHT)
    assert run.status == 0 and len(run.lines) == 25, run.log
    told = [answer(line) for line in run.lines[:-1]]
    assert sorted(t["event"] for t in told) == sorted("abcdefgh" * 3)
    assert len({t["id"] for t in told}) == 24 and all(re.fullmatch("[0-9a-f-]{36}", t["id"]) for t in told), told
    assert len({line["pid"] for line in run.lines[:-1]}) == 1


def test_no_more_than_asked_for():
    run = Run("""
        now = peak = 0
        lock = threading.Lock()
        os.environ["AWS_LAMBDA_MAX_CONCURRENCY"] = "8"
        @each_event
        def work(c, id, fields, event):
            global now, peak
            with lock:
                now += 1
                peak = max(peak, now)
            time.sleep(0.02)
            with lock: now -= 1
            c.post(id, peak)
    """, "--concurrency", "3", "--plays", "2", events=EIGHT)
    assert max(int(line["answer"]) for line in run.lines[:-1]) <= 3, run.out


def test_numbered_events_keep_their_order():
    names = [f"one-{letter}-{n}" for letter in "abcd" for n in (1, 2, 3)]
    run = Run("""
        seen = []
        @each_event
        def work(c, id, fields, event):
            seen.append(json.loads(event))
            c.post(id, list(seen))
    """, "--concurrency", "8", "--plays", "2", events={name: json.dumps(name) for name in (*names, "one-zzz")})
    order = max((answer(line) for line in run.lines[:-1]), key=len)
    for n, at in enumerate(at for at, name in enumerate(order) if name == "one-zzz"): # it comes after them: not before their nth play is over
        assert all(order[:at].count(name) > n for name in names), order
    for letter in "abcd":
        assert [n for n in order if n[4] == letter] == [f"one-{letter}-{n}" for n in (1, 2, 3)] * 2, order


def test_invocation_ids_are_checked():
    run = Run("""
        @each_event
        def work(c, id, fields, event):
            say("statuses", c.post(id, 1, headers={"Lambda-Runtime-Invocation-Id": "another"}),
                c.post(id, 2, headers={"Lambda-Runtime-Invocation-Id": "another", **STREAMING}), c.post(id, 3), c.post(id, 4), c.post("no-such", 5))
    """, "--concurrency", "2", "--plays", "5")
    run.said("statuses 410 410 202 400 400\n")
    assert run["one-a"]["answer"] == "3"
    assert run.lines[-1]["complaints"] >= 3, run.log


def test_late_outcomes_are_410_and_the_process_lives():
    run = Run("""
        @each_event
        def work(c, id, fields, event):
            if event == b'"late"': time.sleep(0.6)
            say("status", c.post(id, 1))
    """, "--concurrency", "2", "--timeout", "0.3", events={"one-1": '"late"', "one-2": '"a"', "one-3": '"late"', "one-4": '"b"', "one-5": '"c"'})
    assert [run[f"one-{n}"]["outcome"] for n in range(1, 6)] == ["timed_out", "answered", "timed_out", "answered", "answered"], run.out
    run.said("status 410\n")
    assert len({row["pid"] for row in run.rows.values()}) == 1 and "complaints" not in run.lines[-1], run.log


def test_a_late_stream_may_be_cut():
    """Nobody waits for it any more: its connection's end is told of once."""
    run = Run("""
        @each_event
        def work(c, id, fields, event):
            if event == b'"late"':
                late = Client()
                late.begin_stream(id)
                late.chunk(b"abc")
                time.sleep(0.5)
                late.socket.close()
            else:
                time.sleep(0.2)
                c.post(id, 1)
    """, "--concurrency", "2", "--timeout", "0.3", events={"one-a": '"late"', **{f"one-{n}": "1" for n in "bcde"}})
    assert [run[f"one-{n}"]["outcome"] for n in "abcde"] == ["timed_out", *["answered"] * 4], (run.out, run.log)
    assert len({row["pid"] for row in run.rows.values()}) == 1 and "complaints" not in run.lines[-1], run.log


def test_a_mode_that_is_none_is_the_callers_at_once():
    run = Run("""
        @each_event
        def work(c, id, fields, event):
            say("statuses", c.post(id, 1, headers={"Lambda-Runtime-Function-Response-Mode": "sideways"}), c.post(id, 1))
    """, "--concurrency", "2", "--plays", "4", events={"one-a": "1", "one-b": "2"})
    assert run["one-a"]["error"] == run["one-b"]["error"] == '{"errorType":"Runtime.InvalidResponseModeHeader"}', run.out
    run.said("statuses 400 400\n")


def test_a_process_that_dies_takes_its_own_along():
    run = Run("""
        @each_event
        def work(c, id, fields, event):
            if event == b'"die"':
                time.sleep(0.3)
                os._exit(7)
            time.sleep(0.05 if event == b'"quick"' else 5)
            c.post(id, os.getpid())
    """, "--concurrency", "4", events={"one-a": '"die"', "one-b": '"quick"', "one-c": '"slow"'})
    assert [run[n]["outcome"] for n in ("one-a", "one-b", "one-c")] == ["exited", "answered", "exited"], (run.out, run.log)


def test_records_are_filed_by_their_request_ids():
    run = Run("""
        together = threading.Barrier(2)
        @each_event
        def work(c, id, fields, event):
            together.wait(4)
            say(json.dumps({"requestId": id, "message": "of " + id}))
            together.wait(4)
            c.post(id, 1)
    """, "--concurrency", "2", events={"one-a": "1", "one-b": "2"})
    found = re.findall(r"^\[One ([0-9a-f-]{36})\] .*\"message\": \"of ([0-9a-f-]{36})\"", run.log, re.M)
    assert len(found) == 2 and all(prefix == id for prefix, id in found), run.log


def test_its_environment_is_that_of_managed_instances():
    script = "@each_event\ndef work(c, id, fields, event): c.post(id, dict(os.environ))"
    told = answer(Run(script, "--concurrency", "3")["one-a"])
    want = {"AWS_LAMBDA_MAX_CONCURRENCY": "3", "AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances", "LATCH_STORE": "embedded",
            "AWS_LAMBDA_LOG_FORMAT": "JSON"}
    assert {name: told.get(name) for name in want} == want, told
    for name, value in (("LATCH_STORE", "dynamodb"), ("LATCH_TABLE", "mine")):
        told = answer(Run(script, "--concurrency", "3", "--env", f"{name}={value}")["one-a"])
        assert told[name] == value and told.get("LATCH_STORE") != "embedded", told
    told = answer(Run("c = Client()\nc.post(c.next()[0], dict(os.environ))\nc.next()", "--concurrency", "1")["one-a"])
    assert not set(want) & set(told), told


# ── SnapStart ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_snapshot_is_taken_and_restored():
    run = Run("""
        c = Client()
        say("restored", c.ask("GET", RUNTIME + "restore/next")[0], c.ask("GET", RUNTIME + "restore/next")[0])
        while True: c.post(c.next()[0], {name: os.environ.get(name) for name in ("AWS_LAMBDA_INITIALIZATION_TYPE", "LATCH_STORE", "AWS_SECRET_ACCESS_KEY")})
    """, "--snapstart", environment={"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"})
    assert answer(run["one-a"]) == {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start", "LATCH_STORE": "embedded", "AWS_SECRET_ACCESS_KEY": None}
    run.said("the snapshot is taken, after an init of ")
    run.said("] restored 200 403\n")
    assert run.log.index("the snapshot is taken") < run.log.index("restored for the first invocation") and "complaints" not in run.lines[-1]


def test_a_snapshot_is_frozen_until_it_is_needed():
    """serve takes it before anybody asks: the process is stopped, and goes on with the first request."""
    script = """
        c = Client()
        print("here", os.getpid(), flush=True)
        c.ask("GET", RUNTIME + "restore/next")
        while True: c.post(c.next()[0], {"statusCode": 200, "body": "restored"})
    """
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as folder:
        folder = pathlib.Path(folder)
        write_bootstrap(folder, script)
        (folder / "template.yaml").write_text(TEMPLATE.rstrip()[:-2] + ", FunctionUrlConfig: {AuthType: NONE}}}\n")
        with open(folder / "log", "w+") as log:
            process = subprocess.Popen([LATCH_LOCAL, "serve", "--port", "0", "--snapstart", "--", "./bootstrap"], cwd=folder, text=True,
                                       stdout=subprocess.PIPE, stderr=log)
            try:
                address = re.search(r"http://[0-9.:]+", process.stdout.readline()).group(0)
                pid = await_text(folder / "log", r"here (\d+)[^$]*the snapshot is taken")
                await_text(pathlib.Path(f"/proc/{pid}/stat"), r"^\d+ \([^)]*\) (T)")
                assert "restored for the first" not in (folder / "log").read_text()
                assert urllib.request.urlopen(address, timeout=10).read() == b"restored"
                assert "restored for the first invocation" in (folder / "log").read_text()
            finally:
                process.terminate()
                process.wait(10)
        assert not any(word in (folder / "log").read_text() for word in FORBIDDEN), (folder / "log").read_text()


def test_credentials_come_by_their_endpoint():
    script = """
        import urllib.request, urllib.error
        c = Client()
        c.ask("GET", RUNTIME + "restore/next")
        def get(token):
            request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": token} if token else {})
            try: return json.loads(urllib.request.urlopen(request).read())
            except urllib.error.HTTPError as error: return error.code
        id, _, _ = c.next()
        c.post(id, [get(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]), get("no"), get(None)])
        c.next()
    """
    keys, wrong, none = answer(Run(script, "--snapstart", environment={"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
                                                                        "AWS_SESSION_TOKEN": "t"})["one-a"])
    assert (keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"], wrong, none) == ("k", "s", "t", 403, 403), keys
    assert time.strptime(keys["Expiration"], "%Y-%m-%dT%H:%M:%SZ") > time.gmtime()


def test_errors_around_a_snapshot():
    """Status 64 after an init error, 65 after a restore error: told, and the next event has a process of its own."""
    for when, status, says in (("init", 64, "an init error: Function.NoConfig"), ("restore", 65, "a restore error: Function.NoConfig")):
        run = Run(f"""
            c = Client()
            if "{when}" == "restore": c.ask("GET", RUNTIME + "restore/next")
            say("status", c.ask("POST", RUNTIME + "{when}/error", {{"Lambda-Runtime-Function-Error-Type": "Function.NoConfig"}}, b'{{"errorType":"NoConfig"}}')[0])
            say("then", c.ask("GET", RUNTIME + "invocation/next")[0])
            os._exit({status})
        """, "--snapstart", events={"one-a": "1", "one-b": "2"})
        for name in ("one-a", "one-b"):
            row = run[name]
            assert (row["outcome"], row["error"], row["error_type"]) == ("init_failed", '{"errorType":"NoConfig"}', "Function.NoConfig"), row
        run.said(f"the process has posted {says}")
        run.said(f"after that the process exited with status {status}")
        run.said("] status 202\n")
        run.said("] then 403\n")


def test_what_a_snapshot_refuses():
    run = Run("""
        c = Client()
        say("before", c.ask("POST", RUNTIME + "restore/error", {}, b"{}")[0], c.ask("POST", RUNTIME + "restore/next", {}, b"{}")[0])
        id, _, _ = c.next()
        say("after", c.ask("GET", RUNTIME + "restore/next")[0], c.ask("POST", RUNTIME + "restore/error", {}, b"{}")[0])
        c.post(id, 1)
        c.next()
    """, "--snapstart")
    run.said("] before 403 405\n")
    run.said("] after 403 403\n")
    run.said("without GET /runtime/restore/next before: Lambda would have no snapshot of it")
    without = Run("""
        c = Client()
        say("none", c.ask("GET", RUNTIME + "restore/next")[0], c.ask("POST", RUNTIME + "restore/error", {}, b"{}")[0],
            c.ask("GET", "/2021-04-23/credentials")[0])
        c.post(c.next()[0], 1)
        c.next()
    """)
    without.said("] none 404 404 404\n")


# ── extensions and the end ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_extensions_are_refused():
    run = Run("""
        c = Client()
        def register(name, body):
            status, fields, got = c.ask("POST", EXTENSION + "register", {"Lambda-Extension-Name": name} if name else {}, body)
            return [status, json.loads(got).get("errorType", "")]
        def next(id):
            status, _, got = c.ask("GET", EXTENSION + "event/next", {"Lambda-Extension-Identifier": id} if id else {})
            return [status, json.loads(got).get("errorType", "")]
        told = [register("", b'{"events":[]}'), register("a", b'{"events":["SHUTDOWN"]}'), register("a", b'{"events":["X"]}'), register("a", b'xx'),
                next(""), next("short"), next("11111111-1111-1111-1111-111111111111")]
        id, _, _ = c.next()
        told.append(register("late", b'{"events":[]}'))
        c.post(id, told)
        c.next()
    """)
    assert answer(run["one-a"]) == [[403, "Extension.InvalidExtensionName"], [403, "Extension.InvalidEventType"],
                                    [403, "Extension.InvalidEventType"], [403, "InvalidRequestFormat"],
                                    [403, "Extension.MissingExtensionIdentifier"], [403, "Extension.InvalidExtensionIdentifier"],
                                    [403, "Extension.UnknownExtensionIdentifier"], [403, "Extension.RegistrationClosed"]], run["one-a"]["answer"]


def test_nothing_is_handed_out_before_extensions_wait():
    run = Run("""
        extension, id = register()
        c = Client()
        c.send("GET", RUNTIME + "invocation/next")
        c.socket.settimeout(0.3)
        try: early = bool(c.socket.recv(1, socket.MSG_PEEK))
        except TimeoutError: early = False
        c.socket.settimeout(None)
        extension.send("GET", EXTENSION + "event/next", {"Lambda-Extension-Identifier": id})
        _, fields, _ = c.receive()
        c.post(fields["lambda-runtime-aws-request-id"], {"early": early})
        c.next()
    """)
    assert answer(run["one-a"]) == {"early": False}
    run.said("extension internal is registered")


def test_extensions_hear_of_invocations():
    run = Run("""
        extension, id = register("listener", ["INVOKE"])
        extension.send("GET", EXTENSION + "event/next", {"Lambda-Extension-Identifier": id})
        c = Client()
        request, fields, _ = c.next()
        status, told, event = extension.receive()
        event = json.loads(event)
        c.post(request, [status, event["eventType"], event["requestId"] == request, str(event["deadlineMs"]) == fields["lambda-runtime-deadline-ms"],
                         "lambda-extension-event-identifier" in told])
        c.next()
    """)
    assert answer(run["one-a"]) == [200, "INVOKE", True, True, True]


END = """
def told(*_):
    say("heard SIGTERM")
    BEHAVIOUR
signal.signal(signal.SIGTERM, told)
if EXTENSION_TOO:
    extension, id = register()
    extension.send("GET", EXTENSION + "event/next", {"Lambda-Extension-Identifier": id})
c = Client()
c.post(c.next()[0], 1)
c.send("GET", RUNTIME + "invocation/next")
while True: time.sleep(0.05)
"""


def test_sigterm_is_for_who_registered():
    began = time.monotonic()
    run = Run(END.replace("BEHAVIOUR", "os._exit(0)").replace("EXTENSION_TOO", "True"))
    run.said("heard SIGTERM")
    assert "SIGKILL" not in run.log.split("heard")[1], run.log
    run = Run(END.replace("BEHAVIOUR", "time.sleep(9)").replace("EXTENSION_TOO", "True"))
    run.said("half a second after SIGTERM the process was still there: SIGKILL")
    run = Run(END.replace("BEHAVIOUR", "os._exit(0)").replace("EXTENSION_TOO", "False"))
    assert "heard SIGTERM" not in run.log, run.log
    assert time.monotonic() - began < 20


def test_nothing_is_started_once_it_is_to_stop():
    """What ends in the half second of grace makes room for nobody."""
    functions = TEMPLATE + "  Two: {Type: 'AWS::Serverless::Function', Properties: {Handler: two}}\n"
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as folder:
        folder = pathlib.Path(folder)
        (folder / "events").mkdir()
        (folder / "template.yaml").write_text(functions)
        for name in ("one-a", "two-b"): (folder / f"events/{name}.json").write_text("{}")
        write_bootstrap(folder, """
            asked = threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: asked.set())
            say("started", os.environ["_HANDLER"])
            extension, id = register()
            extension.send("GET", EXTENSION + "event/next", {"Lambda-Extension-Identifier": id})
            c = Client()
            id, _, _ = c.next()
            say("at it")
            while not asked.is_set(): time.sleep(0.005)
            c.post(id, 1)
            c.send("GET", RUNTIME + "invocation/next")
            time.sleep(0.1)
            os._exit(0)
        """)
        with open(folder / "log", "w") as log:
            process = subprocess.Popen([LATCH_LOCAL, "invoke", "--json", "events", "--", "./bootstrap"], cwd=folder, text=True,
                                       stdout=subprocess.PIPE, stderr=log)
            await_text(folder / "log", "(at it)")
            process.terminate()
            rows = [json.loads(line) for line in process.communicate(timeout=20)[0].splitlines()]
        told = (folder / "log").read_text()
    assert [row.get("outcome") for row in rows] == ["answered", None] and process.returncode == 1, rows
    assert "started one" in told and "started two" not in told and "stopped by SIGTERM" in told, told
    assert not any(word in told for word in FORBIDDEN), told


def test_an_idle_process_may_end():
    with Serving("""
        c = Client()
        c.post(c.next()[0], {"statusCode": 200})
        c.send("GET", RUNTIME + "invocation/next")
        time.sleep(0.5)
        os.kill(os.getpid(), 9)
    """) as serving:
        for n in (1, 2):
            assert serving.ask(b"/").startswith(b"HTTP/1.1 200")
            await_text(serving.folder / "log", "(?s)" + "(to do: killed by signal 9 .SIGKILL, Killed.; the next event starts another).*" * n)
    assert "[f -] the process ended while it had nothing to do: killed" in serving.log, serving.log


def test_what_comes_while_it_stops_is_refused():
    with Serving("""
        asked = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: (asked.set(), say("heard")))
        extension, id = register()
        extension.send("GET", EXTENSION + "event/next", {"Lambda-Extension-Identifier": id})
        c = Client()
        c.post(c.next()[0], {"statusCode": 200})
        c.send("GET", RUNTIME + "invocation/next")
        asked.wait()
        time.sleep(5)
    """) as serving:
        assert serving.ask(b"/").startswith(b"HTTP/1.1 200")
        serving.process.terminate()
        await_text(serving.folder / "log", "(heard)")
        assert serving.ask(b"/").startswith(b"HTTP/1.1 503 "), "it was kept for the end"
    assert "GET    /  503" in serving.out and "latch-local is being stopped" in serving.out, serving.out


# ── logs ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_without_an_end_is_its_invocations():
    run = Run("""
        os.write(1, b"in init")
        c = Client()
        while True:
            id, _, event = c.next()
            os.write(1, b"of " + event)
            c.post(id, 1)
    """, "--plays", "2", events={"one-a": "1", "one-b": "2"})
    told = [re.sub(r"\[One [0-9a-f-]{36}\]", lambda found: names[found[0][5:-1]], line) for names in
            [{row["request_id"]: row["event"] for row in run.lines[:-1]}] for line in run.log.splitlines()]
    assert told == ["[One init] in init", "one-a of 1", "one-b of 2", "one-a of 1", "one-b of 2"], run.log


def test_what_is_logged_after_the_answer_is_its_own():
    """Of several at once: a record says whose it is, also when that is over and another one alone is under way."""
    with Serving("""
        @each_event
        def work(c, id, fields, event):
            if b"/slow" in event:
                say("slow is", id)
                while not os.path.exists("go"): time.sleep(0.005)
            c.post(id, {"statusCode": 200, "body": id})
            say(json.dumps({"requestId": id, "message": "late words"}))
            if b"/slow" not in event: say(json.dumps({"requestId": "of-somebody-who-was-never-asked-for-it", "message": "alone"}))
    """, "--concurrency", "2") as serving:
        slow = threading.Thread(target=serving.ask, args=(b"/slow",))
        slow.start()
        slow_id = await_text(serving.folder / "log", r"slow is (\S+)\n")
        quick_id = serving.ask(b"/quick").decode().split("\r\n\r\n")[1]
        await_text(serving.folder / "log", '("message": "alone")')
        logs = [json.loads(serving.ask(b"/_latch/invocations/%d" % n).decode().split("\r\n\r\n")[1])["log"] for n in (1, 2)]
        (serving.folder / "go").touch()
        slow.join()
    assert f"[f {quick_id}] {{\"requestId\": \"{quick_id}\", \"message\": \"late words\"}}\n" in serving.log, serving.log
    assert "late words" in logs[1] and "late words" not in logs[0] and "alone" in logs[0], logs
    assert slow_id != quick_id


def test_bytes_of_a_log_are_kept():
    run = Run("c = Client()\nwhile True:\n    id, _, _ = c.next()\n    os.write(1, b'before\\0after\\x1b[1m\\n')\n    c.post(id, 1)")
    run.said("] before\0after\x1b[1m\n")


class Serving:
    """latch-local serve without a template, while the block lasts; then `out` and `log` are what it wrote."""

    def __init__(self, script, *options):
        self.script, self.options = script, options

    def __enter__(self):
        self.holder = tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp"))
        self.folder = pathlib.Path(self.holder.name)
        write_bootstrap(self.folder, self.script)
        with open(self.folder / "out", "w") as out, open(self.folder / "log", "w") as log:
            words = [LATCH_LOCAL, "serve", "--function", "f", "--port", "0", *self.options, "--", "./bootstrap"]
            self.process = subprocess.Popen(words, cwd=self.folder, stdout=out, stderr=log)
        try:
            self.port = int(await_text(self.folder / "out", r"serves http://127\.0\.0\.1:(\d+)\n"))
        except AssertionError:
            self.end()
            raise
        return self

    def ask(self, target):
        """A GET of these bytes: all of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: client.recv(1 << 20), b""))

    def end(self):
        self.process.terminate()
        self.process.wait(10)
        self.out, self.log = ((self.folder / name).read_text(errors="surrogateescape") for name in ("out", "log"))
        self.holder.cleanup()

    def __exit__(self, *_):
        self.end()
        assert not any(word in self.log for word in FORBIDDEN), self.log


def test_a_request_is_one_line():
    """Whatever is in its target, or in the words of the handler that failed."""
    error = {"errorType": "Odd", "errorMessage": "first\nsecond \x1b[31mred \u2028 <b>"}
    with Serving(f"""
        c = Client()
        while True:
            id, _, event = c.next()
            c.post(id, {error!r}, "error") if b"/fail" in event else c.post(id, {{"statusCode": 200}})
    """) as serving:
        for target in (b"/fail", b"/esc\x1b[31m\x07", b"/high\xff\xc3\xa9\xc2\x9b", b"/" + b"x" * 5000):
            assert serving.ask(target).startswith(b"HTTP/1.1 502" if target == b"/fail" else b"HTTP/1.1 200"), target
    lines = serving.out.split("\n")[-5:]
    assert re.fullmatch(r"[0-9:]{8}  GET    /fail  502  [0-9.]+ ms  f  Odd: first second  \[31mred \u2028 <b>", lines[0]), lines[0]
    assert [line.split()[2] for line in lines[1:3]] == ["/esc", "/high?\u00e9"] and lines[4] == "", lines
    assert len(lines[3].split()[2]) == 200 and lines[3].split()[2].endswith("x…") and " 200 " in lines[3], lines[3]
    assert "\x1b" not in serving.out and "\x07" not in serving.out


# ── where latch-local itself stands still ───────────────────────────────────────────────────────────────────────────────


def still_counts():
    """The twin."""
    return str(pathlib.Path(LATCH_LOCAL).parent / "tests/tools/latch_local_still_counts")


def play_while(stand_still, script, *options, events, program=None):
    """The rows of a run during which stand_still(process, log) keeps latch-local from turning for longer than the timeout."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as folder:
        folder = pathlib.Path(folder)
        (folder / "events").mkdir()
        for name in events:
            (folder / "events" / f"one-{name}.json").write_text(json.dumps(name))
        (folder / "template.yaml").write_text(TEMPLATE)
        write_bootstrap(folder, script)
        with open(folder / "log", "w+") as log:
            process = subprocess.Popen([program or LATCH_LOCAL, "invoke", "--json", *options, "events", "--", "./bootstrap"], cwd=folder,
                                       text=True, stdout=subprocess.PIPE, stderr=log)
            try:
                stand_still(process, folder / "log")
                rows = [json.loads(line) for line in process.communicate(timeout=60)[0].splitlines()]
            finally:
                process.kill()
                process.wait()
        told = (folder / "log").read_text()
        assert not any(word in told for word in FORBIDDEN), told
        return {row["event"]: row for row in rows[:-1]}, told


def read_late(process, log):
    """Standard output's pipe is full, and stays so."""
    size = fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ)
    until = time.monotonic() + 10
    while struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4)))[0] < size:
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.005)
    time.sleep(1.6)


def be_stopped(process, log):
    await_text(log, "(at it)")
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.6)
    process.send_signal(signal.SIGCONT)


def told_as_late(rows):
    return [name for name, row in rows.items() if row["outcome"] != "answered" or row["duration_ms"] > 1000 or "note" in row]


def test_nobody_is_late_because_output_is_read_late():
    script = """
        together = threading.Barrier(4)
        @each_event
        def work(c, id, fields, event):
            together.wait(4)
            if event != b'"a"': time.sleep(0.1)
            c.post(id, "x" * 300000)
    """
    for program in (None, still_counts()):
        rows, log = play_while(read_late, script, "--concurrency", "4", "--timeout", "1", events="abcd", program=program)
        assert len(rows) == 4 and bool(told_as_late(rows)) == bool(program), (rows, log)


def test_nobody_is_late_because_latch_local_was_stopped():
    script = """
        c = Client()
        while True:
            id, _, _ = c.next()
            say("at it")
            time.sleep(0.1)
            c.post(id, 1)
    """
    for program in (None, still_counts()):
        rows, log = play_while(be_stopped, script, "--timeout", "1", events="a", program=program)
        assert len(rows) == 1 and bool(told_as_late(rows)) == bool(program), (rows, log)


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_faults_are_the_same_with_the_same_seed():
    script = "c = Client()\nwhile True: c.post(c.next()[0], 1)"
    soft = ("post-400", "post-403", "post-410", "post-413", "next-empty", "next-no-deadline", "next-past-deadline")
    def faults(seed):
        run = Run(script, "--plays", "60", *[word for kind in soft for word in ("--fault", f"{kind}%8")], *(["--seed", str(seed)] if seed else []))
        assert run.lines[-1].get("complaints") is None, run.log
        return [line.get("fault") for line in run.lines[:-1]]
    first = faults(7)
    assert first == faults(7) and first != faults(8) and first != faults(None)
    assert 10 <= sum(fault is not None for fault in first) <= 45 and set(first) - {None} <= set(soft), first


def test_faults_by_number_and_always():
    script = "c = Client()\nwhile True: c.post(c.next()[0], 1)"
    run = Run(script, "--plays", "4", "--fault", "post-410@2", "--fault", "post-403@3")
    assert [line.get("fault") for line in run.lines[:-1]] == [None, "post-410", "post-403", None], run.out
    assert [line["outcome"] for line in run.lines[:-1]] == ["answered", "failed", "failed", "answered"], run.out
    run = Run(script, "--plays", "3", "--fault", "next-403")
    assert "fault" not in run.lines[0], "a process gets its first event without one"
    for wrong in ("nothing", "post-410@0", "post-410@x", "any%", "any%101", "any%-1", "post-410@2x"):
        run = Run(script, "--fault", wrong, json_lines=False)
        assert run.status == 2 and "latch-local faults lists the kinds" in run.log, (wrong, run.log)


def test_who_survives_a_500_is_told_of():
    script = "c = Client()\nwhile True:\n    id, _, event = c.next()\n    if c.post(id, 1) == 500: "
    options = ("--plays", "3", "--fault", "post-500@2")
    for behaviour, complaint in (("sys.exit(1)", None), ("time.sleep(9)", "did not end within a second after the Runtime API's 500, and was killed"),
                                 ("pass", "asked for another event after it was told to end")):
        run = Run(script + behaviour, *options)
        assert run.lines[1]["fault"] == "post-500" and run.lines[1].get("complaints", [None])[0] == complaint, (behaviour, run.out, run.log)
        assert re.match(r"its process ended \d+ ms after the 500: ", run.lines[1]["note"]), run.out
        assert run.lines[2]["outcome"] == "answered" and run.lines[2]["pid"] != run.lines[1]["pid"], run.out


def main():
    global LATCH_LOCAL
    LATCH_LOCAL = str(pathlib.Path(sys.argv[1]).resolve())
    globals()[f"test_{sys.argv[2]}"]()


if __name__ == "__main__":
    main()
