#!/usr/bin/env python3
"""doctor.py BUILD TEST - latch doctor, as a person runs it: right, and with each thing wrong in turn.

On latch-local dynamodb, or where LATCH_TEST_ENDPOINT_FILE names one, on DynamoDB Local; in front of it stands a server of this file, which
counts what is asked, denies, lies about the time, or speaks TLS. Each row says what the doctor must find; a doctor that finds nothing
wrong there is one of the twins, and each row must tell it from the real one.
"""
import collections, contextlib, datetime, email.utils, http.client, http.server, json, os, pathlib, socket, ssl, subprocess, sys, tempfile, threading
import time, urllib.parse

BUILD = pathlib.Path(sys.argv[1])
CHECKS = ["store", "settings", "region", "endpoint", "credentials", "ca", "connection", "clock", "table", "keys", "indexes", "ttl", "rights", "latency"]
STATUSES = {"ok", "wrong", "not looked at"}
KEY_ID, SECRET = "AKIAQQQQQQQQQQQQWXYZ", "hush/hush/hush"
KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
NEVER = "attribute_exists(#k) AND attribute_not_exists(#k)"
NAME = f"doctor-{os.getpid()}"


# ── a DynamoDB, and what stands in front of it ────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def dynamodb():
    """Its URL."""
    file = os.environ.get("LATCH_TEST_ENDPOINT_FILE")
    if file:
        yield pathlib.Path(file).read_text().strip()
        return
    process = subprocess.Popen([BUILD / "latch-local", "dynamodb", "--port", "0", "--quiet"], stdout=subprocess.PIPE, text=True)
    try:
        yield next(word for line in process.stdout for word in line.split() if word.startswith("http://127.0.0.1:")).rstrip(".,;")
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


class Front:
    """Passes requests on, but for what it is told: deny(operation, request), errors {operation: name}, change(operation, request) and the
    seconds by which its Date is off. asked: (operation, request) of each."""

    def __init__(self, upstream, deny=None, errors=None, change=None, off_s=0, tls=None, date=True):
        self.upstream = urllib.parse.urlsplit(upstream).netloc
        self.deny, self.errors, self.change, self.off_s, self.date, self.asked = deny, errors or {}, change, off_s, date, []
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                self.send(200, b"healthy")

            def do_POST(self):
                self.send(*front.answer(self.headers, self.rfile.read(int(self.headers["Content-Length"]))))

            def send(self, status, body):
                date = email.utils.formatdate(time.time() + front.off_s, usegmt=True)
                head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n" + (f"Date: {date}\r\n" if front.date else "")
                self.wfile.write(head.encode() + b"\r\n" + body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_): # who is refused hangs up
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        port = self.server.server_address[1]
        self.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, headers, body):
        operation, request = headers["X-Amz-Target"].rsplit(".", 1)[1], json.loads(body)
        self.asked.append((operation, request))
        if operation in self.errors:
            return 400, error(self.errors[operation], "the front says so")
        if self.deny and self.deny(operation, request):
            return 400, error("AccessDeniedException", f"User: arn:aws:iam::123456789012:user/x is not authorized to perform: dynamodb:{operation}")
        if self.change:
            self.change(operation, request)
        return forward(self.upstream, operation, request)


def error(name, message):
    return json.dumps({"__type": f"com.amazon.coral.service#{name}", "message": message}).encode()


def forward(netloc, operation, request):
    signed = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
    connection = http.client.HTTPConnection(netloc, timeout=20)
    connection.request("POST", "/", json.dumps(request), {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Authorization": signed,
                       "Content-Type": "application/x-amz-json-1.0", "X-Amz-Date": "20260101T000000Z"})
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def ask(url, operation, **request):
    status, body = forward(urllib.parse.urlsplit(url).netloc, operation, request)
    assert status == 200, (operation, body)
    return json.loads(body)


# ── the doctor ────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(words, env):
    """In an environment that has nothing but what is said."""
    clean = {"PATH": os.environ["PATH"], "HOME": os.getcwd(), **{name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}}
    done = subprocess.run([BUILD / "latch", *words], env={**clean, **env}, capture_output=True, text=True, timeout=60)
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done


def examine(words=(), **env):
    """(exit status, {check: line})."""
    done = run(["doctor", *words, "--json"], env)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["check"] for line in lines] == CHECKS, (done.stdout, done.stderr)
    assert SECRET not in done.stdout + done.stderr and KEY_ID not in done.stdout + done.stderr, done.stdout
    return done.returncode, {line["check"]: line for line in lines}


