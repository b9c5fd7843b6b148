#!/usr/bin/env python3
"""policies.py RELEASE TEST - what template.yaml lets each function do is what it does: no more, no less. Each test_… is one entry of ctest.

The functions are played, with their sample events and beyond, on a store behind a recorder (recorder.py), and what it saw is compared with
the roles that SAM makes of the template (iam.py).
"""
import copy, json, os, pathlib, re, shutil, subprocess, sys, tempfile, threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(pathlib.Path(__file__).parent)]
import iam
from recorder import Recorder
from service import Function

RELEASE = pathlib.Path(sys.argv[1]).resolve()
TABLE = "latch"


def run(*arguments, environment=None, status=0, timeout=60):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "_"))}
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, cwd=ROOT, timeout=timeout,
                          env={**inherited, **(environment or {})})
    assert status is None or done.returncode == status, f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


class Store:
    """A DynamoDB in memory, with a table for each play."""

    def __enter__(self):
        self.server = subprocess.Popen([RELEASE / "latch-local", "dynamodb", "--port", "0", "--quiet"], stdout=subprocess.PIPE, text=True)
        self.url = re.search(r"http://[0-9.:]+", self.server.stdout.readline())[0]
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait(20)
        self.server.stdout.close()

    def environment(self, url):
        return {"AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
                "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "LATCH_TABLE": TABLE, "SHOP_PASSWORD": "opensesame"}

    def fresh(self):
        run(RELEASE / "latch", "table", "delete", TABLE, "--yes", environment=self.environment(self.url), status=None)
        run(RELEASE / "latch", "table", "create", environment=self.environment(self.url))


def events_of(handler):
    return sorted(path for path in (ROOT / "events").glob("*.json") if path.name.split("-")[0] == handler)


def stack_functions(stack):
    """Handler -> the function's logical id."""
    found = {resource["Properties"]["Handler"]: name for name, resource in stack.of_type("AWS::Lambda::Function").items()}
    assert set(found) == {"api", "orders", "sweep", "export", "echo"}, found
    return found


# ── plays ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def play_events(store, handler, recorder):
    """The function's sample events, twice each, in one warm process: every answer is the expected one."""
    events = events_of(handler)
    assert events, handler
    done = run(RELEASE / "latch-local", "invoke", "--plays", "2", "--expect", "events/expect", *events, "--", RELEASE / "bootstrap",
               environment=store.environment(recorder.url), status=None)
    return done.stdout.rstrip().splitlines()[-1] == f"{2 * len(events)} events, {2 * len(events)} ok", done.stdout


def http_event(method, path, body="", **headers):
    event = json.loads((ROOT / "events/api-checkout-1-first.json").read_bytes())
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    event["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
    event["body"] = body
    return json.dumps(event).encode()


# What no sample event does, by handler: each play is a list of events in one process.
BEYOND = {
    "api": [
        [http_event("POST", "/login", '{"user":"ann","password":"opensesame"}')],  # a success clears the attempts
        [http_event("GET", "/products/nothing")] * 2,  # remembered as missing
        [http_event("POST", "/checkout", '{"sku":"tea","qty":1000}', idempotency_key="k")] * 2,  # a claim is given back
    ],
    "orders": [],
    "sweep": [],
    "export": [],
    "echo": [],
}


def play(store, handler, events, recorder):
    """One process; gives the statuses of an HTTP function. A lost connection may well make an invocation fail."""
    statuses = []
    with Function(str(RELEASE / "bootstrap"), handler, store.environment(recorder.url)) as function:
        for event in events:
            kind, _, body = function.invoke(event)
            answer = json.loads(body.split(bytes(8))[0]) if kind == "response" and body else None  # of a stream, what comes before its NULs
            statuses.append(answer.get("statusCode") if isinstance(answer, dict) else None)
    return statuses


def play_beyond(store, handler):
    used = set()
    for events in BEYOND[handler]:
        store.fresh()
        with Recorder(store.url) as recorder:
            play(store, handler, events, recorder)
        used |= recorder.rights()
    return used


def play_with_losses(store, handler):
    """Each event again with its first, second, … request lost, before and after it was applied: repeats, takeovers, what was half done."""
    used, lost = set(), 0
    for path in events_of(handler):
        twice = [path.read_bytes()] * 2
        store.fresh()
        with Recorder(store.url) as recorder:
            play(store, handler, twice, recorder)
        for number in range(min(len(recorder.requests), 6)):
            store.fresh()
            lose = {number: ("before", "after")[number % 2], number + 1: "after"}
            with Recorder(store.url, lose=lose) as faulty:
                play(store, handler, twice, faulty)
            lost += len(faulty.requests) > number
            used |= faulty.rights()
    return used, lost


def play_side_by_side(store, handler):
    """The same event in two processes at once, over a slow connection: whoever comes second waits, joins, or is refused."""
    used = set()
    for path in events_of(handler):
        store.fresh()
        with Recorder(store.url, delay_s=0.02) as recorder:
            threads = [threading.Thread(target=play, args=(store, handler, [path.read_bytes()], recorder)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        used |= recorder.rights()
    return used


def needed_of_store(stack, used):
    """Pairs with ARNs. A table that isn't the stack's own has an ARN that no policy of it can have."""
    arn = stack.arn("Table")
    return {(action, arn + name[len(TABLE):] if name.split("/")[0] == TABLE else f"another table: {name}") for action, name in used}


# ── tests ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_function_may_do_what_it_does_and_nothing_else():
    stack = iam.Stack(iam.read(ROOT / "template.yaml"))
    with Store() as store:
        for handler, function in stack_functions(stack).items():
            store.fresh()
            with Recorder(store.url) as recorder:
                ok, said = play_events(store, handler, recorder)
            assert ok, said[-2000:]
            used = recorder.rights() | play_beyond(store, handler)
            needed = needed_of_store(stack, used) | stack.needed_of_lambda(function)
            too_much, too_little = iam.compare(stack.allowed(function), needed)
            assert not too_much and not too_little, f"{function} may, and doesn't: {too_much}; does, and may not: {too_little}"
            has_stores = handler != "echo"
            assert bool(used) == has_stores and (recorder.connections > 0) == has_stores, (handler, used, recorder.connections)
            print(f"{function}: {', '.join(sorted(action for action, _ in used)) or 'no store'}")


def test_no_other_right_is_needed_where_requests_are_lost():
    stack = iam.Stack(iam.read(ROOT / "template.yaml"))
    with Store() as store:
        for handler, function in stack_functions(stack).items():
            if handler == "echo":
                continue
            used, lost = play_with_losses(store, handler)
            assert lost >= 4, f"{handler}: only {lost} plays had a request to lose"
            used |= play_side_by_side(store, handler)
            _, too_little = iam.compare(stack.allowed(function), needed_of_store(stack, used))
            assert not too_little, f"{function} does, and may not: {too_little}"


def allows_of(stack, function):
    arn, allowed = stack.arn("Table"), stack.allowed(function)
    return lambda action, name: any(iam.covers(pattern, (action, arn + name[len(TABLE):])) for pattern in allowed)


def test_the_shop_works_with_its_policies_enforced():
    stack = iam.Stack(iam.read(ROOT / "template.yaml"))
    with Store() as store:
        for handler, function in stack_functions(stack).items():
            store.fresh()
            with Recorder(store.url, allows=allows_of(stack, function)) as recorder:
                ok, said = play_events(store, handler, recorder)
            assert ok and not recorder.denied, (recorder.denied, said[-2000:])


def statements(template, role):
    return template["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]


def one_action_more(template):
    statements(template, "OrdersRole")[0]["Action"] = ["dynamodb:UpdateItem", "dynamodb:GetItem"]


def one_action_less(template):
    statements(template, "SweepRole")[0]["Action"] = ["dynamodb:UpdateItem"]


def any_table(template):
    statements(template, "OrdersRole")[0]["Resource"] = "*"


def any_action(template):
    statements(template, "OrdersRole")[0]["Action"] = "dynamodb:*"


def the_indexes_too(template):
    statement = statements(template, "SweepRole")[0]
    statement["Resource"] = [statement["Resource"], {"Fn::Sub": "${Table.Arn}/index/*"}]


def a_role_of_sams(template):
    del template["Resources"]["Orders"]["Properties"]["Role"], template["Resources"]["OrdersRole"]  # SAM's has the same name


def any_log(template):
    statements(template, "EchoRole")[0]["Resource"] = "arn:aws:logs:*:*:*"


def no_right_to_the_queue(template):
    del statements(template, "OrdersRole")[1]


TWINS = {  # what is broken: the handler that it is found at, what is too much, what is too little
    one_action_more: ("orders", ["dynamodb:GetItem"], []),
    one_action_less: ("sweep", [], ["dynamodb:DeleteItem"]),
    any_table: ("orders", ["dynamodb:UpdateItem"], []),
    any_action: ("orders", ["dynamodb:*"], []),
    the_indexes_too: ("sweep", ["dynamodb:DeleteItem", "dynamodb:UpdateItem"], []),
    a_role_of_sams: ("orders", ["all of AWSLambdaBasicExecutionRole", "all of AWSLambdaSQSQueueExecutionRole"],  # neither is looked into
                     ["dynamodb:UpdateItem", *sorted(iam.LOG_ACTIONS), *sorted(iam.QUEUE_ACTIONS)]),
    any_log: ("echo", sorted(iam.LOG_ACTIONS), []),
    no_right_to_the_queue: ("orders", [], sorted(iam.QUEUE_ACTIONS)),
}


def test_twins_with_other_rights_are_found():
    template, used = iam.read(ROOT / "template.yaml"), {}
    with Store() as store:
        for handler in ("orders", "sweep", "echo"):
            store.fresh()
            with Recorder(store.url) as recorder:
                play_events(store, handler, recorder)
            used[handler] = recorder.rights()
    for twin, (handler, more, less) in TWINS.items():
        broken = copy.deepcopy(template)
        twin(broken)
        stack = iam.Stack(broken)
        function = stack_functions(stack)[handler]
        needed = needed_of_store(stack, used[handler]) | stack.needed_of_lambda(function)
        too_much, too_little = iam.compare(stack.allowed(function), needed)
        found = [action for action, _ in too_much], [action for action, _ in too_little]
        assert found == (more, less), (twin.__name__, found)


def test_a_twin_with_a_right_less_is_denied_what_it_asks_for():
    broken = iam.read(ROOT / "template.yaml")
    one_action_less(broken)
    stack = iam.Stack(broken)
    with Store() as store:
        store.fresh()
        with Recorder(store.url, allows=allows_of(stack, "Sweep")) as recorder:
            ok, said = play_events(store, "sweep", recorder)
    assert not ok and ("dynamodb:DeleteItem", TABLE) in recorder.denied, said[-2000:]
    assert "dynamodb:DeleteItem" in said, said[-2000:]


def test_a_table_of_another_name_is_found():
    stack = iam.Stack(iam.read(ROOT / "template.yaml"))
    needed = needed_of_store(stack, {("dynamodb:UpdateItem", TABLE), ("dynamodb:UpdateItem", "somebody-elses")})
    _, too_little = iam.compare(stack.allowed("Orders"), needed)
    assert too_little == [("dynamodb:UpdateItem", "another table: somebody-elses")], too_little


def test_parts_of_requests_need_their_own_rights():
    rows = [
        ("GetItem", {"TableName": "t"}, {("dynamodb:GetItem", "t")}),
        ("Query", {"TableName": "t", "IndexName": "i"}, {("dynamodb:Query", "t/index/i")}),
        ("BatchGetItem", {"RequestItems": {"t": {}, "u": {}}}, {("dynamodb:BatchGetItem", "t"), ("dynamodb:BatchGetItem", "u")}),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]},
         {("dynamodb:PutItem", "t"), ("dynamodb:ConditionCheckItem", "u")}),
        ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "t"}}]}, {("dynamodb:GetItem", "t")}),
        ("ListTables", {}, {("dynamodb:ListTables", "*")}),
    ]
    for operation, request, rights in rows:
        assert iam.rights_of(operation, request) == rights, operation


