#!/usr/bin/env python3
"""faults.py BUILD ENDPOINT_FILE TEST - a bootstrap on a DynamoDB that misbehaves: one connection over a thousand invocations, and what
becomes of calls whose connection is closed, reset, cut, stalled, slow, throttled.

BUILD holds faults_bootstrap; ENDPOINT_FILE has the URL of a real DynamoDB Local. Each test_… below is one entry of ctest.
"""
import json, os, pathlib, random, signal, socket, subprocess, sys, tempfile, time, urllib.request, uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import proxy as P
from proxy import Proxy
from service import Function

ROOT = pathlib.Path(__file__).resolve().parents[2]
OK, E_DATA, E_TIMEOUT, E_NETWORK, E_THROTTLED = 0, 66, 69, 70, 71
UPSTREAM = ""
CALLS = ("each", "together", "set", "get", "lock")


def ask(operation, request):
    """DynamoDB Local itself, past every fault."""
    headers = {"X-Amz-Target": "DynamoDB_20120810." + operation, "Content-Type": "application/x-amz-json-1.0",
               "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"}
    return json.loads(urllib.request.urlopen(urllib.request.Request(UPSTREAM, json.dumps(request).encode(), headers), timeout=20).read())


class Table:
    def __enter__(self):
        self.name = "faults-" + uuid.uuid4().hex
        ask("CreateTable", {"TableName": self.name, "BillingMode": "PAY_PER_REQUEST",
                            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
                            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]})
        return self

    def __exit__(self, *_):
        ask("DeleteTable", {"TableName": self.name})

    def attempts(self, key):
        item = ask("GetItem", {"TableName": self.name, "ConsistentRead": True, "Key": {"pk": {"S": "ATTEMPT#" + key}, "sk": {"S": "ATTEMPT"}}})
        return int(item["Item"]["attempts"]["N"]) if "Item" in item else 0


def function(table, url, timeout_s=10, **more):
    environment = {"LATCH_TABLE": table.name, "AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_ACCESS_KEY_ID": "local",
                   "AWS_SECRET_ACCESS_KEY": "local", **more}
    return Function(str(BUILD / "tests/faults/faults_bootstrap"), "five", environment, timeout_s)


def play(f, n, **more):
    """What each of the five calls said; and how long the invocation took, in seconds."""
    begin = time.monotonic()
    kind, _, body = f.invoke(json.dumps({"n": n, **more}).encode())
    took = time.monotonic() - begin
    assert kind == "response", (n, kind, body, f.output[-2000:])
    calls = json.loads(body)["calls"]
    assert [c["call"] for c in calls] == list(CALLS), calls
    return {c["call"]: c for c in calls}, took


def check_truth(table, played):
    """What was told against what the table has. A limited attempt counted twice is a conditional write that took effect twice."""
    told, open_ones = 0, 0
    for n, calls in played.items():
        counted = table.attempts(f"each#{n}")
        if calls["each"]["status"] == OK:
            assert counted == 1, f"key {n} was counted {counted} times, and the caller was told of one"
        else:
            assert counted <= 1 and (counted == 0 or calls["each"]["maybe_applied"]), (n, counted, calls["each"])
        told += calls["together"]["status"] == OK
        open_ones += calls["together"]["status"] != OK and calls["together"]["maybe_applied"]
    counted = table.attempts("together#all")
    assert told <= counted <= told + open_ones, (told, counted, open_ones)


def run_with(plan, invocations, timeout_s=10):
    with Table() as table, Proxy(UPSTREAM, plan) as endpoint, function(table, endpoint.url, timeout_s) as f:
        played = {}
        for n in range(invocations):
            played[n], took = play(f, n)
            assert took < timeout_s, (n, took)
        check_truth(table, played)
        f.next_request()
        f.drain()
        return played, endpoint, f.output.decode()


def failures(played):
    return [(n, call) for n, calls in played.items() for call in calls.values() if call["status"] != OK]


# ── one connection ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_connection_for_a_thousand_invocations():
    played, endpoint, _ = run_with(lambda number, operation: P.PASS, 1000)
    assert not failures(played), failures(played)[:3]
    print(f"{endpoint.requests} requests over {endpoint.accepted} connections; {endpoint.slow} answers took over half a second here")
    assert endpoint.requests <= 5000 + endpoint.slow, endpoint.requests
    assert endpoint.accepted <= 1 + endpoint.slow, f"{endpoint.accepted} connections for {endpoint.requests} requests"


def test_closed_every_50_requests():
    for action in (P.CLOSE, P.CLOSE_HEADER):
        played, endpoint, _ = run_with(lambda number, operation: action if number % 50 == 49 else P.PASS, 200)
        assert not failures(played), failures(played)[:3]
        assert endpoint.requests == 1000 and endpoint.accepted in (20, 21), (endpoint.requests, endpoint.accepted)


# ── no call fails that could succeed ────────────────────────────────────────────────────────────────────────────────


