"""The shop over HTTP, as `sam local start-api` serves template.yaml's routes, and over a second container beside it: two sandboxes, one state."""
import concurrent.futures, json, time, uuid

import events
from tools import ROOT

TEA = {"sku": "tea", "qty": 2}


def retry_after(headers):
    value = headers.get("retry-after")
    return int(value) if value and value.isdigit() else None


def check_products(checks, table, api):
    checks.equal("GET /products/pot", [200, {"sku": "pot", "name": "Cast iron pot", "price_cents": 5400}], list(api.call("GET", "/products/pot")[::2]))
    item = table.get("CACHE#product#pot", "CACHE#product#pot") or {}
    checks.equal("the product is in the cache", {"sku": "pot", "name": "Cast iron pot", "price_cents": 5400}, item.get("value"))
    checks.that("for five minutes", 200 <= item.get("ttl", 0) - time.time() <= 301, item)
    if item:
        table.set("CACHE#product#pot", "CACHE#product#pot", value=item["value"].replace("5400", "4900"))
    checks.equal("the next GET is answered from there", [200, {"price_cents": 4900}], list(api.call("GET", "/products/pot")[::2]))
    table.delete("CACHE#product#pot", "CACHE#product#pot")
    checks.equal("and without it the product is loaded again", [200, {"price_cents": 5400}], list(api.call("GET", "/products/pot")[::2]))
    checks.equal("GET /products/sofa", [404, {"error": "<string>"}], list(api.call("GET", "/products/sofa")[::2]))


def check_checkout(checks, table, api, client):
    key = f"h-{uuid.uuid4()}"
    status, _, receipt = api.call("POST", "/checkout", TEA, Idempotency_Key=key)
    checks.equal("POST /checkout", [201, {"receipt": "<uuid>", "sku": "tea", "qty": 2, "total_cents": 900}], [status, receipt])
    checks.equal("the same key and order: the same receipt", [201, receipt], list(api.call("POST", "/checkout", TEA, Idempotency_Key=key)[::2]))
    checks.equal("the same key, the order written otherwise: the same receipt", [201, receipt],
                 list(api.call("POST", "/checkout", b'{ "qty": 2,\n "sku": "tea" }', Idempotency_Key=key)[::2]))
    checks.equal("the same key, another order: 422", [422, {"error": "this key was used with another request"}],
                 list(api.call("POST", "/checkout", {"sku": "tea", "qty": 3}, Idempotency_Key=key)[::2]))
    event = json.loads((ROOT / "events/api-checkout-1-first.json").read_text())
    event["headers"]["idempotency-key"], event["body"] = key, json.dumps(TEA)
    checks.equal("the same key in another sandbox: the same receipt", {"statusCode": 201, "body": receipt},
                 events.invoke_warm(client, "api-checkout-1-first", json.dumps(event).encode()))
    item = table.get(f"ONCE#checkout#{key}", "ONCE") or {}
    checks.equal("one item has that receipt", {"status": "COMPLETED", "data": receipt}, item)
    checks.equal("without a key: 400", 400, api.call("POST", "/checkout", TEA)[0])
    checks.equal("no JSON: 400", 400, api.call("POST", "/checkout", b"{", Idempotency_Key="x")[0])
    return key, item


def check_busy(checks, table, api, done):
    """Another sandbox is at it: its claim is in the table, as the finished one's was."""
    key, in_progress_ms = f"h-{uuid.uuid4()}", int(time.time() * 1000) + 30_000
    table.set(f"ONCE#checkout#{key}", "ONCE", status="INPROGRESS", owner=str(uuid.uuid4()), in_progress_expiration=in_progress_ms,
              validation=done["validation"], expiration=done["expiration"], ttl=done["ttl"], takeovers=0)
    status, headers, body = api.call("POST", "/checkout", TEA, Idempotency_Key=key)
    checks.that("a checkout that another is doing: 409", status == 409, (status, body))
    checks.that("with Retry-After, when the other's time is over", retry_after(headers) is not None and 1 <= retry_after(headers) <= 33, dict(headers))
    checks.equal("nothing was done", "INPROGRESS", (table.get(f"ONCE#checkout#{key}", "ONCE") or {}).get("status"))
    table.set(f"ONCE#checkout#{key}", "ONCE", in_progress_expiration=int(time.time() * 1000) - 60_000)
    status, _, receipt = api.call("POST", "/checkout", TEA, Idempotency_Key=key)
    checks.equal("once its time is over, it is done here", [201, {"receipt": "<uuid>", "total_cents": 900}], [status, receipt])


def check_race(checks, table, api, client):
    """Two containers at once, eight callers: one receipt."""
    key = f"r-{uuid.uuid4()}"
    event = json.loads((ROOT / "events/api-checkout-1-first.json").read_text())
    event["headers"]["idempotency-key"], event["body"] = key, json.dumps(TEA)
    payload = json.dumps(event).encode()

    def by_http():
        status, headers, body = api.call("POST", "/checkout", TEA, Idempotency_Key=key)
        return status, body, retry_after(headers)

    def by_lambda():
        answer = events.invoke_warm(client, "api-checkout-1-first", payload)
        return answer.get("statusCode"), json.loads(answer.get("body", "null")), retry_after(answer.get("headers", {}))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [job.result() for job in [pool.submit(by) for by in (by_http, by_lambda) * 4]]
    receipts = {json.dumps(body) for status, body, _ in answers if status == 201}
    checks.that("eight callers at once in two sandboxes: 201 with one receipt, or 409 with Retry-After",
                len(receipts) == 1 and all(status == 201 or (status == 409 and wait) for status, _, wait in answers), answers)
    item = table.get(f"ONCE#checkout#{key}", "ONCE") or {}
    checks.that("and that receipt is the stored one", receipts == {json.dumps(json.loads(item.get("data", "null")))}, (receipts, item))
    counts = {status: sum(1 for answer in answers if answer[0] == status) for status in {answer[0] for answer in answers}}
    print(f"  eight at once were answered {counts}", flush=True)