# ── the pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_has_each_functions_rights():
    stack, page = iam.Stack(iam.read(ROOT / "template.yaml")), (ROOT / "docs/permissions.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \|$", page, re.MULTILINE)
    expected = []
    for handler, function in stack_functions(stack).items():
        actions = sorted(action for action, resource in stack.allowed(function) if resource == stack.arn("Table"))
        expected.append((function, handler, ", ".join(f"`{action}`" for action in actions) or "none"))
    assert sorted(rows) == sorted(expected), (rows, expected)


# Not in the pages' rows: what sends nothing itself, or is told there in words.
NO_ROW = {"latch_dynamodb_next", "latch_dynamodb_next_page", "latch_dynamodb_count", "latch_dynamodb_token", "latch_dynamodb_table_fits",
          "latch_dynamodb_call", "latch_dynamodb_writer_open", "latch_dynamodb_writer_add", "latch_dynamodb_writer_put",
          "latch_dynamodb_writer_delete", "latch_dynamodb_writer_flush", "latch_dynamodb_writer_close", "latch_layout_explain",
          "latch_dynamo_table_name", "latch_dynamo_table_check", "latch_map_read", "latch_parallel_run"}

HOOKS = {"latch_once_event"} # a call of an entry's, made by what stands around the handler


def public_calls():
    """What latch.h's store headers declare; the underscore behind the function of a macro isn't part of its name."""
    headers = re.findall(r'^#include "(store/\w+\.h)"$', (ROOT / "latch.h").read_text(encoding="utf-8"), re.MULTILINE)
    texts = [(ROOT / header).read_text(encoding="utf-8") for header in headers]
    return {call.rstrip("_") for text in texts for call in re.findall(r"^LATCH_NODISCARD latch_status (latch_\w+)\(", text, re.MULTILINE)}