def faulty(every, *actions):
    return lambda number, operation: actions[number // every % len(actions)] if number % every == every - 1 else P.PASS


def check_failures(played):
    """A set can't recognise its own first try: it isn't repeated, and says so. All else recognises itself, and must succeed."""
    for n, call in failures(played):
        assert call["call"] == "set" and call["maybe_applied"], (n, call)


def test_resets_and_cuts_lose_nothing():
    played, endpoint, _ = run_with(faulty(7, P.RESET_BEFORE, P.RESET_AFTER, P.CUT, P.CLOSE, P.WRONG_CRC, P.HTML), 300)
    check_failures(played)
    assert all(endpoint.done.get(a, 0) >= 20 for a in (P.RESET_BEFORE, P.RESET_AFTER, P.CUT, P.WRONG_CRC, P.HTML)), endpoint.done


def test_errors_of_the_server_lose_nothing():
    played, endpoint, _ = run_with(faulty(11, P.FAIL, P.FAIL_APPLIED, P.THROTTLE), 150)
    check_failures(played)
    assert all(endpoint.done.get(a, 0) >= 15 for a in (P.FAIL, P.FAIL_APPLIED, P.THROTTLE)), endpoint.done


def test_stalls_end_in_time():
    played, endpoint, _ = run_with(faulty(23, P.STALL, P.STALL_BEFORE), 60)
    check_failures(played)
    assert all(endpoint.done.get(a, 0) >= 5 for a in (P.STALL, P.STALL_BEFORE)), endpoint.done
    assert max(call["ms"] for calls in played.values() for call in calls.values()) < 2000


def test_random_faults_keep_the_truth():
    actions = [P.RESET_BEFORE, P.RESET_AFTER, P.CUT, P.CLOSE, P.WRONG_CRC, P.HTML, P.FAIL, P.FAIL_APPLIED, P.THROTTLE, P.CLOSE_HEADER]
    seed = int(os.environ.get("LATCH_SEED", "1"))
    dice = random.Random(seed)
    played, endpoint, _ = run_with(lambda number, operation: dice.choice(actions) if dice.random() < 0.3 else P.PASS, 200)
    failed = failures(played)
    print(f"seed {seed}: {endpoint.requests} requests, {sum(endpoint.done.values()) - endpoint.done.get(P.PASS, 0)} faults, {len(failed)} calls failed")
    assert len(failed) < 200, len(failed)


def test_a_wrong_count_is_reported():
    """The broken twin: a service that applies each thirtieth update twice must be seen by check_truth."""
    with Table() as table, Proxy(UPSTREAM) as endpoint:
        act, updates = endpoint.act, [0]

        def twice(action, connection, upstream, path, headers, body):
            if b"#last" in body:
                updates[0] += 1
                if updates[0] % 30 == 29:
                    request = json.loads(body)
                    request.pop("ConditionExpression")
                    request["UpdateExpression"] = "SET #attempts = if_not_exists(#attempts, :zero) + :one"
                    request["ExpressionAttributeNames"] = {"#attempts": "attempts"}
                    request["ExpressionAttributeValues"] = {":zero": {"N": "0"}, ":one": {"N": "1"}}
                    for field in ("ReturnValues", "ReturnValuesOnConditionCheckFailure"):
                        request.pop(field, None)
                    P.ask(upstream, path, headers, json.dumps(request).encode())
            return act(action, connection, upstream, path, headers, body)

        endpoint.act = twice
        with function(table, endpoint.url) as f:
            played = {n: play(f, n)[0] for n in range(60)}
        try:
            check_truth(table, played)
        except AssertionError:
            return
    raise AssertionError("writes that took effect twice were not seen")


# ── freezes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_frozen_sandbox_finds_its_connection_gone():
    with Table() as table, Proxy(UPSTREAM) as endpoint, function(table, endpoint.url) as f:
        played = {0: play(f, 0)[0]}
        f.process.send_signal(signal.SIGSTOP)
        with endpoint.lock:
            for sock in endpoint.open:
                sock.shutdown(socket.SHUT_RDWR)
        time.sleep(0.3)
        f.process.send_signal(signal.SIGCONT)
        played[1], took = play(f, 1)
        check_truth(table, played)
        assert not failures(played) and endpoint.accepted == 2 and took < 2, (failures(played), endpoint.accepted, took)


def test_an_idle_connection_that_went_dark_costs_a_quarter_of_a_second():
    """Dropped without a word, as a gateway does: after 5 s of idleness what may be repeated waits 250 ms, what may not gets a new one."""
    dark = {"on": False}

    def plan(number, operation):
        return P.STALL_BEFORE if dark["on"] and number == dark["at"] else P.PASS

    with Table() as table, Proxy(UPSTREAM, plan) as endpoint, function(table, endpoint.url) as f:
        played = {0: play(f, 0)[0]}
        time.sleep(5.5)
        dark.update(on=True, at=endpoint.requests)
        played[1], took = play(f, 1)
        check_truth(table, played)
        assert not failures(played), failures(played)
        assert endpoint.accepted == 2 and 240 <= played[1]["each"]["ms"] < 900, (endpoint.accepted, played[1]["each"])


# ── toxiproxy ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Toxiproxy:
    """Shopify's toxiproxy before DynamoDB Local: faults of TCP, made by somebody else's program."""

    def __enter__(self):
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            self.control, self.port = one.getsockname()[1], two.getsockname()[1]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([ROOT / "build/tools/toxiproxy/toxiproxy", "-host", "127.0.0.1", "-port", str(self.control)],
                                        stdout=self.log, stderr=self.log)
        self.url = f"http://127.0.0.1:{self.port}"
        until = time.monotonic() + 10
        while True:
            try:
                self.call("POST", "/proxies", {"name": "dynamodb", "listen": f"127.0.0.1:{self.port}", "enabled": True,
                                               "upstream": UPSTREAM.removeprefix("http://").rstrip("/").replace("localhost", "127.0.0.1")})
                return self
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def call(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}{path}", json.dumps(body).encode() if body is not None else None,
                                         {"Content-Type": "application/json"}, method=method)
        return urllib.request.urlopen(request, timeout=10).read()

    def poison(self, kind, stream="downstream", **attributes):
        self.call("POST", "/proxies/dynamodb/toxics", {"name": "t", "type": kind, "stream": stream, "attributes": attributes})

    def heal(self):
        self.call("DELETE", "/proxies/dynamodb/toxics/t")