def faults(found, wants):
    """What isn't as a row says: wants {check: (status, words of what was found, words of the advice)}; every other check isn't wrong."""
    exit_status, lines = found
    wrong = {name for name, line in lines.items() if line["status"] == "wrong"}
    out = [f"{name} is {line['status']!r}" for name, line in lines.items() if line["status"] not in STATUSES]
    out += [f"{name} is wrong, and nothing is advised" for name in wrong if not lines[name]["advice"]]
    out += [f"{name} says nothing" for name, line in lines.items() if not line["found"]]
    out += [f"the exit status is {exit_status}" for _ in range(1) if exit_status != (1 if wrong else 0)]
    out += [f"{name} is wrong: {lines[name]['found']}" for name in sorted(wrong) if name not in wants]
    for name, (status, says, advises) in wants.items():
        line = lines[name]
        if line["status"] != status or says not in line["found"] or advises not in (line["advice"] or ""):
            out.append(f"{name}: {line}, want {status}, {says!r}, {advises!r}")
    return out


def blind(found):
    """The twin that finds nothing wrong."""
    return 0, {name: {**line, "status": "ok" if line["status"] == "wrong" else line["status"]} for name, line in found[1].items()}


def check(title, found, wants):
    told = faults(found, wants)
    assert not told, f"{title}: " + "\n".join(told)
    if any(status == "wrong" for status, *_ in wants.values()):
        assert faults(blind(found), wants), f"{title}: the twin that finds nothing wrong passes"


@contextlib.contextmanager
def desk(*create, **front):
    """A folder to be in, a table that `latch table create` makes with these words, and a front."""
    with tempfile.TemporaryDirectory() as folder, changed_to(folder), dynamodb() as url:
        at = ["--endpoint", url, "--region", "eu-west-1"]
        if create:
            done = run(["table", "create", NAME, *at, *create[1:]], KEYS)
            assert done.returncode == 0, done.stderr
        try:
            with Front(url, **front) as one:
                one.direct = url
                yield one
        finally:
            if create:
                run(["table", "delete", NAME, "--yes", *at], KEYS)


