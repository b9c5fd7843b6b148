"""Dedupe, with npm's toolkit: owners and joiners, results, failures and dead owners, in both directions."""
import time

from world import TOOLKIT, must, ok, same

UNDEFINED = {"$undefined": True}
RESULTS = [{"n": [1, None]}, "text ü", 0, False, "", [], None]


def table(w):
    name = w.table("toolkit", TOOLKIT)
    w.once("dedupe", lambda: w.node.new("dedupe", "Dedupe", tableName=name, pollIntervalMs=20, jobTimeoutMs=60000))
    return name


def ours(w, do, key, status="OK", policy=None, **more):
    return ok(w.latch("dedupe", do, {"name": "shared", "toolkit_table": table(w), **(policy or {})}, key, **more), status)


def theirs(w, method, *args):
    table(w)
    return w.node.do("dedupe", method, *args)


def job(w, key):
    return {"pk": f"DEDUPE#{key}", "sk": f"DEDUPE#{key}"}


def theirs_is_joined_here(w):
    key = w.key()
    begun = theirs(w, "registerOrJoin", key)
    same([begun["isOwner"], ours(w, "register_or_join", key, "Busy")["id"]], [True, begun["jobId"]])
    ours(w, "enter", key, "Busy")


def ours_is_joined_there(w):
    key = w.key()
    mine = ours(w, "register_or_join", key)["id"]
    same(theirs(w, "registerOrJoin", key), {"jobId": mine, "isOwner": False})


def completed_there_is_seen_here(w):
    for result in RESULTS:
        key = w.key()
        theirs(w, "register", key)
        theirs(w, "complete", key, result)
        same(ours(w, "register_or_join", key, "Seen")["result"], result)
        same(ours(w, "wait_for", key)["result"], result)
        ours(w, "enter", key, "Seen")


def completed_here_is_the_result_there(w):
    for result in RESULTS:
        key = w.key()
        mine = ours(w, "register_or_join", key)["id"]
        ours(w, "complete", key, job=mine, result=result)
        same(theirs(w, "waitFor", key), result)


def their_waiter_gets_our_result(w):
    key = w.key()
    mine = ours(w, "register_or_join", key)["id"]
    table(w)
    line = w.node.begin("dedupe", "waitFor", key)
    time.sleep(0.1)
    ours(w, "complete", key, job=mine, result=["late"])
    same(w.node.receive(line), ["late"])


def our_waiter_gets_their_result(w):
    key = w.key()
    theirs(w, "register", key)
    line = w.drive.send(store="dedupe", do="wait_for", policy={"name": "shared", "toolkit_table": table(w), "wait_ms": 5000}, key=key)
    time.sleep(0.1)
    theirs(w, "complete", key, ["late"])
    same(ok(w.drive.receive(line))["result"], ["late"])


def their_undefined_result_is_null_here(w):
    key = w.key()
    theirs(w, "register", key)
    theirs(w, "complete", key, UNDEFINED)
    same(ours(w, "wait_for", key)["result"], None)


def failed_there_is_told_here(w):
    key = w.key()
    theirs(w, "register", key)
    theirs(w, "fail", key, {"message": "no"})
    must("fail" in ours(w, "wait_for", key, "Conflict")["error"].lower(), "why it failed")
    ours(w, "register_or_join", key)


def failed_here_is_told_there(w):
    key = w.key()
    mine = ours(w, "register_or_join", key)["id"]
    ours(w, "fail", key, job=mine, error="out of paper")
    same(theirs(w, "waitFor", key), UNDEFINED)
    same(theirs(w, "registerOrJoin", key)["isOwner"], True)


def both_see_what_is_in_progress(w):
    key = w.key()
    same([theirs(w, "isInProgress", key), ours(w, "is_in_progress", key)["in_progress"]], [False, False])
    mine = ours(w, "register_or_join", key)["id"]
    same([theirs(w, "isInProgress", key), ours(w, "is_in_progress", key)["in_progress"]], [True, True])
    ours(w, "complete", key, job=mine, result=1)
    same([theirs(w, "isInProgress", key), ours(w, "is_in_progress", key)["in_progress"]], [False, False])
    key = w.key()
    theirs(w, "register", key)
    same(ours(w, "is_in_progress", key)["in_progress"], True)


def a_dead_owner_there_is_succeeded_here(w):
    key = w.key()
    theirs(w, "register", key)
    ours(w, "register_or_join", key, "Busy")
    w.set(table(w), job(w, key), ttl=int(time.time()) - 10)
    ours(w, "register_or_join", key)