def poisoned(kind, stream="downstream", timeout_s=4, **attributes):
    """One good invocation, one while it is poisoned, one after: (calls while poisoned, seconds, calls after)."""
    with Table() as table, Toxiproxy() as toxic, function(table, toxic.url, timeout_s) as f:
        played = {0: play(f, 0)[0]}
        assert not failures(played), failures(played)
        toxic.poison(kind, stream, **attributes)
        played[1], took = play(f, 1)
        toxic.heal()
        played[2], _ = play(f, 2, reset_breaker=True)
        check_truth(table, played)
        return played[1], took, played[2]


def all_ok(calls):
    return all(call["status"] == OK for call in calls.values())


def test_toxiproxy_latency_over_the_deadline():
    calls, took, after = poisoned("latency", timeout_s=14, latency=20000)
    assert took < 12, took
    assert {call["status"] for call in calls.values()} == {E_TIMEOUT}, calls
    assert calls["set"]["maybe_applied"] and calls["each"]["maybe_applied"] and not calls["get"]["maybe_applied"], calls
    assert all_ok(after), after


def test_toxiproxy_latency_that_fits():
    calls, took, after = poisoned("latency", latency=150, jitter=50)
    assert took < 3 and all_ok(calls) and all_ok(after), (took, calls)


def test_toxiproxy_resets():
    calls, took, after = poisoned("reset_peer", timeout=0)
    assert took < 4 and {call["status"] for call in calls.values()} <= {E_NETWORK, E_TIMEOUT}, (took, calls)
    assert all_ok(after), after


def test_toxiproxy_silence():
    calls, took, after = poisoned("timeout", timeout=0)
    assert took < 4 and {call["status"] for call in calls.values()} <= {E_NETWORK, E_TIMEOUT}, (took, calls)
    assert not calls["get"]["maybe_applied"], calls
    assert all_ok(after), after


def test_toxiproxy_slow_bytes():
    calls, took, after = poisoned("slicer", average_size=20, size_variation=5, delay=2000)
    assert took < 4 and all_ok(calls) and all_ok(after), (took, calls)


def test_toxiproxy_bytes_too_slow():
    calls, took, after = poisoned("slicer", average_size=2, size_variation=1, delay=200000)
    assert took < 4 and {call["status"] for call in calls.values()} == {E_TIMEOUT}, (took, calls)
    assert all_ok(after), after


def test_toxiproxy_cut_bodies():
    calls, took, after = poisoned("limit_data", bytes=150)
    assert took < 4 and {call["status"] for call in calls.values()} <= {E_NETWORK, E_TIMEOUT, E_DATA}, (took, calls)
    assert calls["set"]["maybe_applied"], calls
    assert all_ok(after), after


def test_toxiproxy_a_narrow_line():
    calls, took, after = poisoned("bandwidth", rate=20)
    assert took < 4 and all_ok(calls) and all_ok(after), (took, calls)


def test_a_server_that_only_throttles():
    played, endpoint, _ = run_with(lambda number, operation: P.THROTTLE, 2, timeout_s=6)
    for n, call in failures(played):
        assert call["status"] in (E_THROTTLED, E_TIMEOUT) and not call["maybe_applied"], (n, call)
    assert len(failures(played)) == 10, played


def test_a_server_that_only_fails():
    played, endpoint, _ = run_with(lambda number, operation: P.FAIL, 3, timeout_s=6)
    each = played[0]["each"]
    assert each["status"] == E_NETWORK and each["maybe_applied"] and "InternalServerError" in each["message"], each
    assert [op for op, _ in endpoint.operations[:4]] == ["UpdateItem"] * 4, endpoint.operations[:6]
    assert all("not sent" in call["message"] and not call["maybe_applied"] for call in played[2].values()), played[2]
    assert endpoint.requests <= 4 * 4 + 1, endpoint.requests  # five calls opened the breaker; a set isn't repeated


if __name__ == "__main__":
    BUILD, UPSTREAM = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).read_text().strip()
    globals()["test_" + sys.argv[3]]()