def test_no_call_is_missing_on_the_pages():
    calls = public_calls()
    assert NO_ROW <= calls and len(calls) > 120, (NO_ROW - calls, len(calls))
    for page in ("costs.md", "permissions.md"):
        rows = set(re.findall(r"^\| `(latch_\w+)`", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE))
        assert rows == calls - NO_ROW | HOOKS, (page, rows ^ (calls - NO_ROW | HOOKS))


def one_order():
    event = json.loads((ROOT / "events/orders-sqs.json").read_bytes())
    event["Records"] = event["Records"][:1]
    return json.dumps(event).encode()


SHOP_COSTS = {  # a row of docs/costs.md: who is played, and what
    "`GET /products/tea`": ("api", http_event("GET", "/products/tea")),
    "`POST /checkout`": ("api", http_event("POST", "/checkout", '{"sku":"tea","qty":1}', idempotency_key="k")),
    "`POST /login`, wrong": ("api", http_event("POST", "/login", '{"user":"ann","password":"wrong one"}')),
    "`POST /login`, right": ("api", http_event("POST", "/login", '{"user":"ann","password":"opensesame"}')),
    "`POST /orders`": ("api", http_event("POST", "/orders", '{"order_id":"o-1","sku":"tea","qty":1,"address":"12 Oak Street"}')),
    "`GET /dashboard`": ("api", http_event("GET", "/dashboard")),
    "`GET /categories/all`": ("api", http_event("GET", "/categories/all")),
    "`GET /export/all`": ("export", (ROOT / "events/export-1-all.json").read_bytes()),
    "an order in a queue": ("orders", one_order()),
    "`sweep`": ("sweep", (ROOT / "events/sweep-schedule-1.json").read_bytes()),
}


