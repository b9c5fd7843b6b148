"""The sample events, each to its function as SAM runs it: `sam local invoke` for the first play, a warm container for the second."""
import concurrent.futures, json, pathlib, time

from checks import mismatches
from tools import ROOT, function_of, functions_of

NAMES = sorted(path.stem for path in (ROOT / "events").glob("*.json"))
LEASE_MS = 60_000 # handlers/sweep.c's


def expectation(name, play):
    wanted = json.loads((ROOT / "events/expect" / f"{name}.json").read_text())
    return wanted["first"] if play == 1 else wanted.get("second", wanted["first"])


def answer_of(text):
    head, nuls, body = text.partition("\0" * 8) # a streamed answer, which the emulator gives as it came
    try:
        return {**json.loads(head), "body": body} if nuls else json.loads(text)
    except ValueError:
        return {"this is no JSON": text[-500:]}


def printed(text):
    """The same of what was printed for people, where the lines of a CSV have lost their own ends: in a warm container they are looked at."""
    head, nuls, body = text.partition("\0" * 8)
    return answer_of(head + nuls + "".join(line + "\r\n" for line in body.splitlines()) if nuls else text)


def first_plays(checks, world, table):
    """In order within a function, whose events build on each other; two functions at a time."""
    answers = {}

    def play(names):
        for name in names:
            answers[name] = world.invoke(function_of(name), f"events/{name}.json", table.name)

    functions = functions_of(ROOT / "template.yaml")
    checks.equal("each function has a sample event, and each event a function", sorted(functions), sorted({function_of(name) for name in NAMES}))
    play(["echo-raw"]) # SAM puts its emulator into the image, once
    rest = [name for name in NAMES if name != "echo-raw"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(play, [name for name in rest if name.startswith("api-")]),
                    pool.submit(play, [name for name in rest if not name.startswith(("api-", "sweep-"))])]:
            job.result()
    play(["sweep-schedule-1"])
    prolong(checks, table)
    play(["sweep-schedule-2"])
    for name in NAMES:
        text, log = answers[name]
        lines = mismatches(expectation(name, 1), printed(text))
        checks.that(f"sam local invoke {function_of(name)} --event events/{name}.json", not lines, "\n".join([*lines, *log.splitlines()[-8:]]))
    return {name: printed(text) for name, (text, _) in answers.items()}


def prolong(checks, table):
    """The lease is a minute, in which a busy machine may not come to the second event: its end is moved, once it is seen to be right."""
    lock = table.get("LOCK#sweep#nightly", "LOCK") or {}
    now_ms = int(time.time() * 1000)
    checks.that("sweep keeps its lock for a minute", lock.get("leaseDuration") == str(LEASE_MS) and now_ms - LEASE_MS < lock.get("expiresAt", 0) <= now_ms + LEASE_MS, lock)
    checks.that("sweep's lock isn't released when its handler ends", lock and "isReleased" not in lock, lock)
    if lock:
        table.set("LOCK#sweep#nightly", "LOCK", expiresAt=now_ms + 3_600_000)


def invoke_warm(client, name, payload=None):
    payload = payload or pathlib.Path(ROOT / "events" / f"{name}.json").read_bytes()
    return answer_of(client.invoke(FunctionName=function_of(name), Payload=payload)["Payload"].read().decode())


def second_plays(checks, client):
    answers = {}
    for name in NAMES:
        answers[name] = invoke_warm(client, name)
        checks.equal(f"{name}, played again in a warm container", expectation(name, 2), answers[name])
    return answers


def twin_expectation(checks, client):
    wanted = expectation("echo-raw", 1)
    wanted["hello"][1] = 2.5
    checks.finds("an expectation that was falsified", mismatches(wanted, invoke_warm(client, "echo-raw")))


def twin_receipt(checks, table, client):
    """A receipt that was changed behind the shop's back is what it answers now."""
    item = table.get("ONCE#checkout#k-1", "ONCE")
    table.set("ONCE#checkout#k-1", "ONCE", data=item["data"].replace('"total_cents":900', '"total_cents":901'))
    checks.finds("a receipt that was changed in the table", mismatches(expectation("api-checkout-1-first", 2), invoke_warm(client, "api-checkout-1-first")))
    table.set("ONCE#checkout#k-1", "ONCE", data=item["data"])
    checks.equal("the receipt, put back", expectation("api-checkout-1-first", 2), invoke_warm(client, "api-checkout-1-first"))


def twin_empty_table(checks, world, empty):
    """The fourth login, where nobody knows of the first three."""
    text, _ = world.invoke("Api", "events/api-login-4-function-url.json", empty.name)
    lines = mismatches(expectation("api-login-4-function-url", 1), answer_of(text))
    checks.finds("a function that looks into an empty table", lines if answer_of(text).get("statusCode") == 401 else [])
    checks.equal("and that table says which one it was", 1, (empty.get("ATTEMPT#login#ann", "ATTEMPT") or {}).get("attempts"))
