"""Sagas, with npm's saga bus store: states, versions, conflicts, completion, finding, in both directions."""
import datetime
import time

from peers import PeerError
from world import SAGAS, must, ok, same

STATE = {"step": "paid", "items": [{"sku": "ü-1", "qty": 2, "price": 1.25}], "none": None, "deep": {"a": {"b": [True]}}}


def table(w):
    name = w.table("sagas", SAGAS)
    w.once("sagas", lambda: w.node.new("sagas", "Saga", tableName=name))
    return name


def ours(w, name, do, key="", status="OK", **more):
    return ok(w.latch("saga", do, {"name": name, "saga_bus_table": table(w)}, key, **more), status)


def theirs(w, method, *args):
    table(w)
    return w.node.do("sagas", method, *args)


def date(ms):
    return {"$date": datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def metadata(saga, version=0, completed=False, at_ms=None):
    at_ms = int(time.time() * 1000) if at_ms is None else at_ms
    return {"sagaId": saga, "version": version, "isCompleted": completed, "createdAt": date(at_ms), "updatedAt": date(at_ms),
            "archivedAt": None, "timeoutMs": None, "timeoutExpiresAt": None}


def insert_theirs(w, name, saga, correlation, state, completed=False, at_ms=None, version=0):
    theirs(w, "insert", name, correlation, {"metadata": metadata(saga, version, completed, at_ms), **state})


def update_theirs(w, name, saga, state, version, completed=False, at_ms=None):
    theirs(w, "update", name, {"metadata": metadata(saga, version + 1, completed, at_ms), **state}, version)


def without(state):
    return {k: v for k, v in state.items() if k != "metadata"}


def names(w):
    return w.key("saga"), w.key("id"), w.key("order")


def inserted_here_is_read_there(w):
    name, saga, correlation = names(w)
    ours(w, name, "insert", saga=saga, correlation=correlation, state=STATE)
    found = theirs(w, "getById", name, saga)
    same(without(found), STATE)
    same([found["metadata"][k] for k in ("sagaId", "version", "isCompleted")], [saga, 0, False])
    must(abs(datetime.datetime.fromisoformat(found["metadata"]["createdAt"]["$date"].replace("Z", "+00:00")).timestamp() - time.time()) < 10, found)


def inserted_there_is_read_here(w):
    name, saga, correlation = names(w)
    at_ms = int(time.time() * 1000) - 5000
    insert_theirs(w, name, saga, correlation, STATE, at_ms=at_ms)
    found = ours(w, name, "get_by_id", saga)
    same(without(found["state"]), STATE)
    same([found[k] for k in ("saga", "correlation", "version", "completed", "created_at_ms", "updated_at_ms")],
         [saga, correlation, 0, False, at_ms, at_ms])


def found_there_by_our_correlation(w):
    name, saga, correlation = names(w)
    ours(w, name, "insert", saga=saga, correlation=correlation, state=STATE)
    same(theirs(w, "getByCorrelationId", name, correlation)["metadata"]["sagaId"], saga)
    same(theirs(w, "getByCorrelationId", name, correlation + "x"), None)


def found_here_by_their_correlation(w):
    name, saga, correlation = names(w)
    insert_theirs(w, name, saga, correlation, STATE)
    same(ours(w, name, "get_by_correlation_id", correlation)["saga"], saga)
    ours(w, name, "get_by_correlation_id", correlation + "x", "Missing")


def an_id_of_theirs_is_taken_here(w):
    name, saga, correlation = names(w)
    insert_theirs(w, name, saga, correlation, STATE)
    out = ours(w, name, "insert", status="Conflict", saga=saga, correlation=w.key("order"), state={})
    same(out["there"]["correlation"], correlation)


def an_id_of_ours_is_taken_there(w):
    name, saga, correlation = names(w)
    ours(w, name, "insert", saga=saga, correlation=correlation, state=STATE)
    try:
        insert_theirs(w, name, saga, correlation, {})
    except PeerError as e:
        same(e.name, "ConditionalCheckFailedException")
        return
    must(False, "they inserted it again")


def updated_there_is_read_here(w):
    name, saga, correlation = names(w)
    ours(w, name, "insert", saga=saga, correlation=correlation, state=STATE)
    update_theirs(w, name, saga, {"step": "sent"}, 0)
    found = ours(w, name, "get_by_id", saga)
    same([found["version"], without(found["state"])], [1, {"step": "sent"}])


def updated_here_is_read_there(w):
    name, saga, correlation = names(w)
    insert_theirs(w, name, saga, correlation, STATE)
    same(ours(w, name, "update", saga=saga, correlation=correlation, state={"step": "sent"}, version=0)["version"], 1)
    found = theirs(w, "getById", name, saga)
    same([found["metadata"]["version"], without(found)], [1, {"step": "sent"}])


def they_are_told_of_our_update(w):
    name, saga, correlation = names(w)
    insert_theirs(w, name, saga, correlation, STATE)
    ours(w, name, "update", saga=saga, correlation=correlation, state={"step": "ours"}, version=0)
    try:
        update_theirs(w, name, saga, {"step": "theirs"}, 0)
    except PeerError as e:
        same([e.name, e.error["expectedVersion"], e.error["actualVersion"]], ["ConcurrencyError", 0, 1])
        same(without(theirs(w, "getById", name, saga)), {"step": "ours"})
        return
    must(False, "their update of an old version went through")


def we_are_told_of_their_update(w):
    name, saga, correlation = names(w)
    ours(w, name, "insert", saga=saga, correlation=correlation, state=STATE)
    update_theirs(w, name, saga, {"step": "theirs"}, 0)
    out = ours(w, name, "update", status="Conflict", saga=saga, correlation=correlation, state={"step": "ours"}, version=0)
    same([out["there"]["version"], without(out["there"]["state"])], [1, {"step": "theirs"}])


def completed_here_is_completed_there(w):
    name, saga, correlation = names(w)
    insert_theirs(w, name, saga, correlation, STATE)
    ours(w, name, "update", saga=saga, correlation=correlation, state={"step": "done"}, version=0, completed=True)
    same([i["metadata"]["sagaId"] for i in theirs(w, "findByName", name, {"completed": True})["items"]], [saga])
    same(theirs(w, "findByName", name, {"completed": False})["items"], [])


def completed_there_is_completed_here(w):
    name, saga, correlation = names(w)
    ours(w, name, "insert", saga=saga, correlation=correlation, state=STATE)
    update_theirs(w, name, saga, {"step": "done"}, 0, completed=True)
    same([i["saga"] for i in ours(w, name, "find_by_name", which="completed")["items"]], [saga])
    same(ours(w, name, "find_by_name", which="running")["items"], [])


def reopened_here_is_running_there(w):
    name, saga, correlation = names(w)
    insert_theirs(w, name, saga, correlation, STATE, completed=True, at_ms=1000)
    ours(w, name, "update", saga=saga, correlation=correlation, state={}, version=0, completed=False)
    same(theirs(w, "deleteCompletedBefore", name, date(int(time.time() * 1000) + 1000)), 0)
    must(theirs(w, "getById", name, saga) is not None, "a running saga was deleted")


def either_deletes_what_the_other_completed(w):
    name, later = w.key("saga"), int(time.time() * 1000) + 1000
    mine, yours, running = w.key("id"), w.key("id"), w.key("id")
    insert_theirs(w, name, yours, w.key("order"), STATE, completed=True, at_ms=1000)
    insert_theirs(w, name, running, w.key("order"), STATE, at_ms=1000)
    same(ours(w, name, "delete_completed_before", before_ms=2000)["deleted"], 1)
    ours(w, name, "insert", saga=mine, correlation=w.key("order"), state=STATE, completed=True)
    same(theirs(w, "deleteCompletedBefore", name, date(later)), 1)
    same([i["saga"] for i in ours(w, name, "find_by_name")["items"]], [running])


def deleted_here_is_gone_there(w):
    name, saga, correlation = names(w)
    insert_theirs(w, name, saga, correlation, STATE)
    ours(w, name, "delete", saga=saga, correlation=correlation, version=0)
    same(theirs(w, "getById", name, saga), None)


def deleted_there_is_gone_here(w):
    name, saga, correlation = names(w)
    ours(w, name, "insert", saga=saga, correlation=correlation, state=STATE)
    theirs(w, "delete", name, saga)
    ours(w, name, "get_by_id", saga, "Missing")
    ours(w, name, "update", status="Missing", saga=saga, correlation=correlation, state={}, version=0)
    ours(w, name, "insert", saga=saga, correlation=correlation, state={})  # the correlation id is free again


def both_page_through_both(w):
    name = w.key("saga")
    sagas = sorted(w.key("id") for _ in range(6))
    for i, saga in enumerate(sagas):
        if i % 2:
            insert_theirs(w, name, saga, w.key("order"), {"n": i})
        else:
            ours(w, name, "insert", saga=saga, correlation=w.key("order"), state={"n": i})
    seen, token = [], ""
    while True:
        page = ours(w, name, "find_by_name", limit=4, **({"from": token} if token else {}))
        seen += [i["saga"] for i in page["items"]]
        token = page["next"]
        if not token:
            break
    same(sorted(seen), sagas)
    same(sorted(i["metadata"]["sagaId"] for i in theirs(w, "findByName", name, {"limit": 10})["items"]), sagas)


def other_members_of_their_metadata_stay(w):
    name, saga, correlation = names(w)
    theirs(w, "insert", name, correlation, {"metadata": {**metadata(saga), "startedBy": "them"}, "n": 1})
    state = ours(w, name, "get_by_id", saga)["state"]
    ours(w, name, "update", saga=saga, correlation=correlation, state={**state, "n": 2}, version=0)
    found = theirs(w, "getById", name, saga)
    same([found["metadata"]["startedBy"], found["metadata"]["version"], found["n"]], ["them", 1, 2])


def a_timeout_of_ours_is_told_there(w):
    name, saga, correlation = names(w)
    ours(w, name, "insert", saga=saga, correlation=correlation, state={}, timeout=60000)
    found = theirs(w, "getById", name, saga)["metadata"]
    same(found["timeoutMs"], 60000)
    must(isinstance(found["timeoutExpiresAt"], str), found)


def a_timeout_of_theirs_is_found_here(w):
    name, saga, correlation = names(w)
    at = date(int(time.time() * 1000) - 1000)["$date"]
    theirs(w, "insert", name, correlation, {"metadata": {**metadata(saga), "timeoutMs": 500, "timeoutExpiresAt": at}})
    insert_theirs(w, name, w.key("id"), w.key("order"), {})
    same([i["saga"] for i in ours(w, name, "find_timed_out")["items"]], [saga])


def one_of_many_updates_wins(w):
    """Of updates of one version that are under way at once, from both sides, one goes through."""
    name, saga, correlation = names(w)
    ours(w, name, "insert", saga=saga, correlation=correlation, state={"by": None})
    for version in range(10):
        lines = [w.node.begin("sagas", "update", name, {"metadata": metadata(saga, version + 1), "by": f"them {i}"}, version) for i in range(3)]
        won = [f"us {version}"] if w.latch("saga", "update", {"name": name, "saga_bus_table": table(w)}, saga=saga, correlation=correlation,
                                            state={"by": f"us {version}"}, version=version)["status"] == "OK" else []
        for i, line in enumerate(lines):
            try:
                w.node.receive(line)
                won.append(f"them {i}")
            except PeerError as e:
                same(e.name, "ConcurrencyError")
        found = theirs(w, "getById", name, saga)
        same([won, found["metadata"]["version"]], [[found["by"]], version + 1])


def a_table_of_their_own_making_is_opened(w):
    name = f"interop-made-by-them-{w.key()}"
    w.node.call(do="createSagaTable", table=name)
    w.tables[name] = name
    policy = {"name": "s", "saga_bus_table": name}
    ok(w.latch("saga", "insert", policy, saga="i", correlation="c", state=STATE))
    same(ok(w.latch("saga", "get_by_correlation_id", policy, "c"))["saga"], "i")


CASES = [inserted_here_is_read_there, inserted_there_is_read_here, found_there_by_our_correlation, found_here_by_their_correlation,
         an_id_of_theirs_is_taken_here, an_id_of_ours_is_taken_there, updated_there_is_read_here, updated_here_is_read_there,
         they_are_told_of_our_update, we_are_told_of_their_update, completed_here_is_completed_there, completed_there_is_completed_here,
         reopened_here_is_running_there, either_deletes_what_the_other_completed, deleted_here_is_gone_there, deleted_there_is_gone_here,
         both_page_through_both, other_members_of_their_metadata_stay, a_timeout_of_ours_is_told_there, a_timeout_of_theirs_is_found_here,
         one_of_many_updates_wins, a_table_of_their_own_making_is_opened]
COUNT = 22
TWINS = [
    ("version is called revision", [('"version"', '"revision"')], ["updated_here_is_read_there", "they_are_told_of_our_update"]),
    ("state is called data", [('"state"', '"data"')], ["inserted_here_is_read_there", "inserted_there_is_read_here"]),
    ("isCompleted is called done", [('"isCompleted"', '"done"')], ["completed_here_is_completed_there", "completed_there_is_completed_here"]),
    ("the correlation's index key is not written", [('"GSI1SK"', '"GSI1XX"')], ["found_there_by_our_correlation"]),
    ("the date of completion is not written", [('"GSI2SK"', '"GSI2XX"')], ["either_deletes_what_the_other_completed"]),
]