def test_the_page_has_what_the_shop_costs():
    page = (ROOT / "docs/costs.md").read_text(encoding="utf-8").split("## The shop\n")[1].split("\n## ")[0]
    rows, measured = re.findall(r"^\| (.*) \| (\d+) \| (\d+) \|$", page, re.MULTILINE), []
    with Store() as store:
        for name, (handler, event) in SHOP_COSTS.items():
            store.fresh()
            with Recorder(store.url) as recorder, Function(str(RELEASE / "bootstrap"), handler, store.environment(recorder.url)) as function:
                counts = []
                for _ in range(2):
                    before = len(recorder.requests)
                    function.invoke(event)
                    counts.append(str(len(recorder.requests) - before))
            measured.append((name, *counts))
    assert rows == measured, (rows, measured)


# ── the rest of the template ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_is_what_latch_table_schema_prints():
    printed = iam.yaml_parse(run(RELEASE / "latch", "table", "schema", "--format", "cloudformation").stdout)["Resources"]["LatchTable"]
    table = iam.read(ROOT / "template.yaml")["Resources"]["Table"]
    ours, theirs = dict(table["Properties"]), dict(printed["Properties"])
    assert ours.pop("TableName") == {"Fn::If": ["HasTableName", {"Ref": "TableName"}, {"Ref": "AWS::NoValue"}]}
    assert theirs.pop("TableName") == TABLE
    assert ours == theirs, (ours, theirs)
    assert table["UpdateReplacePolicy"] == printed["UpdateReplacePolicy"] == "Retain"
    assert printed["DeletionPolicy"] == "Retain" and table["DeletionPolicy"] in ("Retain", "RetainExceptOnCreate")
    stack = iam.Stack(iam.read(ROOT / "template.yaml"))
    for handler, name in stack_functions(stack).items():
        variables = stack.resources[name]["Properties"].get("Environment", {}).get("Variables", {})
        assert variables.get("LATCH_TABLE") == ({"Ref": "Table"} if handler != "echo" else None), (name, variables)