@contextlib.contextmanager
def changed_to(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def seen_at(url, *words, **env):
    return examine([NAME, "--endpoint", url, "--region", "eu-west-1", *words], **{**KEYS, **env})


def unseen(*names, says="needs"):
    return {name: ("not looked at", says, "") for name in names}


AFTER_CONNECTION = ("clock", "table", "keys", "indexes", "ttl", "rights", "latency")


# ── where all is right ────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_is_right():
    with desk("create") as front:
        found = seen_at(front.url)
        check("right", found, {
            "store": ("ok", f"DynamoDB, table {NAME} (asked for)", "export LATCH_TABLE="), "region": ("ok", "eu-west-1 (--region)", ""),
            "endpoint": ("ok", f"{front.url} (--endpoint), without TLS", ""), "credentials": ("ok", "the environment (AWS_ACCESS_KEY_ID), key AKIA...WXYZ", ""),
            "ca": ("ok", "not used", ""), "connection": ("ok", "at 127.0.0.1: name in ", ""), "clock": ("ok", "within a second", ""),
            "table": ("ok", f"{NAME} is ACTIVE", ""), "keys": ("ok", "pk (S), sk (S)", ""), "indexes": ("ok", "gsi1, gsi2", ""), "ttl": ("ok", "on, by ttl", ""),
            "rights": ("ok", "GetItem, BatchGetItem, PutItem, UpdateItem, DeleteItem, ConditionCheckItem, Query, Scan, Query of gsi1, Query of gsi2 are", ""),
            "latency": ("ok", "in the median of 5", "")})
        text = run(["doctor", NAME, "--endpoint", front.url, "--region", "eu-west-1"], KEYS)
        assert text.returncode == 0 and "14 ok, 0 wrong, 0 not looked at" in text.stdout and "rights        ok             GetItem" in text.stdout, text.stdout


def test_as_the_functions_see_it():
    with desk("create") as front:
        check("variables", examine(LATCH_TABLE=NAME, AWS_DEFAULT_REGION="eu-west-1", AWS_ENDPOINT_URL=front.url, AWS_SESSION_TOKEN="t", **KEYS), {
            "store": ("ok", "(LATCH_TABLE)", ""), "region": ("ok", "(AWS_DEFAULT_REGION)", ""), "endpoint": ("ok", "(AWS_ENDPOINT_URL)", ""),
            "credentials": ("ok", "with a session token", ""), "rights": ("ok", "", "")})
        pathlib.Path("credentials").write_text(f"[dev]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\nregion = eu-west-1\n")
        check("a profile", examine([NAME, "--profile", "dev", "--endpoint", front.url], AWS_SHARED_CREDENTIALS_FILE="credentials", **KEYS), {
            "settings": ("ok", "profile dev", ""), "region": ("ok", "eu-west-1 (region, of the profile)", ""), "credentials": ("ok", "profile dev of credentials", "")})


def test_other_layouts():
    for layout, keys in (("saga-bus", "PK (S), SK (S)"), ("powertools", "id (S): the layout powertools")):
        with desk("create", "--layout", layout) as front:
            check(layout, seen_at(front.url, "--layout", layout), {"keys": ("ok", keys, ""), "indexes": ("ok", "", ""), "ttl": ("ok", "", "")})
            wants = {"keys": ("wrong", "has the key", f"latch doctor {NAME} --layout {layout}"), **unseen("indexes", says="needs keys")}
            found = seen_at(front.url)
            wants.update({"ttl": ("wrong", "", "")} if found[1]["ttl"]["status"] == "wrong" else {})
            check(f"{layout} as our own", found, wants)


def test_newcomer():
    """Nothing at all: nothing is wrong, and what to do is said. With a table, and nothing else: what is missing, one by one."""
    with tempfile.TemporaryDirectory() as folder, changed_to(folder):
        others = [name for name in CHECKS if name != "store"]
        check("nothing", examine(), {"store": ("ok", "embedded", "latch-local dynamodb --port 8000"), **unseen(*others, says="the embedded store needs none of it")})
        check("embedded", examine(LATCH_STORE="embedded", LATCH_TABLE="x-y"), {"store": ("ok", "LATCH_STORE says so", ""), **unseen(*others, says="embedded")})
        text = run(["doctor"], {}).stdout
        assert text.count("\n") == 8 and "\n" + 32 * " " + "latch table create latch\n" in text and "1 ok, 0 wrong, 13 not looked at" in text, text
        check("a table", examine(["orders"]), {
            "store": ("ok", "asked for", "export LATCH_TABLE=orders"), "region": ("wrong", "no AWS region", "export AWS_REGION="),
            "credentials": ("wrong", "no AWS credentials", "latch-local dynamodb --port 8000"), **unseen("endpoint", says="needs region"),
            **unseen("ca", "connection", says="needs endpoint"), **unseen(*AFTER_CONNECTION)})
        check("on Lambda", examine(AWS_LAMBDA_INITIALIZATION_TYPE="on-demand"), {
            "store": ("wrong", "an init error", "set LATCH_TABLE"), "region": ("wrong", "", ""), "credentials": ("wrong", "", "")})


# ── each thing wrong in turn: where DynamoDB is, and who asks ─────────────────────────────────────────────────────────


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def test_settings_wrong():
    region = {"AWS_REGION": "eu-west-1"}
    rows = [
        ("a bad region", {"AWS_REGION": "EU West"}, {"region": ("wrong", "AWS_REGION is \"EU West\"", "export AWS_REGION=")}),
        ("an endpoint without a scheme", {**region, "AWS_ENDPOINT_URL": "localhost:8000"}, {"endpoint": ("wrong", "AWS_ENDPOINT_URL", "scheme, host and port")}),
        ("both wrong", {"AWS_REGION": "!", "AWS_ENDPOINT_URL": "ftp://x"}, {"region": ("wrong", "", "AWS_REGION"), "endpoint": ("wrong", "ftp", "")}),
        ("an endpoint and FIPS", {**region, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_USE_FIPS_ENDPOINT": "true"},
         {"endpoint": ("wrong", "unset one of them", "")}),
        ("no such profile", {**region, "AWS_PROFILE": "nobody"}, {"settings": ("wrong", "nobody", "aws configure list-profiles"), **unseen("region", "endpoint")}),
        ("a number that is none", {**region, "DYNAMODB_MAX_RETRIES": "many"}, {"settings": ("wrong", "DYNAMODB_MAX_RETRIES", "docs/dynamodb.md")}),
        ("a store that is none", {**region, "LATCH_STORE": "redis"}, {"store": ("wrong", "redis", "unset LATCH_STORE")}),
    ]
    with tempfile.TemporaryDirectory() as folder, changed_to(folder):
        for title, env, wants in rows:
            env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port()}", **env} if "endpoint" not in wants else env
            found = examine(["orders"], **KEYS, **env)
            known = found[1]["connection"]["status"] == "wrong"
            check(title, found, {**wants, **({"connection": ("wrong", "", "")} if known else {}), **unseen(*AFTER_CONNECTION)})


def test_credentials_wrong():
    gone = "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Expiration\":\"2020-01-01T00:00:00Z\"}"
    late = gone.replace("2020", "2098")
    half = {"AWS_ACCESS_KEY_ID": KEY_ID}
    rows = [
        ("none", None, {}, ("wrong", "no AWS credentials", "aws configure")),
        ("a half", None, half, ("wrong", "AWS_SECRET_ACCESS_KEY isn't", "")),
        ("expired", f"credential_process = echo '{gone}'", {}, ("wrong", "expired", "fetch new ones")),
        ("a process that fails", "credential_process = exit 3", {}, ("wrong", "credential_process", "aws configure")),
        ("a role", "role_arn = arn:x\nsource_profile = y", {}, ("wrong", "role_arn", "export-credentials")),
        ("a container that isn't there", None, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{closed_port()}"}, ("wrong", "", "aws configure")),
        ("good until 2098", f"credential_process = echo '{late}'", {}, ("ok", "credential_process of profile default, key (short), until 2098-01-01", "")),
    ]
    with tempfile.TemporaryDirectory() as folder, changed_to(folder):
        for title, config, env, want in rows:
            pathlib.Path("config").write_text(f"[default]\n{config or ''}\n")
            nowhere = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://nowhere.invalid", "AWS_CONFIG_FILE": "config"}
            check(title, examine(["orders"], **nowhere, **env), {"credentials": want, "connection": ("wrong", "", ""), **unseen(*AFTER_CONNECTION)})


def test_connection_wrong():
    with tempfile.TemporaryDirectory() as folder, changed_to(folder):
        port = closed_port()
        check("refused", seen_at(f"http://127.0.0.1:{port}"), {
            "connection": ("wrong", "could not connect", f"latch-local dynamodb --port {port}"), **unseen(*AFTER_CONNECTION, says="needs connection first")})
        check("no such name", seen_at("http://nowhere.invalid:8000"), {
            "connection": ("wrong", "could not resolve nowhere.invalid", "spelling"), **unseen(*AFTER_CONNECTION)})
        with socket.create_server(("127.0.0.1", 0)) as mute:
            url = f"https://127.0.0.1:{mute.getsockname()[1]}"
            check("no TLS there", seen_at(url, DYNAMODB_CONNECTION_TIMEOUT="300"), {"connection": ("wrong", "timed out", "plain server"), **unseen(*AFTER_CONNECTION)})


def test_proxy():
    """Which variable names it is said, what it names isn't: a password is in it. Loopback is never asked for by a proxy."""
    proxy = f"http://user:hush@127.0.0.1:{closed_port()}"
    with tempfile.TemporaryDirectory() as folder, changed_to(folder):
        for url, says, connects in (("https://nowhere.invalid", "by the proxy that HTTPS_PROXY names", "could not connect"),
                                    (f"https://127.0.0.1:{closed_port()}", "with TLS", "could not connect")):
            found = seen_at(url, HTTPS_PROXY=proxy)
            check(url, found, {"endpoint": ("ok", says, ""), "connection": ("wrong", connects, ""), **unseen(*AFTER_CONNECTION)})
            assert "hush" not in str(found) and ("HTTPS_PROXY" in str(found[1]["endpoint"])) == ("proxy" in says), found


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def authority(name):
    """A root, and the context of a server whose certificate it signed."""
    for who, subject in ((name, f"/CN={name}"), (f"{name}.leaf", "/CN=localhost")):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{who}.key")
        signer = ["-CA", f"{name}.pem", "-CAkey", f"{name}.key", "-addext", "subjectAltName=DNS:localhost"] if who != name else []
        openssl("req", "-x509", "-new", "-key", f"{who}.key", "-subj", subject, "-days", "2", "-out", f"{who}.pem", *signer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{name}.leaf.pem", f"{name}.leaf.key")
    return context


def test_tls():
    with tempfile.TemporaryDirectory() as folder, changed_to(folder):
        ours, strange = authority("ours"), authority("strange")
        pathlib.Path("both.pem").write_text(pathlib.Path("ours.pem").read_text() + pathlib.Path("strange.pem").read_text())
        pathlib.Path("no.pem").write_text("this is no certificate\n")
        later = unseen(*AFTER_CONNECTION)
        rows = [
            ("right", ours, {"AWS_CA_BUNDLE": "both.pem"}, {"ca": ("ok", "both.pem (AWS_CA_BUNDLE): 2 certificates", ""), "connection": ("ok", "TLSv1.3 in", ""),
             "table": ("ok", "ACTIVE", "")}),
            ("by SSL_CERT_FILE", ours, {"SSL_CERT_FILE": "ours.pem"}, {"ca": ("ok", "ours.pem (SSL_CERT_FILE): 1 certificate", ""), "rights": ("ok", "", "")}),
            ("another root", strange, {"AWS_CA_BUNDLE": "ours.pem"}, {"connection": ("wrong", "unknown CA", "AWS_CA_BUNDLE"), **later}),
            ("a file that isn't there", ours, {"AWS_CA_BUNDLE": "gone.pem"}, {"ca": ("wrong", "gone.pem", "AWS_CA_BUNDLE"), **unseen("connection", says="needs ca"), **later}),
            ("a file that is none", ours, {"AWS_CA_BUNDLE": "no.pem"}, {"ca": ("wrong", "no.pem has no certificate", "BEGIN CERTIFICATE"), **later}),
        ]
        for title, context, env, wants in rows:
            with desk("create", tls=context) as front:
                check(title, seen_at(front.url, **{name: str(pathlib.Path(folder) / file) for name, file in env.items()}), wants)


def test_clock_wrong():
    for off_s, want in ((600, ("wrong", "s behind DynamoDB's", "timedatectl")), (-600, ("wrong", "s ahead of DynamoDB's", "timedatectl")), (0, ("ok", "", ""))):
        with desk("create", off_s=off_s) as front:
            check(f"{off_s} s", seen_at(front.url), {"clock": want, "rights": ("ok", "", "")})
    with desk("create", date=False) as front:
        check("no Date", seen_at(front.url), unseen("clock", says="no Date"))


# ── the table ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_table_missing():
    with desk() as front:
        check("missing", seen_at(front.url), {
            "table": ("wrong", f"there is no table {NAME} at http://", f"latch table create {NAME} --region eu-west-1 --endpoint {front.url}"),
            **unseen("keys", "indexes", "ttl", "rights", says="needs table"), **unseen("latency")})


def test_table_wrong():
    rows = [
        ("other keys", ["--pk=id", "--no-indexes"], [], {"keys": ("wrong", "has the key id (S) and sk (S)", "latch table create ANOTHER"), **unseen("indexes"), "rights": ("ok", "", "")}),
        ("no indexes", ["--no-indexes"], [], {"indexes": ("wrong", "lacks gsi1, gsi2", "--add-indexes"), "rights": ("ok", "Query, Scan are", "")}),
        ("none are needed", ["--no-indexes"], ["--no-indexes"], {"indexes": ("ok", "none are needed", "")}),
        ("no time to live", ["--layout=saga-bus", "--pk=pk", "--sk=sk", "--no-indexes"], ["--no-indexes"], {"ttl": ("wrong", "off", f"latch table create {NAME}")}),
        ("by another attribute", ["--ttl=expires", "--no-indexes"], ["--no-indexes"], {"ttl": ("wrong", "on by the attribute expires", "AttributeName=expires")}),
    ]
    for title, create, words, wants in rows:
        with desk("create", *create) as front:
            check(title, seen_at(front.url, *words), wants)


# ── rights ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SHOWN_BY = {"ConditionCheckItem": "TransactWriteItems"}


def test_each_right_missing():
    with desk("create") as front:
        for action in ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem", "Query", "Scan"):
            front.deny = lambda operation, request: operation == SHOWN_BY.get(action, action)
            check(action, seen_at(front.url), {"rights": ("wrong", f"denied: dynamodb:{action}", f"\"Action\": [\"dynamodb:{action}\"], \"Resource\": [\"arn:"),
                                               **(unseen("latency", says="needs dynamodb:GetItem") if action == "GetItem" else {})})
        front.deny = lambda operation, request: "IndexName" in request
        check("an index", seen_at(front.url), {"rights": ("wrong", "dynamodb:Query of gsi1, dynamodb:Query of gsi2", "/index/gsi1\"")})


def test_describing_is_not_needed():
    with desk("create") as front:
        front.deny = lambda operation, request: operation == "DescribeTable"
        check("DescribeTable", seen_at(front.url), {**unseen("table", says="DescribeTable is denied"), **unseen("keys", "indexes", "ttl", says="needs dynamodb:DescribeTable"),
                                                    "rights": ("ok", "", ""), "latency": ("ok", "", "")})
        front.deny = lambda operation, request: operation == "DescribeTimeToLive"
        check("DescribeTimeToLive", seen_at(front.url), {"table": ("ok", "", ""), "indexes": ("ok", "gsi1", ""), **unseen("ttl", says="DescribeTimeToLive"), "rights": ("ok", "", "")})
    with desk("create", "--pk=id", "--no-indexes") as front:
        front.deny = lambda operation, request: operation == "DescribeTable"
        check("other keys, unseen", seen_at(front.url), {"rights": ("wrong", "GetItem", "--layout NAME"), **unseen("latency")})


def test_keys_refused():
    for name in ("ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"):
        with desk("create", errors={"DescribeTable": name}) as front:
            check(name, seen_at(front.url), {"table": ("wrong", "", "fetch new ones"), **unseen("keys", "indexes", "ttl", "rights", says="needs table"), **unseen("latency")})


# ── nothing is written ────────────────────────────────────────────────────────────────────────────────────────────────


def items(url):
    return sorted(json.dumps(item, sort_keys=True) for item in ask(url, "Scan", TableName=NAME)["Items"])


def fill(url):
    """One of them has the very key that the doctor asks for."""
    for key in ("latch doctor: nothing has this key", "another"):
        ask(url, "PutItem", TableName=NAME, Item={"pk": {"S": key}, "sk": {"S": key}, "kept": {"N": "1"}})


def written(front):
    """What isn't as it was, after a look."""
    before = items(front.direct)
    found = seen_at(front.url)
    return found, [f"{item} was there before or behind alone" for item in set(before) ^ set(items(front.direct))]


def test_nothing_is_written():
    for filled in (False, True):
        with desk("create") as front:
            if filled:
                fill(front.direct)
            found, changed = written(front)
            assert not changed and found[0] == 0, (changed, found)
            counts = collections.Counter(operation for operation, _ in front.asked)
            assert counts == {"DescribeTable": 1, "DescribeTimeToLive": 1, "GetItem": 6, "BatchGetItem": 1, "PutItem": 1, "UpdateItem": 1, "DeleteItem": 1,
                              "TransactWriteItems": 1, "Query": 3, "Scan": 1}, counts
            for operation, request in front.asked:
                parts = [part for item in request.get("TransactItems", []) for part in item.values()] or [request]
                assert operation not in ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems") or all(part["ConditionExpression"] == NEVER for part in parts), request


def test_writing_twins_are_reported():
    """Whoever drops the condition of a write has written: the harness sees it, and so does the doctor."""
    for dropped in ("PutItem", "UpdateItem", "DeleteItem"):
        def drop(operation, request):
            if operation == dropped:
                request.pop("ConditionExpression")
                request.pop("ExpressionAttributeNames")
        with desk("create", change=drop) as front:
            if dropped == "DeleteItem":
                fill(front.direct)
            found, changed = written(front)
            assert changed, f"{dropped} was let through, and nobody saw it"
            check(dropped, found, {"rights": ("wrong", f"{dropped} was answered as if a condition", "")})


# ── arguments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_arguments():
    rows = [(["a b"], 2, "a b"), (["one", "two"], 2, "takes one table, found one and two"), (["--layout", "tools"], 2, "--layout tools: want one of latch"),
            (["--jsno"], 2, "did you mean --json"), (["--layout", "saga-bus"], 2, "which table?"), (["x-y", "--", "z"], 2, "nothing after --")]
    with tempfile.TemporaryDirectory() as folder, changed_to(folder):
        for words, status, says in rows:
            done = run(["doctor", *words], {})
            assert done.returncode == status and says in done.stderr and done.stdout == "", (words, done)
        for words in (["doctor", "--help"], ["help", "doctor"]):
            done = run(words, {})
            assert done.returncode == 0 and "latch doctor [TABLE]" in done.stdout and "Exit status" in done.stdout, done
        assert "latch doctor" in run(["--help"], {}).stdout and "did you mean doctor" in run(["docter"], {}).stderr
        full = subprocess.run([BUILD / "latch", "doctor"], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True, env={"HOME": folder})
        assert full.returncode == 1 and "standard output can't be written" in full.stderr, full


def main():
    test = globals().get("test_" + sys.argv[2])
    if test is None:
        sys.exit(f"doctor.py has no test_{sys.argv[2]}")
    test()


if __name__ == "__main__":
    main()