def a_shorter_timeout_here_steals_nothing(w):
    key = w.key()
    begun = theirs(w, "registerOrJoin", key)
    time.sleep(0.05)
    same(ours(w, "register_or_join", key, "Busy", policy={"job_timeout_ms": 1})["id"], begun["jobId"])


def a_late_owner_here_changes_nothing(w):
    """Ours was taken over by theirs: our completion is refused, theirs stands."""
    key = w.key()
    mine = ours(w, "register_or_join", key)["id"]
    w.db.Table(table(w)).delete_item(Key=job(w, key))  # as their isInProgress does with what is over
    begun = theirs(w, "registerOrJoin", key)
    same(begun["isOwner"], True)
    ours(w, "complete", key, "Conflict", job=mine, result="ours")
    ours(w, "fail", key, "Conflict", job=mine, error="ours")
    theirs(w, "complete", key, "theirs")
    same(ours(w, "wait_for", key)["result"], "theirs")


def entered_and_settled_here_is_completed_there(w):
    key, session = w.key(), w.key("s")
    ours(w, "enter", key, session=session)
    same(theirs(w, "registerOrJoin", key)["isOwner"], False)
    ok(w.drive.call(do="end", session=session, status="OK"))
    same(theirs(w, "isInProgress", key), False)
    same(w.item(table(w), **job(w, key))["status"], "completed")


def a_handler_that_failed_leaves_it_to_them(w):
    key, session = w.key(), w.key("s")
    ours(w, "enter", key, session=session)
    ok(w.drive.call(do="end", session=session, status="Handler"))
    same(theirs(w, "registerOrJoin", key)["isOwner"], True)


def they_rerun_what_is_completed_and_so_may_we(w):
    key = w.key()
    theirs(w, "register", key)
    theirs(w, "complete", key, 1)
    again = ours(w, "register_or_join", key, policy={"rerun_completed": True})["id"]
    same(theirs(w, "registerOrJoin", key), {"jobId": again, "isOwner": False})


def keys_with_separators_are_the_same_keys(w):
    for key in (w.key("a#b"), w.key("50%"), w.key("ü 😀")):
        begun = theirs(w, "registerOrJoin", key)
        same(ours(w, "register_or_join", key, "Busy")["id"], begun["jobId"])


def of_many_at_once_one_is_the_owner(w):
    """From both sides at once."""
    table(w)
    for _ in range(15):
        key = w.key()
        lines = [w.node.begin("dedupe", "registerOrJoin", key) for _ in range(3)]
        mine = w.drive.send(store="dedupe", do="register_or_join", policy={"name": "shared", "toolkit_table": table(w)}, key=key)
        answers, answer = [w.node.receive(line) for line in lines], w.drive.receive(mine)
        must(answer["status"] in ("OK", "Busy"), answer)
        same(sum(a["isOwner"] for a in answers) + (answer["status"] == "OK"), 1)
        same(len({a["jobId"] for a in answers} | {answer["out"]["id"]}), 1)


CASES = [theirs_is_joined_here, ours_is_joined_there, completed_there_is_seen_here, completed_here_is_the_result_there, their_waiter_gets_our_result,
         our_waiter_gets_their_result, their_undefined_result_is_null_here, failed_there_is_told_here, failed_here_is_told_there,
         both_see_what_is_in_progress, a_dead_owner_there_is_succeeded_here, a_shorter_timeout_here_steals_nothing,
         a_late_owner_here_changes_nothing, entered_and_settled_here_is_completed_there, a_handler_that_failed_leaves_it_to_them,
         they_rerun_what_is_completed_and_so_may_we, keys_with_separators_are_the_same_keys, of_many_at_once_one_is_the_owner]
COUNT = 18
TWINS = [
    ("jobId is called job", [('"jobId"', '"job"')], ["theirs_is_joined_here", "ours_is_joined_there"]),
    ("pending is written otherwise", [('"pending"', '"running"')], ["ours_is_joined_there", "a_dead_owner_there_is_succeeded_here"]),
    ("result is called value", [('"result"', '"value"')], ["completed_here_is_the_result_there", "completed_there_is_seen_here"]),
    ("keys begin otherwise", [("DEDUPE#", "DEDUP#")], ["of_many_at_once_one_is_the_owner", "both_see_what_is_in_progress"]),
    ("null is written otherwise", [("__NULL__", "__NIL__")], ["completed_there_is_seen_here"]),
]