def test_orders_come_again_until_they_are_done_or_dead():
    stack = iam.Stack(iam.read(ROOT / "template.yaml"))
    timeout_s = stack.resources["Orders"]["Properties"]["Timeout"]
    queue = stack.resources["OrdersQueue"]["Properties"]
    assert queue["VisibilityTimeout"] == 6 * timeout_s, "AWS: 6 times the function's timeout"
    receives, dead = queue["RedrivePolicy"]["maxReceiveCount"], queue["RedrivePolicy"]["deadLetterTargetArn"]
    job_s = 5 * 60 + 2  # store/dedupe.h's job_timeout_ms, the default, and what clocks may differ by
    assert "job_timeout_ms" not in (ROOT / "handlers/orders.c").read_text(), "the handler has a time of its own: compare with that"
    assert (receives - 2) * queue["VisibilityTimeout"] > job_s, "a message whose handler died would be given up before its job is over"
    assert stack.text(dead) == stack.arn("OrdersDeadQueue")
    mapping, = stack.of_type("AWS::Lambda::EventSourceMapping").values()
    assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["Properties"]["ScalingConfig"]["MaximumConcurrency"] >= 2
    assert stack.resources["LateOrders"]["Properties"]["Threshold"] > receives * queue["VisibilityTimeout"]


