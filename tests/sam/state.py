"""What the functions left in the table, read back item by item with boto3: the stores' layouts are a contract (store/*.h)."""
import json, time

DAY_S, HOUR_S, WEEK_S = 86_400, 3_600, 604_800
MESSAGE = "19dd0b57-b21e-4ac1-bd88-01bbb068cb0" # and a digit: events/orders-sqs.json
SHARD = "4954511524349098501828006771497314458218006259324420096" # and a digit: events/orders-kinesis.json
SLACK_S = 900 # a slow machine's run


def is_about(seconds, wanted_s):
    """An instant that far from now: it was written within the last minutes, and layouts round up."""
    now_s = time.time()
    return isinstance(seconds, int) and now_s + wanted_s - SLACK_S <= seconds <= now_s + wanted_s + 60


def receipt_lines(table, wanted):
    """What is wrong with the stored receipt of k-1; `wanted` was answered."""
    item = table.get("ONCE#checkout#k-1", "ONCE")
    if item is None:
        return ["ONCE#checkout#k-1 isn't there"]
    lines = []
    if item.get("status") != "COMPLETED":
        lines.append(f"status is {item.get('status')}")
    if json.loads(item.get("data", "null")) != wanted:
        lines.append(f"data is {item.get('data')}, and {json.dumps(wanted)} was answered")
    if len(item.get("validation", "")) != 64:
        lines.append(f"validation is {item.get('validation')}, no SHA-256")
    if not is_about(item.get("expiration"), DAY_S) or item.get("ttl") != item.get("expiration"):
        lines.append(f"expiration is {item.get('expiration')} and ttl {item.get('ttl')}, want a day from now")
    return lines


def attempt_lines(table):
    item = table.get("ATTEMPT#login#ann", "ATTEMPT")
    if item is None:
        return ["ATTEMPT#login#ann isn't there"]
    wanted = {"attempts": 3, "context": '{"first_from":"72.12.164.125"}'}
    lines = [f"{name} is {item.get(name)}, want {value}" for name, value in wanted.items() if item.get(name) != value]
    if not is_about(item.get("ttl"), DAY_S + 15 * 60):
        lines.append(f"ttl is {item.get('ttl')}, want the window's end and a day")
    return lines


def dedupe_lines(table, key, status, error=None):
    pk = f"DEDUPE#order-message#{key}"
    item = table.get(pk, pk)
    if item is None:
        return [f"{pk} isn't there"]
    lines = [f"{pk}: status is {item.get('status')}, want {status}"] if item.get("status") != status else []
    if error and item.get("error") != error:
        lines.append(f"{pk}: error is {item.get('error')}, want {error}")
    if status == "completed" and not is_about(item.get("ttl"), HOUR_S):
        lines.append(f"{pk}: ttl is {item.get('ttl')}, want an hour from now")
    return lines


def shipment_lines(table, order):
    item = table.get(f"ONCE#shipment#{order}", "ONCE")
    if item is None:
        return [f"ONCE#shipment#{order} isn't there"]
    lines = [f"{order}: status is {item.get('status')}"] if item.get("status") != "COMPLETED" else []
    return lines if is_about(item.get("expiration"), WEEK_S) else [*lines, f"{order}: expiration is {item.get('expiration')}, want a week from now"]


def check(checks, table, first):
    """After all events' first play."""
    receipt = json.loads(first["api-checkout-1-first"].get("body", "null"))

    def none(what, lines):
        checks.that(what, not lines, "\n".join(lines))

    none("the receipt is stored as it was answered", receipt_lines(table, receipt))
    checks.equal("the second checkout was answered with it", receipt, json.loads(first["api-checkout-2-again"].get("body", "null")))
    none("three logins are counted, the fourth isn't", attempt_lines(table))
    bad = table.get("ONCE#checkout#k-2", "ONCE") or {}
    checks.that("the checkout that was refused gave its key back", bad.get("in_progress_expiration") == 0 and "validation" not in bad and "data" not in bad, bad)
    for digit in "125":
        none(f"message {digit} is done", dedupe_lines(table, MESSAGE + digit, "completed"))
    for digit in "34":
        none(f"message {digit} failed, and says why", dedupe_lines(table, MESSAGE + digit, "failed", "BadInput"))
    for digit in "12":
        none(f"Kinesis's record {digit} is done", dedupe_lines(table, SHARD + digit, "completed"))
    for order in ("o-1", "o-3", "o-4", "o-5"):
        none(f"order {order} is shipped", shipment_lines(table, order))
    missing = table.get("CACHE#product#sofa", "CACHE#product#sofa") or {}
    checks.equal("a product that is missing is remembered as such", "__UNDEFINED__", missing.get("value"))
    keys = table.keys()
    for kind, count in {"ONCE#checkout#": 2, "ATTEMPT#": 1, "DEDUPE#order-message#": 7, "ONCE#shipment#": 5, "LOCK#": 1}.items():
        found = [key for key in keys if key.startswith(kind)]
        checks.that(f"{count} items {kind}… and no more", len(found) == count, found)


def fingerprints(table):
    """What mustn't change when a message, an order or a checkout comes again."""
    found = {}
    for order in ("o-1", "o-3", "o-4", "o-5"):
        item = table.get(f"ONCE#shipment#{order}", "ONCE") or {}
        found[order] = (item.get("owner"), item.get("doneAt"))
    for digit in "125":
        item = table.get(f"DEDUPE#order-message#{MESSAGE}{digit}", f"DEDUPE#order-message#{MESSAGE}{digit}") or {}
        found[f"message {digit}"] = (item.get("jobId"), item.get("updatedAt"))
    item = table.get("ONCE#checkout#k-1", "ONCE") or {}
    found["checkout k-1"] = (item.get("owner"), item.get("doneAt"), item.get("data"))
    return found


def check_unchanged(checks, table, before):
    after = fingerprints(table)
    for what, value in before.items():
        checks.that(f"{what} was done once, by the first play", value == after[what] and None not in value, f"{value}, then {after[what]}")


def twins(checks, table, first):
    """What is looked for is found missing, and changed."""
    receipt = json.loads(first["api-checkout-1-first"].get("body", "null"))
    item = table.get("ONCE#checkout#k-1", "ONCE")
    table.set("ONCE#checkout#k-1", "ONCE", data=item["data"].replace("tea", "cup"))
    checks.finds("a receipt stored otherwise than it was answered", receipt_lines(table, receipt))
    table.set("ONCE#checkout#k-1", "ONCE", data=item["data"])
    attempts = table.get("ATTEMPT#login#ann", "ATTEMPT")["attempts"]
    table.set("ATTEMPT#login#ann", "ATTEMPT", attempts=attempts + 1)
    checks.finds("a login that was counted twice", attempt_lines(table))
    table.set("ATTEMPT#login#ann", "ATTEMPT", attempts=attempts)
    before, order = fingerprints(table), table.get("ONCE#shipment#o-1", "ONCE")
    table.set("ONCE#shipment#o-1", "ONCE", doneAt=order["doneAt"] + 1)
    after = fingerprints(table)
    checks.finds("an order that was shipped again", [f"{what} was {before[what]}, then {after[what]}" for what in before if before[what] != after[what]])
    table.set("ONCE#shipment#o-1", "ONCE", doneAt=order["doneAt"])
