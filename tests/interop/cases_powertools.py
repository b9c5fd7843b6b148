"""Do-once, with AWS Lambda Powertools' idempotency for Python and for TypeScript: what one does the other replays, in both directions."""
import time

from boto3.dynamodb.conditions import Attr

from peers import PeerError
from world import POWERTOOLS, SORTED_POWERTOOLS, must, ok, same

RESPONSES = [{"charge": "c-1", "nested": {"list": [1, "two", None, True]}}, "text ü 😀", 42, 1.5, -7, True, False, None, 0, "", [], [1, [2]], {}, {"n": 12345678901234}]
LOST = "the answer must not be lost"


class Library:
    """What both libraries can do, in one manner."""

    sorted, static_pk = False, "idempotency#shared"  # a table whose keys have two parts

    def __init__(self, world):
        self.w = world
        self.table = world.table("sorted-powertools", SORTED_POWERTOOLS) if self.sorted else world.table("powertools", POWERTOOLS)

    def policy(self, prefix, key_is_json=False, **more):
        parts = {"key_attribute": "pk", "sort_key_attribute": "sk", "static_pk": self.static_pk} if self.sorted else {}
        powertools = {"table": self.table, "flavour": self.flavour, "key_prefix": prefix, "key_is_json": key_is_json, **parts}
        return {"name": "shared", "work": True, "in_progress_ms": 30000, "powertools": powertools, **more}

    def ours(self, prefix, event, status="OK", key=None, validate=("amount",), deadline_ms=0, **work):
        """Latch's do-once of an event: its answer's `out`."""
        return ok(self.w.drive.receive(self.begin_ours(prefix, event, key, validate, deadline_ms, **work)), status)

    def begin_ours(self, prefix, event, key=None, validate=("amount",), deadline_ms=0, **work):
        policy = self.policy(prefix, key is not None, **({} if validate is None else {"validate": list(validate)}))
        return self.w.drive.send(store="once", do="do", policy=policy, key=event["id"] if key is None else key, payload=event, work=work,
                                 deadline_ms=deadline_ms)

    def record(self, prefix, wait=False):
        """The one record of that prefix; `wait`: until there is one."""
        end = time.monotonic() + 10
        while True:
            own = Attr("sk" if self.sorted else "id").begins_with(prefix + "#")
            items = self.w.db.Table(self.table).scan(FilterExpression=own, ConsistentRead=True)["Items"]
            must(len(items) < 2, len(items), "records")
            if items or not wait or time.monotonic() > end:
                return items[0] if items else None
            time.sleep(0.01)

    def change(self, prefix, **attributes):
        self.w.set(self.table, {"id": self.record(prefix)["id"]}, **attributes)

    def forget(self, prefix, attribute):
        self.w.db.Table(self.table).update_item(Key={"id": self.record(prefix)["id"]}, UpdateExpression="REMOVE #a", ExpressionAttributeNames={"#a": attribute})

    def throws(self, name, prefix, event, **work):
        try:
            answer = self.theirs(prefix, event, **work)
        except PeerError as e:
            must(e.name == name, "threw", e, "want", name)
            return
        must(False, "answered", answer, "want", name)


class ForPython(Library):
    witnesses = True  # its work looks whether another is at it
    flavour, in_progress, mismatch, failed = "python", "IdempotencyAlreadyInProgressError", "IdempotencyValidationError", "RuntimeError"

    def function(self, prefix, key, validate):
        name = f"{prefix} {key} {validate}"
        layer = {"key_attr": "pk", "sort_key_attr": "sk", "static_pk_value": self.static_pk} if self.sorted else {}
        config = {"layer": layer, "event_key_jmespath": key} | ({"payload_validation_jmespath": validate} if validate else {})
        self.w.once(name, lambda: self.w.python.new(name, self.table, prefix, **config))
        return name

    def begin(self, prefix, event, key="id", validate="amount", left_ms=30000, **work):
        return self.w.python.begin(self.function(prefix, key, validate), event, left_ms, **work)

    def end(self, line):
        return self.w.python.receive(line)

    def theirs(self, prefix, event, **more):
        return self.end(self.begin(prefix, event, **more))


class ForPythonSorted(ForPython):
    sorted = True