def login(api, user, password):
    status, headers, body = api.call("POST", "/login", {"user": user, "password": password})
    return status, retry_after(headers), body


def check_login(checks, table, api):
    user = f"u-{uuid.uuid4()}"
    pk = f"ATTEMPT#login#{user}"
    for wanted in (1, 2, 3):
        checks.equal(f"wrong login {wanted}", 401, login(api, user, "guess")[0])
        checks.equal("is counted", wanted, (table.get(pk, "ATTEMPT") or {}).get("attempts"))
    status, wait, _ = login(api, user, "guess")
    checks.that("the 4th login: 429 with Retry-After, of 15 minutes", status == 429 and wait is not None and 600 <= wait <= 900, (status, wait))
    checks.equal("the right password comes too late", 429, login(api, user, "opensesame")[0])
    checks.equal("three attempts are stored", 3, (table.get(pk, "ATTEMPT") or {}).get("attempts"))
    checks.equal("another user isn't concerned", 401, login(api, f"{user}-2", "guess")[0])
    if table.get(pk, "ATTEMPT"):
        table.set(pk, "ATTEMPT", created=int((time.time() - 16 * 60) * 1000))
    status, _, body = login(api, user, "opensesame")
    checks.equal("16 minutes later the right password is in time", [200, {"user": user, "session": "<uuid>"}], [status, body])
    checks.equal("success clears what was counted", None, table.get(pk, "ATTEMPT"))
    checks.equal("so there are three again, and then none", [401, 401, 401, 429], [login(api, user, "guess")[0] for _ in range(4)])


def sqs_record(message_id, order):
    record = json.loads((ROOT / "events/orders-sqs.json").read_text())["Records"][0]
    return {**record, "messageId": message_id, "body": json.dumps(order)}


def check_orders(checks, table, client):
    """A queue delivers at least once."""
    message, order = str(uuid.uuid4()), {"order_id": f"o-{uuid.uuid4()}", "address": "12 Oak Street", "qty": 1}
    once, pk = f"ONCE#shipment#{order['order_id']}", f"DEDUPE#order-message#{message}"

    def deliver(*records):
        return events.invoke_warm(client, "orders-sqs", json.dumps({"Records": records}).encode())

    checks.equal("an order from the queue", {"batchItemFailures": []}, deliver(sqs_record(message, order)))
    shipped, known = table.get(once, "ONCE") or {}, table.get(pk, pk) or {}
    checks.equal("is shipped, its message known", ["COMPLETED", "completed"], [shipped.get("status"), known.get("status")])
    checks.equal("the same message again, twice in a batch", {"batchItemFailures": []}, deliver(*[sqs_record(message, order)] * 2))
    checks.that("is dropped: neither item has changed", shipped == table.get(once, "ONCE") and known == table.get(pk, pk), (shipped, known))
    other = str(uuid.uuid4())
    checks.equal("the same order in another message", {"batchItemFailures": []}, deliver(sqs_record(other, order)))
    checks.that("isn't shipped again", shipped == table.get(once, "ONCE"), (shipped, table.get(once, "ONCE")))
    bad = str(uuid.uuid4())
    checks.equal("a bad record is reported alone", {"batchItemFailures": [{"itemIdentifier": bad}]},
                 deliver(sqs_record(bad, {"order_id": 5}), sqs_record(other, order)))


def check_sweep(checks, table, client):
    """The lock's lease is still the prolonged one of the sample events."""
    before = table.get("LOCK#sweep#nightly", "LOCK")
    checks.equal("a schedule's event while the lock is held: skipped", {"skipped": "<string>"}, events.invoke_warm(client, "sweep-schedule-1"))
    checks.equal("the lock is as it was", before, table.get("LOCK#sweep#nightly", "LOCK"))
    table.set("LOCK#sweep#nightly", "LOCK", expiresAt=int((time.time() - 60) * 1000))
    table.set("CACHE#product#cup", "CACHE#product#cup", value="{}", createdAt=1, ttl=int(time.time()) + 300)
    answer = events.invoke_warm(client, "sweep-schedule-1")
    checks.equal("once the lease is over: swept", {"swept": 3, "fence": "<number>"}, answer)
    after = table.get("LOCK#sweep#nightly", "LOCK") or {}
    checks.that("its token grows, and is the stored one", before["fence"] < answer.get("fence", 0) == after.get("fence"), (before, answer, after))
    checks.equal("and the catalogue is out of the cache", None, table.get("CACHE#product#cup", "CACHE#product#cup"))


def check(checks, table, api, client):
    check_products(checks, table, api)
    _, done = check_checkout(checks, table, api, client)
    check_busy(checks, table, api, done)
    check_race(checks, table, api, client)
    check_login(checks, table, api)
    check_orders(checks, table, client)
    check_sweep(checks, table, client)
