#!/usr/bin/env python3
"""bench_runtime.py RELEASE TEST - bench/runtime, with few repetitions: it gives figures, and none for a function that does wrong.

RELEASE is a build with bench/. Nothing is asserted about how long anything takes, but that a function that naps is slower than its nap. Each
test_… below is one entry of ctest.
"""
from benched import RELEASE, check_missing, check_refused, count_drawn, main, path_with, patience, rows_in_table, run, script

BENCH = RELEASE / "bench"
SMALL = ["--rounds", "3", "--invocations", "100", "--streams", "1", "--stream-bytes", "3000001", "--events", "1", "--event-bytes", "1000000",
         "--workers", "0", "--worker-rounds", "1", "--worker-ms", "300"]


def bench(scratch, rows, *more, status=0, environment=None):
    return run("runtime", scratch, rows, [*SMALL, "--tools", BENCH, "--static", BENCH, *more], status, environment)


def check_echo(name, row):
    assert 0 < row["p50_us"] <= row["p99_us"] < 20e6, f"{name}: {row}"
    assert row["ready_us"] > 0 and row["cpu_us"] > 0, f"{name}: {row}"
    assert row["wall_us"] >= 0.5 * row["p50_us"], f"{name}: half of all took longer than all of them did: {row}"


def check_large(name, row):
    assert row["took_us"] > 0 and row["cpu_us"] > 0 and 0 <= row["grown_bytes"] < 100e6, f"{name}: {row}"


def test_every_row_has_figures(scratch):
    rows = ["bare sockets", "Latch", "Go"]
    said, figures = bench(scratch, rows)
    if "Go: not measured: there is no Go 1.26" in said:
        rows.remove("Go")
    assert sorted(figures["functions"]) == sorted(rows), figures
    for name, row in figures["functions"].items():
        assert row["fault"] == {}, f"{name}: {row}"
        check_echo(name, row["echo"])
        check_large(name, row["big"])
        assert ("stream" in row) == (name != "bare sockets"), row
        if "stream" in row:
            check_large(name, row["stream"])
        assert said.count(f"\n  {name} ") == (3 if "stream" in row else 2), said
    goals = {goal["what"]: goal for goal in figures["goals"]}
    assert "memory that a stream takes" in goals and "copies of an event of 1 MB" in goals and ("a stream of 3 MB, by Go's" in goals) == ("Go" in rows), goals
    for what, goal in goals.items():
        assert goal["met"] == (round(goal["value"], 2) <= goal["at_most"]), goal
        printed = next(line for line in said.splitlines() if line.startswith(f"  {what}"))
        assert printed.endswith(" met" if goal["met"] else " MISSED"), printed
    copies = goals["copies of an event of 1 MB"]["value"]
    assert abs(copies - figures["functions"]["Latch"]["big"]["grown_bytes"] / 1e6) < 1e-9 and copies >= 1, copies
    assert rows_in_table(scratch) == sorted(rows)
    assert count_drawn(scratch, "rect") == 4 * len(rows) - 1


def test_workers_have_a_curve(scratch):
    for _ in range(4):  # one that finds the machine so busy that eight who wait do no more than one isn't the last word
        said, figures = bench(scratch, ["Latch"], "--rounds", "1", "--streams", "0", "--events", "0", "--workers", "8")
        if figures["workers"]["wait"]["8"] > 2 * figures["workers"]["wait"]["1"]:
            break
    assert sorted(figures["workers"]) == ["echo", "wait"], figures
    for handler, curve in figures["workers"].items():
        assert list(map(int, curve)) == [1, 2, 4, 8] and all(per_s > 0 for per_s in curve.values()), f"{handler}: {curve}"
    wait = figures["workers"]["wait"]
    assert wait["1"] < 500, f"one that waits 2 ms can't do more in a second: {wait}"
    assert wait["8"] > 2 * wait["1"], wait
    assert "a handler that waits 2 ms" in said, said
    assert count_drawn(scratch, "circle") == 8


def test_workers_that_are_too_few_have_no_curve(scratch):
    """One that knows nothing of workers asks by one connection, however many there should be."""
    said, figures = bench(scratch, ["Latch"], "--rounds", "1", "--streams", "0", "--events", "0", "--workers", "2", "--latch", BENCH / "bench_floor",
                          status=1, environment={"LATCH_BENCH_PATIENCE_MS": "1000"})
    assert figures["functions"]["Latch"]["fault"] == {"workers": "asked by 1 connections and was to ask by 2"}, figures
    assert figures["workers"] == {} and "NO FIGURES: it asked by 1 connections" in said, said


REPLY = """
stream = os.environ['_HANDLER'] == 'stream'
pattern = bytes(33 + i % 64 for i in range(65536))
def blocks(event):
  left = json.loads(event)['bytes']
  while left > 0:
    yield pattern[:left]
    left -= 65536
def reply(id, event):
  post(id + '/response', blocks(event) if stream else event, {'Transfer-Encoding': 'chunked'} if stream else {})
"""

SOON_MS, LATER_MS = "500", "5000"  # LATER: Python has started meanwhile, on a busy machine too