class ForTypeScript(Library):
    witnesses = False
    flavour, in_progress, mismatch, failed = "typescript", "IdempotencyAlreadyInProgressError", "IdempotencyValidationError", "Error"

    def function(self, prefix, key, validate):
        name = f"{prefix} {key} {validate}"
        layer = {"keyAttr": "pk", "sortKeyAttr": "sk", "staticPkValue": self.static_pk} if self.sorted else {}
        config = {"layer": layer, "eventKeyJmesPath": key} | ({"payloadValidationJmesPath": validate} if validate else {})
        self.w.once(name, lambda: self.w.node.new(name, "Once", table=self.table, prefix=prefix, **config))
        return name

    def begin(self, prefix, event, key="id", validate="amount", left_ms=30000, **work):
        names = {"sleep_ms": "sleepMs"}
        return self.w.node.begin(self.function(prefix, key, validate), "run", event, {names.get(k, k): v for k, v in work.items()}, left_ms)

    def end(self, line):
        answer = self.w.node.receive(line)
        if answer["response"] == {"$undefined": True}:
            answer["response"] = None
        return answer

    def theirs(self, prefix, event, **more):
        return self.end(self.begin(prefix, event, **more))


class ForTypeScriptSorted(ForTypeScript):
    sorted = True


def event_of(w):
    return {"id": w.key("order"), "amount": 7, "other": [1]}


def replayed_here(p, w):
    for response in RESPONSES:
        prefix, event = w.key("fn"), event_of(w)
        same(p.theirs(prefix, event, result=response)["did"], True)
        out = p.ours(prefix, event, result=LOST)
        must(not out["did"] and out["worked"] is None and out["response"] == response, out, "want", response)


def replayed_there(p, w):
    """As it replays its own: Python makes None of all that is empty, 0 or False."""
    for response in RESPONSES:
        prefix, own, event = w.key("fn"), w.key("fn"), event_of(w)
        same(p.ours(prefix, event, result=response)["did"], True)
        p.theirs(own, event, result=response)
        answer, wanted = p.theirs(prefix, event, result=LOST), p.theirs(own, event, result=LOST)
        must(not answer["did"] and answer["response"] == wanted["response"] in (response, None), answer, "want", wanted)


def in_progress_there_is_busy_here(p, w):
    prefix, event, gate = w.key("fn"), event_of(w), w.gate()
    line = p.begin(prefix, event, until=gate.path, result=1)
    p.record(prefix, wait=True)
    p.ours(prefix, event, "Busy")
    gate.open()
    same(p.end(line)["response"], 1)
    same(p.ours(prefix, event)["response"], 1)


def in_progress_here_is_in_progress_there(p, w):
    prefix, event, gate = w.key("fn"), event_of(w), w.gate()
    line = p.begin_ours(prefix, event, until=gate.path, result=1)
    p.record(prefix, wait=True)
    p.throws(p.in_progress, prefix, event)
    gate.open()
    same(ok(w.drive.receive(line))["did"], True)
    same(p.theirs(prefix, event)["response"], 1)


def expired_there_is_done_again_here(p, w):
    prefix, event = w.key("fn"), event_of(w)
    p.theirs(prefix, event, result=1)
    p.change(prefix, expiration=int(time.time()) - 10)
    same(p.ours(prefix, event, result=2)["did"], True)
    same(p.theirs(prefix, event)["response"], 2)


def expired_here_is_done_again_there(p, w):
    prefix, event = w.key("fn"), event_of(w)
    p.ours(prefix, event, result=1)
    p.change(prefix, expiration=int(time.time()) - 10)
    same(p.theirs(prefix, event, result=2)["did"], True)
    same(p.ours(prefix, event)["response"], 2)


def a_dead_owner_there_is_succeeded_here(p, w):
    prefix, event, gate = w.key("fn"), event_of(w), w.gate()
    line = p.begin(prefix, event, until=gate.path, result=LOST)
    p.record(prefix, wait=True)
    p.change(prefix, in_progress_expiration=int(time.time() * 1000) - 3000)
    out = p.ours(prefix, event, result=2)
    must(out["did"] and out["worked"]["takeovers"] == 1, out, "want a takeover")
    gate.open()
    p.end(line)


