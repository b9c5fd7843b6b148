#!/usr/bin/env python3
"""e2e.py BUILD RELEASE TEST [BOOTSTRAP…] - one test of whole processes: the shop's bootstrap, latch-local, AWS's emulator, README's handler.

BUILD holds the build under test (sanitizers), RELEASE the one that users run. BOOTSTRAP… is the command that starts another bootstrap instead
of theirs: a packaged one, or an emulator and one of another architecture. Each test_… below is one entry of ctest, and tests/package has
those again in which a bootstrap runs.
"""
import json, os, pathlib, re, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "emulator")]
from rie import Emulator
from service import Function

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD, RELEASE = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
SAM = ROOT / "build/tools/sam"
BOOTSTRAP = sys.argv[4:] or [str(BUILD / "bootstrap")]
RELEASED = sys.argv[4:] or [str(RELEASE / "bootstrap")]


def run(*arguments, environment=None, status=0, timeout=60):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "_"))}
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, cwd=ROOT, timeout=timeout,
                          env={**inherited, **(environment or {})})
    assert status is None or done.returncode == status, f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def shop_event(name):
    return (ROOT / "events" / f"{name}.json").read_bytes()


def api_event(method, path, body, **headers):
    event = json.loads(shop_event("api-checkout-1-first"))
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    event["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
    event["body"] = body
    return json.dumps(event).encode()


# ── the main job ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_sample_event_twice():
    done = run(BUILD / "latch-local", "invoke", "--plays", "2", "--expect", "events/expect", "events", "--", *BOOTSTRAP)
    count = 2 * len(list((ROOT / "events").glob("*.json")))
    assert count >= 24
    assert done.stdout.rstrip().splitlines()[-1] == f"{count} events, {count} ok", done.stdout[-600:]


def at(url, table):
    return {"AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "LATCH_TABLE": table}


def play_on(url):
    """Every sample event twice, on a table of its own there; then nothing of it is left."""
    store = at(url, f"shop-{os.getpid()}")
    count = 2 * len(list((ROOT / "events").glob("*.json")))
    run(BUILD / "latch", "table", "create", environment=store)
    try:
        done = run(BUILD / "latch-local", "invoke", "--timeout", "20", "--plays", "2", "--expect", "events/expect", "events", "--", *BOOTSTRAP,
                   environment=store)
        items = json.loads(run(BUILD / "latch", "table", "describe", "--json", environment=store).stdout)["items"]
    finally:
        run(BUILD / "latch", "table", "delete", store["LATCH_TABLE"], "--yes", environment=store)
    assert done.stdout.rstrip().splitlines()[-1] == f"{count} events, {count} ok", done.stdout[-600:]
    assert items >= 6, f"the events left {items} items: was another store played on?"


def test_every_sample_event_on_dynamodb_local():
    play_on(pathlib.Path(os.environ["LATCH_TEST_ENDPOINT_FILE"]).read_text().strip())


def test_every_sample_event_on_latch_locals_dynamodb():
    server = subprocess.Popen([BUILD / "latch-local", "dynamodb", "--port", "0", "--quiet"], stdout=subprocess.PIPE, text=True)
    try:
        play_on(re.search(r"http://[0-9.:]+", server.stdout.readline())[0])
    finally:
        server.terminate()
        assert server.wait(20) == 0


def test_a_function_without_its_table_says_how_to_make_it():
    server = subprocess.Popen([BUILD / "latch-local", "dynamodb", "--port", "0", "--quiet"], stdout=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http://[0-9.:]+", server.stdout.readline())[0]
        done = run(BUILD / "latch-local", "invoke", "--json", "events/sweep-schedule-1.json", "--", *BOOTSTRAP,
                   environment=at(url, "nobody-made-it"), status=1)
        assert "latch table create nobody-made-it" in done.stdout, done.stdout[-600:]
    finally:
        server.terminate()
        server.wait(20)


def answers(url):
    try:
        urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError as error:
        return error.code == 400
    except OSError:
        return False


def test_dynamodb_local_ends_with_who_started_it():
    """However that ends: by its own last line, killed, or with the script in between killed."""
    for kill in ("true", 'kill -9 "$(cat "$1.pid")"; sleep 1', "kill -9 $$"):
        with tempfile.TemporaryDirectory() as folder:
            url_file = pathlib.Path(folder) / "url"
            script = f'"$0" start "$1" && cp "$1" "$1.was"; {kill}'
            run("bash", "-c", script, ROOT / "tools/dynamodb-local", url_file, status=None, timeout=150)
            url, until = url_file.with_name("url.was").read_text().strip(), time.monotonic() + 10
            assert url.startswith("http://127.0.0.1:"), url
            while answers(url) and time.monotonic() < until:
                time.sleep(0.1)
            assert not answers(url), f"DynamoDB Local still answers at {url} after {kill}"


def test_dynamodb_local_on_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        done = run(ROOT / "tools/dynamodb-local", taken.getsockname()[1], status=1, timeout=150)
    assert "is taken" in done.stderr and done.stdout == "", done.stderr


def test_a_wrong_expectation_is_reported():
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "echo-raw.json").write_text('{"first": {"hello": "nobody"}}')
        done = run(BUILD / "latch-local", "invoke", "--expect", folder, "events/echo-raw.json", "--", *BOOTSTRAP, status=1)
    assert done.stdout.rstrip().splitlines()[-1] == "1 event, 0 ok", done.stdout


def test_the_same_key_gets_the_first_receipt():
    with Function(BOOTSTRAP, "api") as shop:
        answers = [json.loads(shop.invoke(shop_event(f"api-checkout-{name}"))[2]) for name in ("1-first", "2-again", "3-other-body", "1-first")]
    receipts = [json.loads(a["body"]).get("receipt") for a in answers]
    assert [a["statusCode"] for a in answers] == [201, 201, 422, 201], answers
    assert receipts[0] and receipts[0] == receipts[1] == receipts[3] and receipts[2] is None, receipts


def test_the_fourth_login_waits():
    with Function(BOOTSTRAP, "api") as shop:
        answers = [json.loads(shop.invoke(shop_event("api-login-2-function-url"))[2]) for _ in range(5)]
        right = json.loads(shop.invoke(api_event("POST", "/login", '{"user":"bob","password":"opensesame"}'))[2])
        again = [json.loads(shop.invoke(api_event("POST", "/login", '{"user":"bob","password":"x"}'))[2])["statusCode"] for _ in range(4)]
    assert [a["statusCode"] for a in answers] == [401, 401, 401, 429, 429], answers
    headers = {name.lower(): value for name, value in answers[3]["headers"].items()}
    assert 895 <= int(headers["retry-after"]) <= 900, headers
    assert right["statusCode"] == 200 and again == [401, 401, 401, 429], (right, again)


def test_the_catalogue_is_loaded_once():
    with Function(BOOTSTRAP, "api") as shop:
        for _ in range(3):
            answer = json.loads(shop.invoke(api_event("GET", "/products/tea", None))[2])
            assert answer["statusCode"] == 200 and json.loads(answer["body"])["price_cents"] == 450, answer
        shop.next_request()
        shop.drain()
    assert shop.output.count(b"product loaded") == 1, shop.output


def test_duplicates_and_bad_records():
    with Function(BOOTSTRAP, "orders") as orders:
        kind, _, body = orders.invoke(shop_event("orders-sqs"))
        orders.next_request()
        orders.drain()
    assert kind == "response" and [f["itemIdentifier"][-2:] for f in json.loads(body)["batchItemFailures"]] == ["03", "04"], body
    assert orders.output.count(b"\tshipped") == 2 and orders.output.count(b"shipped before") == 1, orders.output


# ── AWS's own ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sample_events_are_sams():
    print(run(ROOT / "tools/make-events", "--check", SAM / "bin/sam").stdout)


def test_aws_emulator_echoes():
    event = shop_event("echo-raw")
    with Emulator(RELEASED, "echo") as emulator:
        answers = [emulator.invoke(event) for _ in range(3)]
    assert answers == [(200, event)] * 3, answers


def test_aws_emulator_takes_streams():
    names = ["export-1-all", "export-3-missing", "export-2-below"]
    with Emulator(RELEASED, "export", LATCH_STORE="embedded", LATCH_INVOKE_MODE="RESPONSE_STREAM") as emulator:
        answers = [emulator.invoke(shop_event(name)) for name in names]
    for name, (status, answer) in zip(names, answers):
        assert status == 200, (status, answer[:300])
        wanted = json.loads((ROOT / "events/expect" / f"{name}.json").read_text())["first"]
        head, nuls, body = answer.partition(bytes(8))
        assert nuls and json.loads(head)["statusCode"] == wanted["statusCode"], answer[:300]
        assert body.decode() == wanted["body"] or json.loads(body) == wanted["body"], answer[:300]


# ── bad input ─────────────────────────────────────────────────────────────────────────────────────────────────────────

HOSTILE = [
    ("empty", b""), ("no JSON", b"{"), ("binary", bytes(range(256))), ("a number", b"1"), ("null", b"null"), ("a list", b"[]"),
    ("invalid UTF-8", b'{"a":"\xff\xfe"}'), ("NUL bytes", b'{"a":"\x00"}'), ("10,000 levels", b"[" * 10000 + b"]" * 10000),
    ("10,000 objects", b'{"a":' * 10000 + b"1" + b"}" * 10000), ("6 MiB of levels", b"[" * (6 << 20)), ("6 MiB of text", b'"' + b"x" * (6 << 20) + b'"'),
    ("6 MiB of numbers", b"[" + b"1," * (3 << 20) + b"1]"), ("huge numbers", b'{"a":1e999,"b":' + b"9" * 5000 + b"}"), ("wrong types", b'{"Records":7,"rawPath":[],"requestContext":"x"}'),
    ("records that are none", b'{"Records":[1,null,"x",{},[]]}'), ("a body that is a list", b'{"version":"2.0","rawPath":"/checkout","requestContext":{"http":{"method":"POST"}},"body":[]}'),
]


def test_hostile_events_are_errors_and_nothing_dies():
    for handler, good in (("api", "api-product-rest"), ("orders", "orders-kinesis"), ("sweep", "sweep-schedule-1"), ("echo", "echo-raw")):
        with Function(BOOTSTRAP, handler) as function:
            for what, event in HOSTILE:
                kind, headers, body = function.invoke(event)
                if handler == "echo":
                    assert (kind, body) == ("response", event), (what, kind, body[:200])
                elif handler != "sweep" and kind == "error":
                    error = json.loads(body)
                    assert error["errorType"] and len(error["errorMessage"]) > 10, (handler, what, body[:300])
                    assert headers["lambda-runtime-function-error-type"].startswith(("Function.", "Runtime.")), headers
                elif handler == "orders":
                    assert json.loads(body)["batchItemFailures"] or what == "records that are none", (what, body[:300])
                elif handler == "api":
                    assert json.loads(body)["statusCode"] in (400, 404), (what, body[:300])
            kind, _, body = function.invoke(shop_event(good))
            assert kind == "response", (handler, body[:300])


def test_hostile_bodies_are_400():
    bodies = [("", "empty"), ("{", "not JSON"), ("[]", "sku"), ('{"sku":7}', "sku"), ('{"sku":"tea","qty":1e400}', "qty"), ('{"sku":"tea","qty":101}', "qty"),
              ("[" * 10000, "nested"), ('{"sku":"tea","qty":1.5}', "qty"), ('{"sku":"\\u0000","qty":1}', "bad request")]
    with Function(BOOTSTRAP, "api") as shop:
        for n, (body, says) in enumerate(bodies):
            kind, _, answer = shop.invoke(api_event("POST", "/checkout", body, idempotency_key=f"bad-{n}"))
            reply = json.loads(answer)
            assert kind == "response" and reply["statusCode"] == 400, (body[:40], kind, answer[:300])
            assert says in json.loads(reply["body"])["error"], (body[:40], answer[:300])


def test_keys_at_the_limit_and_past_it():
    longest = 2048 - len("ONCE#checkout#")
    keys = [("k" * longest, 201), ("k" * (longest + 1), 400), ("#" * (longest // 3), 201), ("#" * (longest // 3 + 1), 400),
            ("a\u0001b", 400), ("a\u0000b", 400), ("a#b%c", 201), ("schlüssel", 201)]
    with Function(BOOTSTRAP, "api") as shop:
        for key, status in keys:
            kind, _, answer = shop.invoke(api_event("POST", "/checkout", '{"sku":"tea","qty":1}', idempotency_key=key))
            assert kind == "response" and json.loads(answer)["statusCode"] == status, (key[:20], len(key), answer[:300])


def start_fails(says, environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "_"))}
    done = subprocess.run(BOOTSTRAP, env={**inherited, **environment}, capture_output=True, text=True, timeout=30)
    words = done.stdout + done.stderr
    assert done.returncode == 1, (done.returncode, words)
    for part in says:
        assert part in words, (part, words)


def test_no_runtime_api_is_told():
    start_fails(["AWS_LAMBDA_RUNTIME_API"], {"_HANDLER": "echo"})


def test_an_unreachable_runtime_api_is_told():
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    started = time.monotonic()
    start_fails([address], {"_HANDLER": "echo", "AWS_LAMBDA_RUNTIME_API": address})
    assert time.monotonic() - started < 10


def init_error(handler, environment):
    with Function(BOOTSTRAP, handler, environment) as function:
        method, path, headers, body = function.next_request()
        assert (method, path) == ("POST", "/2018-06-01/runtime/init/error"), (method, path)
        function.connection.answer(202)
        assert function.process.wait(10) == 1
        return json.loads(body)["errorMessage"]


def test_an_unknown_handler_lists_the_known():
    message = init_error("apj", {})
    assert all(name in message for name in ("apj", "api", "orders", "sweep", "echo")), message


def test_no_table_on_real_lambda_is_told():
    message = init_error("api", {"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"})
    assert "LATCH_TABLE" in message and "LATCH_STORE=embedded" in message, message


def test_the_embedded_store_on_real_lambda_when_asked_for():
    environment = {"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "LATCH_STORE": "embedded"}
    with Function(BOOTSTRAP, "api", environment) as shop:
        assert json.loads(shop.invoke(shop_event("api-product-rest"))[2])["statusCode"] == 200


def test_a_handler_without_stores_needs_no_table_on_real_lambda():
    with Function(BOOTSTRAP, "echo", {"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}) as echo:
        assert echo.invoke(b"1")[2] == b"1"


def test_bad_store_settings_are_told():
    assert "embedded or dynamodb" in init_error("api", {"LATCH_STORE": "redis"})
    assert "LATCH_EMBEDDED_MAX_MB" in init_error("api", {"LATCH_EMBEDDED_MAX_MB": "-1"})
    nowhere = {"LATCH_TABLE": "orders", "AWS_REGION": "", "NODE_ENV": "", "DYNAMODB_LOCAL_ENDPOINT": "", "HOME": "/nonexistent"}
    assert "AWS_REGION" in init_error("api", nowhere)
    assert "AWS_ACCESS_KEY_ID" in init_error("api", {**nowhere, "AWS_REGION": "eu-west-1"})


# ── at length ─────────────────────────────────────────────────────────────────────────────────────────────────────────

INVOCATIONS = int(os.environ.get("LATCH_TEST_INVOCATIONS", "100000"))


def flat(handler, event_of, invocations):
    with Function(RELEASED, handler, {"AWS_LAMBDA_LOG_LEVEL": "FATAL"}) as function:
        for i in range(invocations):
            kind, _, body = function.invoke(event_of(i))
            assert kind == "response", body
            if i == 999:
                early = function.rss_anon_kib()
        late = function.rss_anon_kib()
    print(f"{handler}: RssAnon {early} KiB after 1,000 invocations, {late} KiB after {invocations:,}")
    assert late <= early * 1.05, (early, late)


def test_memory_is_flat_over_a_batch():
    """The process's peak by 2,500 and by 25,000 items, over one connection and over four; the endpoint answers at once."""
    stub = subprocess.Popen([RELEASE / "bench/bench_stub"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        environment = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{int(stub.stdout.readline())}", "AWS_REGION": "us-east-1",
                       "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "LATCH_TABLE": "latch"}
        for connections in (1, 4):
            peaks = [json.loads(run(RELEASE / "bench/bench_dynamodb", "batch", count, connections, environment=environment).stdout)["peak_kib"]
                     for count in (2500, 25000)]
            print(f"{connections} connections: {peaks} KiB")
            assert peaks[0] > 1000 and peaks[1] < peaks[0] + 1500, peaks
    finally:
        stub.stdin.close()
        stub.wait(10)


def test_memory_is_flat_echoing():
    flat("echo", lambda i: b'{"n":%d,"text":"%s"}' % (i, b"x" * (i % 3000)), INVOCATIONS)


def test_memory_is_flat_with_stores():
    def event_of(i):
        if i % 3 == 0:
            return api_event("GET", f"/products/{('tea', 'cup', 'pot', 'sofa')[i % 4]}", None)
        if i % 3 == 1:
            return api_event("POST", "/checkout", '{"sku":"tea","qty":1}', idempotency_key=f"key-{i % 50}")
        return api_event("POST", "/login", '{"user":"user-%d","password":"x"}' % (i % 50))

    events = [event_of(i) for i in range(600)]
    flat("api", lambda i: events[i % 600], INVOCATIONS)


# ── README ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_readmes_handler_compiles_and_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    sources = re.findall(r"```c\n(.*?)```", text, flags=re.S)
    assert len(sources) == 1 and len(sources[0].splitlines()) <= 30, [len(s.splitlines()) for s in sources]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "main.c").write_text(sources[0])
        (folder / "CMakeLists.txt").write_text(f"""cmake_minimum_required(VERSION 3.22)
project(readme C)
set(BUILD_TESTING OFF)
add_subdirectory({ROOT} latch EXCLUDE_FROM_ALL)
add_executable(hello main.c)
target_link_libraries(hello PRIVATE latch latch_warnings)
""")
        run("cmake", "-S", folder, "-B", folder / "build", "-G", "Ninja", f"-DLATCH_YYJSON_DIR={ROOT}/build/deps/yyjson",
            "-DCMAKE_BUILD_TYPE=Release", "-DLATCH_WERROR=ON")
        run("ninja", "-C", folder / "build", "hello", timeout=300)
        (folder / "hello-event.json").write_text(api_event("POST", "/hello", '{"name":"Ann"}').decode())
        (folder / "template.yaml").write_text("""Transform: AWS::Serverless-2016-10-31
Resources:
  Hello: {Type: AWS::Serverless::Function, Properties: {Handler: hello}}
""")
        command = [RELEASE / "latch-local", "invoke", "--json", "--plays", "4", "--template", folder / "template.yaml", folder / "hello-event.json", "--", folder / "build/hello"]
        done = run(*command, status=None)
        print(done.stdout, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"function"')]
        assert len(answers) == 4, done.stdout
        statuses = [json.loads(a["answer"])["statusCode"] if isinstance(a["answer"], str) else a["answer"]["statusCode"] for a in answers]
        assert statuses == [200, 200, 200, 429], statuses


def main():
    test = globals().get("test_" + sys.argv[3])
    if test is None:
        sys.exit(f"e2e.py has no test_{sys.argv[3]}")
    test()


main()