def test_alarms_watch_what_there_is():
    template = iam.read(ROOT / "template.yaml")
    stack, watched = iam.Stack(template), set()
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
        properties = alarm["Properties"]
        assert properties["TreatMissingData"] == "notBreaching" and len(properties["AlarmDescription"]) > 40, name
        assert properties["AlarmActions"]["Fn::If"][:2] == ["HasAlarmEmail", [{"Ref": "Alarms"}]], name
        parts = [m for m in properties.get("Metrics", []) if "MetricStat" in m]
        for m in [p["MetricStat"]["Metric"] for p in parts] or [properties]:
            (first, *_), known = m["Dimensions"], {"FunctionName": "AWS::Lambda::Function", "TableName": "AWS::DynamoDB::Table",
                                                   "QueueName": "AWS::SQS::Queue"}
            value = first["Value"].get("Ref") or first["Value"]["Fn::GetAtt"]
            resource = value if isinstance(value, str) else value[0]
            resource = resource.split(".")[0]
            assert stack.resources[resource]["Type"] == known[first["Name"]], (name, first)
            watched.add((resource, m["MetricName"]))
        for math in [m["Expression"] for m in properties.get("Metrics", []) if "Expression" in m]:
            assert {p["Id"] for p in parts} == set(re.findall(r"[a-z]+", math)), (name, math)
            silent = {p["Id"] for p in parts if p["MetricStat"]["Metric"]["Namespace"] == "AWS/DynamoDB"}
            assert silent == set(re.findall(r"FILL\((\w+), 0\)", math)), (name, "an alarm on a metric of AWS/DynamoDB stays where it is while that is silent")
        assert properties.get("Namespace") != "AWS/DynamoDB", (name, "FILL takes an expression")
    functions = ("Api", "Orders", "Sweep", "Export")
    wanted = {(f, metric) for f in functions for metric in ("Errors", "Throttles", "Duration")} | {
        ("OrdersQueue", "ApproximateAgeOfOldestMessage"), ("OrdersDeadQueue", "ApproximateNumberOfMessagesVisible"),
        ("Table", "ReadThrottleEvents"), ("Table", "WriteThrottleEvents"), ("Table", "SystemErrors")}
    assert watched == wanted, watched ^ wanted
    near = stack.resources["NearTimeout"]["Properties"]["Threshold"]
    assert {stack.resources[f]["Properties"]["Timeout"] * 1000 * 8 // 10 for f in functions} == {near}


def test_parameters_say_what_they_want():
    template = iam.read(ROOT / "template.yaml")
    for name, parameter in template["Parameters"].items():
        bound = {"AllowedValues", "AllowedPattern", "MinLength"} & set(parameter)
        assert bound and parameter["Description"] and name in parameter["ConstraintDescription"], name
        values = parameter.get("AllowedValues")
        assert values is None or parameter["Default"] in values, name
        if "AllowedPattern" in parameter:
            assert re.match(parameter["AllowedPattern"], parameter["Default"]), name
    page = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([A-Z]\w+)` \|", page, re.MULTILINE)) == set(template["Parameters"]), "docs/deploy.md's table"
    pattern = template["Parameters"]["AlarmEmail"]["AllowedPattern"]
    assert re.match(pattern, "ann@example.com") and not re.match(pattern, "ann") and not re.match(pattern, "ann@example com.org")
    assertion, = template["Rules"]["PasswordOfYourOwn"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ShopPassword"}, template["Parameters"]["ShopPassword"]["Default"]]}]}


# ── sam build ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

# Stands for ./dev: what the real one makes takes minutes, and is proven by `./dev sam`. Here it is who calls it, how often, and with what.
DEV = """#!/bin/sh
echo "$@" >>calls
[ "$1" = package ] || exit 1
[ -z "$MAKEFLAGS$MAKEOVERRIDES$ARCH" ] || { echo "make's own variables are handed down" >&2; exit 1; }
[ ! -e fails ] || { echo "no zig here: install it" >&2; exit 1; }
mkdir -p "build/package/$2" && echo "for $2" >"build/package/$2/bootstrap" && chmod +x "build/package/$2/bootstrap"
"""


def offline():
    return {"SAM_CLI_TELEMETRY": "0", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": "none"}


class Clone:
    """A folder with what `sam build` reads of the repository, and a ./dev that tells who called it."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name).resolve() / "a clone"
        self.path.mkdir()
        for name in ("template.yaml", "samconfig.toml", "Makefile"):
            shutil.copy(ROOT / name, self.path / name)
        for name in ("packaging", "handlers"):
            shutil.copytree(ROOT / name, self.path / name)
        (self.path / "dev").write_text(DEV.replace("echo \"$@\"", "cd \"$(dirname \"$0\")\" && echo \"$@\""))
        (self.path / "dev").chmod(0o755)
        (self.path / "build").mkdir()
        (self.path / "build/large").write_bytes(bytes(1000))
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def sam(self, *arguments, status=0):
        home = self.path.parent / "home"
        home.mkdir(exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
        done = subprocess.run([pathlib.Path(sys.executable).with_name("sam"), *arguments], cwd=self.path, capture_output=True, text=True,
                              timeout=200, env={**inherited, **offline(), "HOME": str(home)})
        assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def built(self):
        return {path.parent.name: path.read_text() for path in (self.path / ".aws-sam/build").glob("*/bootstrap")}


def test_sam_build_makes_what_it_is_told():
    with Clone() as clone:
        clone.sam("build")
        assert clone.built() == dict.fromkeys(("Api", "Orders", "Sweep", "Export", "Echo"), "for x86_64\n"), clone.built()
        for path in (clone.path / ".aws-sam/build").glob("*/*"):
            assert path.name == "bootstrap" and os.access(path, os.X_OK), path
        clone.sam("build", "--parameter-overrides", "Architecture=arm64")
        assert set(clone.built().values()) == {"for arm64\n"} and len(clone.built()) == 5, clone.built()
        clone.sam("build", "--build-in-source", "Echo")
        assert clone.built() == {"Echo": "for x86_64\n"}, clone.built()
        calls = (clone.path / "calls").read_text().splitlines()
        assert calls == ["package x86_64"] * 5 + ["package arm64"] * 5 + ["package x86_64"], calls


def test_sam_build_shows_what_is_missing():
    with Clone() as clone:
        (clone.path / "fails").touch()
        said = clone.sam("build", "Echo", status=1)
        assert "no zig here: install it" in said, said


def test_sam_build_refuses_another_architecture():
    with Clone() as clone:
        make = ["make", "--makefile", clone.path / "Makefile", "build-Api"]
        for more, says in ((["ARTIFACTS_DIR=out", "ARCH=riscv"], "ARCH is riscv: Lambda has x86_64 and arm64"),
                           (["ARCH=arm64"], "build-Api is called by sam build; by hand, say where to")):
            done = subprocess.run([*make, *more], cwd=clone.path, capture_output=True, text=True, timeout=60,
                                  env={name: value for name, value in os.environ.items() if name not in ("ARTIFACTS_DIR", "ARCH", "MAKEFLAGS")})
            assert done.returncode == 2 and says in done.stderr, (done.returncode, done.stdout, done.stderr)
        assert not (clone.path / "calls").exists()


def test_the_template_passes_cfn_lint():
    done = run(pathlib.Path(sys.executable).with_name("cfn-lint"), "--regions", "us-east-1", "--", "template.yaml", status=None, timeout=280)
    assert done.returncode == 0 and "cfn-lint" not in (ROOT / "template.yaml").read_text(), done.stdout + done.stderr


def main():
    test = globals().get(f"test_{sys.argv[2]}")
    if test is None:
        sys.exit(f"there is no test {sys.argv[2]}")
    test()


if __name__ == "__main__":
    main()