def a_dead_owner_here_is_succeeded_there(p, w):
    prefix, event, gate = w.key("fn"), event_of(w), w.gate()
    line = p.begin_ours(prefix, event, until=gate.path, result=LOST)
    p.record(prefix, wait=True)
    p.change(prefix, in_progress_expiration=int(time.time() * 1000) - 3000)
    same(p.theirs(prefix, event, result=2)["did"], True)
    gate.open()
    ok(w.drive.receive(line), "Conflict")  # ours comes late, and is refused: theirs is what counts
    same(p.ours(prefix, event)["response"], 2)


def a_late_owner_here_leaves_theirs_alone(p, w):
    prefix, event, gate = w.key("fn"), event_of(w), w.gate()
    line = p.begin_ours(prefix, event, until=gate.path, status="Missing")
    p.record(prefix, wait=True)
    p.change(prefix, in_progress_expiration=int(time.time() * 1000) - 3000)
    same(p.theirs(prefix, event, result=2)["did"], True)
    gate.open()
    w.drive.receive(line)  # its work refused: what it gives back is another's by now
    same(p.record(prefix)["status"], "COMPLETED")


def another_payload_is_refused_here(p, w):
    prefix, event = w.key("fn"), event_of(w)
    p.theirs(prefix, event, result=1)
    p.ours(prefix, event | {"amount": 8}, "Mismatch")
    same(p.ours(prefix, event | {"other": 2})["response"], 1)


def another_payload_is_refused_there(p, w):
    prefix, event = w.key("fn"), event_of(w)
    p.ours(prefix, event, result=1)
    p.throws(p.mismatch, prefix, event | {"amount": 8})
    same(p.theirs(prefix, event | {"other": 2})["response"], 1)


def payloads_of_all_kinds_hash_the_same(p, w):
    for amount in (1, 1.5, -0.25, 1e21, 1e-7, 123456789012345, "ü\u0001\"", "😀", True, None, [1, {"z": 1, "a": [2.5]}], {"b": 1, "a": {"d": 2, "c": 3}, "Z": 0}):
        prefix, event = w.key("fn"), event_of(w) | {"amount": amount}
        p.theirs(prefix, event, result=1)
        same(p.ours(prefix, event)["response"], 1)
        prefix = w.key("fn")
        p.ours(prefix, event, result=1)
        same(p.theirs(prefix, event)["response"], 1)


def keys_of_all_kinds_hash_the_same(p, w):
    for text in ("plain", "ü 😀", "with \"quotes\" and \\", "1", "a#b", "  "):
        prefix, event = w.key("fn"), {"id": text, "amount": 1}
        p.theirs(prefix, event, result=text)
        same(p.ours(prefix, event)["response"], text)


def keys_of_several_parts_hash_the_same(p, w):
    prefix, event = w.key("fn"), {"id": "a", "n": 5, "who": {"b": 1, "a": "ü"}, "amount": 1}
    p.theirs(prefix, event, key="[id, n, who]", result=1)
    same(p.ours(prefix, event, key='["a", 5, {"b": 1, "a": "\\u00fc"}]')["response"], 1)
    prefix = w.key("fn")
    p.ours(prefix, event, key='["a", 5, {"a": "ü", "b": 1}]', result=2)
    same(p.theirs(prefix, event, key="[id, n, who]")["response"], 2)


def without_validation_any_payload_is_the_same(p, w):
    prefix, event = w.key("fn"), event_of(w)
    p.theirs(prefix, event, validate=None, result=1)
    same(p.ours(prefix, event | {"amount": 8}, validate=())["response"], 1)
    prefix = w.key("fn")
    p.ours(prefix, event, validate=(), result=1)
    same(p.theirs(prefix, event | {"amount": 8}, validate=None)["response"], 1)


def work_that_failed_there_is_done_here(p, w):
    prefix, event = w.key("fn"), event_of(w)
    p.throws(p.failed, prefix, event, fail="out of paper")
    same(p.ours(prefix, event, result=1)["did"], True)


def work_that_refused_here_is_done_there(p, w):
    prefix, event = w.key("fn"), event_of(w)
    ok(w.drive.receive(p.begin_ours(prefix, event, status="Missing")), "Missing")
    same(p.theirs(prefix, event, result=1)["did"], True)


def work_that_broke_here_is_done_there(p, w):
    prefix, event = w.key("fn"), event_of(w)
    ok(w.drive.receive(p.begin_ours(prefix, event, status="Conflict")), "Conflict")
    same(p.theirs(prefix, event | {"amount": 7}, result=1)["did"], True)
    same(p.ours(prefix, event)["response"], 1)