TWINS = {  # a function that does wrong, and what is said of it in place of figures: of small events, streams, large events
    "ends at once": ("sys.exit(3)", ["ended with status 3 before it asked for /next"] * 3),
    "is killed": ("os.kill(os.getpid(), 9)", ["ended by signal 9 before it asked for /next"] * 3),
    "connects and says nothing": ("api.connect(); time.sleep(60)", [f"was silent for {SOON_MS} ms before it asked for /next", None, None]),
    "asks for something else": ("api.request('GET', '/'); time.sleep(60)", ["asked for something else than /next"] * 3),
    "never answers": ("ask(); time.sleep(60)", [f"was silent for {LATER_MS} ms before it answered an invocation", None, None]),
    "reports an error": ("id, event = ask(); post(id + '/error', b'{}'); time.sleep(60)", ["did not answer its invocation"] * 3),
    "answers something else": ("id, event = ask(); post(id + '/response', b'{\"user\":1}' * 20); time.sleep(60)",
                               [" with 200 others: {\"user\":1}", "streamed other bytes than it was asked for, after 0", " with 200 others"]),
    "answers less of what is large": ("while True:\n  id, event = ask()\n  reply(id, event if stream or len(event) < 1000 else event[:500000] + event[-20:])",
                                      [None, None, "answered 1000000 bytes with 500020 others"]),
    "streams less": ("while True:\n  id, event = ask()\n  reply(id, event.replace(b'3000001', b'3000000'))",
                     [None, "streamed 3000000 bytes, and was asked for 3000001", None]),
    "streams other bytes": ("pattern = pattern[:65000] + b'?' * 536\nwhile True:\n  reply(*ask())", [None, "streamed other bytes than it was asked for", None]),
    "fails in the middle of a stream": (
        "id, event = ask()\napi.connect()\napi.sock.sendall(b'POST ' + (base + id).encode() + b'/response HTTP/1.1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
        "3\\r\\n!\"#\\r\\n0\\r\\nLambda-Runtime-Function-Error-Type: Some\\r\\n\\r\\n')\ntime.sleep(60)",
        ["failed in the middle of its stream: Lambda-Runtime-Function-Error-Type: Some"] * 3),
    "ends after some": ("for _ in range(2):\n  reply(*ask())\nsys.exit(4)", ["ended with status 4 between two invocations"] * 3),
}


def test_a_twin_that_does_wrong_has_no_figures(scratch):
    for number, (name, (words, wants)) in enumerate(TWINS.items()):
        want = next(want for want in wants if want)
        once = ["--streams", "0", "--events", "0"] if " ms before" in want else []
        twin = script(scratch, f"twin{number}", REPLY + words)
        said, figures = bench(scratch, ["Latch"], "--rounds", "1", "--invocations", "3", *once, "--latch", twin, status=1, environment=patience(want))
        row = figures["functions"]["Latch"]
        for kind, want in zip(("echo", "stream", "big"), wants):
            told = row["fault"].get(kind, "")
            assert (want is None) == (told == "") and (want or "") in told, f"{name}, {kind}: {row}"
            assert want is None or row[kind] == {}, f"{name}, {kind}: {row}"
        assert said.count("NO FIGURES: it ") == len([want for want in wants if want]), f"{name}: {said}"


NAP_MS, HOARD_BYTES = 4, 5_000_000
WORSE = f"""
hoard = []
while True:
  id, event = ask()
  time.sleep({NAP_MS} / 1000)
  if len(event) > 1000 or b'3000001' in event: hoard.append(bytearray(os.urandom({HOARD_BYTES})))
  reply(id, event)
"""


def test_a_worse_twin_is_measured_as_worse(scratch):
    """Its naps are in its times, and what it hoards in its memory: the goals say so."""
    said, figures = bench(scratch, ["Latch"], "--rounds", "1", "--invocations", "10", "--latch", script(scratch, "worse", REPLY + WORSE))
    row = figures["functions"]["Latch"]
    assert row["echo"]["p50_us"] > NAP_MS * 1e3 and row["stream"]["took_us"] > NAP_MS * 1e3 and row["big"]["took_us"] > NAP_MS * 1e3, row
    assert row["echo"]["ready_us"] < row["echo"]["p50_us"], row
    assert row["stream"]["grown_bytes"] >= HOARD_BYTES and row["big"]["grown_bytes"] >= HOARD_BYTES, row
    for what in ("memory that a stream takes", "copies of an event of 1 MB"):
        assert not next(goal for goal in figures["goals"] if goal["what"] == what)["met"], figures["goals"]
    assert said.count(" MISSED\n") == 2, said


def test_several_connections_are_served(scratch):
    """A client that asks by one and answers by another has figures, too, and needn't wait for whoever looks at one only."""
    words = ("def other():\n  global api\n  api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n"
             "while True:\n  id, event = ask()\n  other()\n  reply(id, event)\n  other()")
    _, figures = bench(scratch, ["Latch"], "--rounds", "1", "--latch", script(scratch, "several", REPLY + words))
    row = figures["functions"]["Latch"]
    assert row["fault"] == {}, row
    check_echo("several", row["echo"])


def test_what_is_missing_is_said(scratch):
    """A machine without cargo, go and the others' runtimes measures the rest, and says what to install."""
    said, figures = bench(scratch, ["bare sockets", "Rust", "Go"], "--rounds", "1", environment=path_with(scratch, "git", "sh"))
    check_missing(said, figures)
    assert figures["goals"] == [], figures
    check_refused("runtime", "--latch", scratch / "none", "./dev bench runtime makes it")


if __name__ == "__main__":
    main(globals())
