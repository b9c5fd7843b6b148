#!/usr/bin/env python3
"""emulator.py BOOTSTRAP TEST - one test against AWS's emulator of the Runtime API (rie.py), in one of its two modes. BOOTSTRAP is handlers.c's."""
import base64, json, pathlib, signal, sys, time

from rie import Emulator

BOOTSTRAP = pathlib.Path(sys.argv[1]).resolve()
MOST = 6291556


class Handlers(Emulator):
    def __init__(self, handler, at_once=1, timeout_s=10):
        asan = "handle_segv=0:handle_abort=0:allow_user_segv_handler=1:detect_leaks=0"
        super().__init__([BOOTSTRAP], handler, at_once, timeout_s, LATCH_STORE="embedded", ASAN_OPTIONS=asan)

    def act(self, what, **more):
        status, body = self.invoke({"do": what, **more})
        return json.loads(body)


# ── one at a time ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_answers_errors_and_context():
    with Handlers("act") as e:
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
    with Handlers("act") as e:
        status, body = e.invoke({"do": "large", "bytes": MOST})
        assert status == 200 and len(body) == MOST, (status, len(body))
        refused = e.act("large", bytes=MOST + 1)
        assert "ResponseSizeTooLarge" in refused["errorType"] and str(MOST + 1) in refused["errorMessage"] and str(MOST) in refused["errorMessage"], refused
        assert "id" in e.act("echo")


def test_a_stream_is_whole():
    with Handlers("stream") as e:
        for pieces in (1, 7, 3000):
            status, body = e.invoke({"pieces": pieces})
            assert status == 200 and body == b"0123456789" * pieces, (status, len(body))
        status, body = e.invoke({"pieces": 3, "fails": True})  # plain, it doesn't look at trailers
        assert body.startswith(b"0123456789" * 3), body
        assert e.invoke({"pieces": 2})[1] == b"0123456789" * 2


def test_a_crash_and_an_exit_are_told_and_the_next_process_answers():
    with Handlers("act") as e:
        for what, words in (("crash", "SIGSEGV"), ("exit", "3")):
            told = e.act(what)
            assert words in told["errorMessage"], told
            assert "id" in e.act("echo")


def test_a_hang_is_told_before_the_deadline():
    with Handlers("act", timeout_s=1) as e:
        begin = time.monotonic()
        told = e.act("hang")
        assert "errorType" in told and "act" in told["errorMessage"], told
        assert time.monotonic() - begin < 3, "the emulator's own timeout spoke"
        assert "id" in e.act("echo")


def test_a_shutdown_hook_runs_at_sigterm():
    with Handlers("polite") as e:
        assert "id" in e.act("echo")
        e.process.send_signal(signal.SIGTERM)
        e.await_word("goodbye")


# ── several at once ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_four_at_once_take_the_time_of_one():
    with Handlers("act", at_once=4) as e:
        e.act("echo")
        begin = time.monotonic()
        answers = e.at_the_same_time([{"do": "slow", "ms": 1000, "n": n} for n in range(4)])
        took = time.monotonic() - begin
        assert [json.loads(body)["event"]["n"] for _, body in answers] == [0, 1, 2, 3], answers
        assert took < 3, f"{took:.1f} s: one after another"


def test_each_of_many_gets_its_own_answer():
    with Handlers("act", at_once=8) as e:
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
    with Handlers("stream", at_once=2) as e:
        assert e.invoke({"pieces": 5})[1] == b"0123456789" * 5
        status, body = e.invoke({"pieces": 5, "fails": True})
        told = json.loads(body)
        assert told["errorType"] == "HalfDone" and told["errorMessage"] == "not all of it is here", (status, body)
        told = json.loads(e.invoke({"pieces": 5, "crashes": True})[1])
        assert told["errorType"] == "Crash" and "SIGSEGV in the handler stream" in told["errorMessage"], told


def test_a_crash_leaves_the_others_their_answers():
    with Handlers("act", at_once=4) as e:
        e.act("echo")
        answers = e.at_the_same_time([{"do": "slow", "ms": 800, "n": 0}, {"do": "slow", "ms": 800, "n": 1}, {"do": "crash"}])
        bodies = [json.loads(body) for _, body in answers]
        assert [bodies[n]["event"]["n"] for n in (0, 1)] == [0, 1], bodies
        assert "SIGSEGV" in bodies[2]["errorMessage"], bodies


if __name__ == "__main__":
    globals()["test_" + sys.argv[2]]()