def done_elsewhere_is_seen_by_both(p, w):
    prefix, event = w.key("fn"), event_of(w)
    policy = p.policy(prefix, validate=["amount"])
    ok(w.latch("once", "already_done", policy, event["id"]), "Missing")
    ok(w.latch("once", "mark_done", policy, event["id"], payload=event, response={"by": "hand"}))
    same(p.theirs(prefix, event)["response"], {"by": "hand"})
    prefix = w.key("fn")
    p.theirs(prefix, event, result=5)
    same(ok(w.latch("once", "already_done", p.policy(prefix), event["id"]))["response"], 5)


def what_is_cleared_here_is_done_again_there(p, w):
    prefix, event = w.key("fn"), event_of(w)
    p.theirs(prefix, event, result=1)
    ok(w.latch("once", "clear", p.policy(prefix), event["id"]))
    same(p.theirs(prefix, event, result=2)["did"], True)


def work_of_theirs_without_a_time_lasts_as_long_as_its_record(p, w):
    """Powertools that wasn't given Lambda's context writes no in_progress_expiration."""
    prefix, event, gate = w.key("fn"), event_of(w), w.gate()
    line = p.begin(prefix, event, until=gate.path, result=LOST)
    p.record(prefix, wait=True)
    p.forget(prefix, "in_progress_expiration")
    p.ours(prefix, event, "Busy")
    p.change(prefix, expiration=int(time.time()) - 10)
    out = p.ours(prefix, event, result=2)
    must(out["did"] and out["worked"]["takeovers"] == 1, out, "want a takeover")
    gate.open()
    p.end(line)


def too_long_a_response_completes_nothing(p, w):
    prefix, event = w.key("fn"), event_of(w)
    out = p.ours(prefix, event, "Misuse", result="x" * (401 * 1024))
    must(out["did"], out)
    p.throws(p.in_progress, prefix, event)  # it would be replayed as nothing there


def for_library(library, case):
    def run(w):
        case(library(w), w)
    run.__name__ = f"{library.flavour}{'_sorted' if library.sorted else ''}_{case.__name__}"
    return run


EITHER = [replayed_here, replayed_there, in_progress_there_is_busy_here, in_progress_here_is_in_progress_there, expired_there_is_done_again_here,
          expired_here_is_done_again_there, a_dead_owner_there_is_succeeded_here, a_dead_owner_here_is_succeeded_there,
          a_late_owner_here_leaves_theirs_alone, another_payload_is_refused_here, another_payload_is_refused_there, payloads_of_all_kinds_hash_the_same,
          keys_of_all_kinds_hash_the_same, keys_of_several_parts_hash_the_same, without_validation_any_payload_is_the_same,
          work_that_failed_there_is_done_here, work_that_refused_here_is_done_there, work_that_broke_here_is_done_there,
          done_elsewhere_is_seen_by_both, what_is_cleared_here_is_done_again_there, work_of_theirs_without_a_time_lasts_as_long_as_its_record, too_long_a_response_completes_nothing]
SORTED = [replayed_here, replayed_there, in_progress_here_is_in_progress_there, work_that_failed_there_is_done_here]
CASES = [for_library(library, case) for library in (ForPython, ForTypeScript) for case in EITHER] + \
        [for_library(library, case) for library in (ForPythonSorted, ForTypeScriptSorted) for case in SORTED]
COUNT = 2 * 22 + 2 * 4
TWINS = [
    ("data is called response", [('"data"', '"response"')], ["python_replayed_here", "typescript_replayed_there"]),
    ("status is written otherwise", [('"COMPLETED"', '"DONE"')], ["python_replayed_there", "typescript_replayed_there"]),
    ("in_progress_expiration is called otherwise", [('"in_progress_expiration"', '"deadline"')],
     ["python_a_dead_owner_there_is_succeeded_here", "typescript_a_dead_owner_there_is_succeeded_here"]),
    ("keys are made otherwise", [("fn-", "nf-")],
     ["python_keys_of_several_parts_hash_the_same", "typescript_keys_of_all_kinds_hash_the_same"]),
    ("payloads are hashed otherwise", [('"validation"', '"validated"')], ["python_another_payload_is_refused_here", "typescript_another_payload_is_refused_there"]),
]
