#!/usr/bin/env python3
"""model.py RACE [--OPTION VALUE]… - a worker as races_worker is, of the models that aren't npm's: the same calls, the same journal (worker.h).

Powertools for Python and the lock client for Java are the libraries themselves. @paradoxical-io/common-aws is in no registry: its requests
are made by tests/interop/paradoxical.py."""
import json, os, pathlib, random, subprocess, sys, time

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/interop"))
OPTIONS = {"calls": 1, "lease_ms": 300, "limit": 5, "seed": 1, "journal": "/dev/stdout"}
TABLE, URL = os.environ.get("LATCH_TABLE"), os.environ.get("AWS_ENDPOINT_URL_DYNAMODB")


def now():
    return time.monotonic_ns() // 1000


def pause(most_ms):
    time.sleep(random.random() * most_ms / 1000)


def note(**event):
    os.write(JOURNAL, (json.dumps({"p": os.getpid(), **event}) + "\n").encode())


def table():
    return boto3.resource("dynamodb", endpoint_url=URL, aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1").Table(TABLE)


def overrun():
    """Now and then it takes longer than its time."""
    if random.random() < 1 / 8:
        time.sleep(OPTIONS["lease_ms"] / 1000 + random.random() * 0.6)


# ── locks, as lock-overrun ──────────────────────────────────────────────────────────────────────────────────────────


def hold(acquire, release):
    t0 = now()
    got = acquire()
    note(e="take", k=0, status="OK" if got else "Held", maybe=0, fence=0, lease=OPTIONS["lease_ms"], late=0, t0=t0, t1=now())
    if not got:
        return pause(6)
    pause(1)
    overrun()
    note(e="giving", k=0, fence=0, t=now())
    release()
    note(e="gave", k=0, fence=0, status="OK", maybe=0, t=now())


def dynamo_lock():
    """Its leases are whole seconds, and end at the beginning of one."""
    from paradoxical import DynamoLock
    lock, seconds = DynamoLock(table()), max(1, OPTIONS["lease_ms"] // 1000)
    return lambda: hold(lambda: lock.try_acquire("k0", seconds + 1), lambda: lock.release("k0"))


class JavaPeer:
    def __init__(self):
        peer = ROOT / "build/tools/peers/java"
        self.process = subprocess.Popen(["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{peer}/classes:{peer}/lib/*", "LockPeer", URL],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.ask(do="new", table=TABLE, owner=str(os.getpid()), lease_ms=OPTIONS["lease_ms"], heartbeat_ms=0, **{"as": "c"})

    def ask(self, **line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


def lock_client():
    peer = JavaPeer()
    return lambda: hold(lambda: peer.ask(do="acquire", on="c", key="k0", wait_ms=0, **{"as": "l"})["acquired"],
                        lambda: peer.ask(do="release", on="c", lock="l"))


# ── do-once, as once-overrun ────────────────────────────────────────────────────────────────────────────────────────


def once_with(run, clear):
    """run(work) gives what the work answered, here or before, or None where another is at it."""
    def work():
        n = random.randrange(1 << 31)
        note(e="work", k=0, n=n, takeovers=1, lease=OPTIONS["lease_ms"], t0=work.t0, t=now())
        time.sleep(OPTIONS["lease_ms"] / 1000 + random.random())
        note(e="worked", k=0, n=n, says="OK", t=now())
        work.did = True
        return {"n": n}

    def one():
        if random.random() < 1 / 6:
            note(e="clearing", k=0, t0=now())
            gone, t = clear(), now()
            return note(e="clear", k=0, status="OK" if gone else "Busy", maybe=0, t0=t, t1=t)
        work.t0, work.did = now(), False
        answer = run(work)
        note(e="once", k=0, status="Busy" if answer is None else "OK", maybe=0, did=int(work.did), n=(answer or {}).get("n", -1), t0=work.t0, t1=now())
        pause(5)

    return one


def powertools():
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
    from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError
    client = boto3.client("dynamodb", endpoint_url=URL, aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")
    layer, items = DynamoDBPersistenceLayer(table_name=TABLE, boto3_client=client), table()

    class Context:
        """An invocation that has its in-progress time left, and works longer."""
        def get_remaining_time_in_millis(self):
            return OPTIONS["lease_ms"]

    def run(work):
        config = IdempotencyConfig()
        config.register_lambda_context(Context())
        call = idempotent_function(data_keyword_argument="event", persistence_store=layer, config=config, key_prefix="race")(lambda event: work())
        try:
            return call(event={"k": 0})
        except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError):
            return None

    def clear():
        from botocore.exceptions import ClientError
        for item in items.scan()["Items"]:
            try:
                items.delete_item(Key={"id": item["id"]}, ConditionExpression="#s = :c", ExpressionAttributeNames={"#s": "status"},
                                  ExpressionAttributeValues={":c": "COMPLETED"})
                return True
            except ClientError:
                return False
        return False

    return once_with(run, clear)


def do_once_manager():
    """It keeps no answer: what is replayed is what its caller remembers, so that no answer is judged, only who works."""
    from paradoxical import DoOnceManager
    manager = DoOnceManager(table())

    def run(work):
        done = manager.do_once("user", "k0", work)
        return done["response"] if done["did"] else None

    def clear():
        manager.clear("user", "k0")
        return True

    return once_with(run, clear)


# ── limited attempt, sets, counters ─────────────────────────────────────────────────────────────────────────────────


def limited_attempt():
    """Its windows have no ids: two of them may lie in one span of time, so that twice the limit may be had."""
    from paradoxical import AttemptsError, LimitedAttempt, PartitionedKeyValueTable
    attempts = LimitedAttempt(PartitionedKeyValueTable(table(), "race"))

    def one():
        t0, status = now(), "OK"
        try:
            attempts.attempt("p", "k0", OPTIONS["limit"], 1000)
        except AttemptsError:
            status = "Limited"
        note(e="rate", k=0, status=status, maybe=0, limit=OPTIONS["limit"], bound=2 * OPTIONS["limit"], window=1000, exact=0, t0=t0, t1=now())
        pause(8)

    return one


def partitioned_set():
    from paradoxical import PartitionedKeyValueTable
    kv, own = PartitionedKeyValueTable(table(), ""), []

    def one():
        adds = not own or (len(own) < 6 and random.random() < 0.5)
        element = f"{os.getpid()}-{one.call}" if adds else own[0]
        one.call += 1
        note(e="setting", k=0, add=int(adds), el=element)
        t0 = now()
        (kv.add_to_set if adds else kv.remove_from_set)("k0", "set", element)
        note(e="set", k=0, status="OK", maybe=0, add=int(adds), el=element, t0=t0, t1=now())
        own.append(element) if adds else own.pop(0)

    one.call = 0
    return one


def counter():
    from paradoxical import KeyValueCounter
    count = KeyValueCounter(table(), "")

    def one():
        by, t0 = random.randint(1, 3), now()
        note(e="adding", k=0, by=by)
        try:
            value, status = count.incr("k0", by), "OK"
        except Exception:  # the SDK's own tries are used up
            value, status = None, "Network"
        note(e="add", k=0, by=by, status=status, maybe=int(status != "OK"), value=value, t0=t0, t1=now())

    return one


RACES = {"dynamo-lock": dynamo_lock, "lock-client": lock_client, "powertools": powertools, "do-once-manager": do_once_manager,
         "limited-attempt": limited_attempt, "set": partitioned_set, "counter": counter}

if __name__ == "__main__":
    for name, value in zip(sys.argv[2::2], sys.argv[3::2]):
        name = name.removeprefix("--").replace("-", "_")
        OPTIONS[name] = value if name == "journal" else int(value)
    JOURNAL = os.open(OPTIONS["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    call = RACES[sys.argv[1]]()
    for _ in range(OPTIONS["calls"]):
        call()
    note(e="bye", calls=OPTIONS["calls"])
