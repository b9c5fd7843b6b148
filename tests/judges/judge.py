#!/usr/bin/env python3
"""judge.py URL - what boto3 is answered by the DynamoDB endpoint at URL: every operation, one line of JSON a call.

Two endpoints that behave alike print the same text. What may differ is taken out: request ids, times, the tables' own prefix, the order
of a Scan and of a batch's answer, and of the members of sets and maps. Nothing else is: what differs is compare.py's to excuse.
"""
import datetime
import decimal
import itertools
import json
import os
import sys

import boto3
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PREFIX = "judge-" + os.urandom(4).hex() + "-"
OPTIONS = dict(endpoint_url=sys.argv[1], region_name="eu-west-1", aws_access_key_id="judge", aws_secret_access_key="judge")
ONE_TRY = dict(retries={"total_max_attempts": 1}, read_timeout=30, proxies={})
ddb = boto3.client("dynamodb", config=Config(**ONE_TRY), **OPTIONS)
resource = boto3.resource("dynamodb", config=Config(**ONE_TRY), **OPTIONS)
PEOPLE, ORDERS, BIG = PREFIX + "people", PREFIX + "orders", PREFIX + "big"
count = itertools.count(1)


# ── the transcript ──

def order_of(value):
    return json.dumps(value, sort_keys=True)


def plain(value, unordered=False):
    if isinstance(value, dict):
        members = {k.replace(PREFIX, ""): plain(v, unordered) for k, v in value.items() if k not in ("ResponseMetadata",)}
        for name in ("SS", "NS", "BS"):  # of the wire; an attribute of that name is no list
            if set(members) == {name} and isinstance(members[name], list):
                members[name] = sorted(members[name], key=order_of)
        return members
    if isinstance(value, (list, tuple)):
        items = [plain(v, unordered) for v in value]
        return sorted(items, key=order_of) if unordered and all(isinstance(v, dict) for v in items) else items
    if isinstance(value, (set, frozenset)):
        return {"set": sorted((plain(v) for v in value), key=order_of)}
    if isinstance(value, (bytes, bytearray, Binary)):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, decimal.Decimal):
        return {"number": str(value)}
    if isinstance(value, datetime.datetime):
        return "<time>"
    if isinstance(value, str):
        return value.replace(PREFIX, "")
    return value


def refusal(e):
    response = {k: v for k, v in e.response.items() if k not in ("ResponseMetadata", "Error", "message", "Message")}
    return {"class": type(e).__name__, "status": e.response["ResponseMetadata"]["HTTPStatusCode"], "error": e.response["Error"], **response}


def call(label, function, *args, unordered=False, **kw):
    """Calls it and prints what came of it; returns the answer, or {} where it failed."""
    line = {"call": f"{next(count):03} {label}"}
    answer = {}
    try:
        answer = function(*args, **kw)
        line["answer"] = plain(answer, unordered)
    except ClientError as e:
        line["refused"] = plain(refusal(e))
    except BotoCoreError as e:
        line["failed"] = type(e).__name__
    print(json.dumps(line, sort_keys=True, ensure_ascii=False), flush=True)
    return answer if answer is not None else {}


def names(expression, **values):
    """Placeholders: #a stands for a; values by name."""
    out = {}
    found = sorted({w.strip("(),.[]") for w in expression.replace(".", " ").replace("[", " ").replace(",", " ").replace("(", " ").split()
                    if w.startswith("#")})
    if found:
        out["ExpressionAttributeNames"] = {n: n[1:] for n in (w.strip("(),.[]") for w in found)}
    if values:
        out["ExpressionAttributeValues"] = {":" + n: v for n, v in values.items()}
    return out


S = lambda s: {"S": s}
N = lambda n: {"N": str(n)}
B = lambda b: {"B": b}
L = lambda *v: {"L": list(v)}
M = lambda **v: {"M": v}
TRUE, FALSE, NULL = {"BOOL": True}, {"BOOL": False}, {"NULL": True}


# ── tables ──

def attributes(**types):
    return [{"AttributeName": n, "AttributeType": t} for n, t in types.items()]


def schema(partition, sort=None):
    keys = [{"AttributeName": partition, "KeyType": "HASH"}]
    return keys + ([{"AttributeName": sort, "KeyType": "RANGE"}] if sort else [])


def index(name, partition, sort, projection, *included):
    p = {"ProjectionType": projection}
    if included:
        p["NonKeyAttributes"] = list(included)
    return {"IndexName": name, "KeySchema": schema(partition, sort), "Projection": p}


UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}


def make_tables():
    call("create", ddb.create_table, TableName=PEOPLE, AttributeDefinitions=attributes(id="S"), KeySchema=schema("id"),
         BillingMode="PAY_PER_REQUEST")
    call("create.indexes", ddb.create_table, TableName=ORDERS, AttributeDefinitions=attributes(who="S", at="N", shop="S", cost="N", tag="B"),
         KeySchema=schema("who", "at"), ProvisionedThroughput=UNITS,
         GlobalSecondaryIndexes=[dict(index("by-shop", "shop", "cost", "ALL"), ProvisionedThroughput=UNITS),
                                 dict(index("by-tag", "tag", None, "INCLUDE", "note"), ProvisionedThroughput=UNITS)],
         LocalSecondaryIndexes=[index("by-cost", "who", "cost", "KEYS_ONLY")])
    call("create.big", ddb.create_table, TableName=BIG, AttributeDefinitions=attributes(pk="S", sk="N"), KeySchema=schema("pk", "sk"),
         BillingMode="PAY_PER_REQUEST")
    for name in (PEOPLE, ORDERS, BIG):
        call("wait", ddb.get_waiter("table_exists").wait, TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    call("create.again", ddb.create_table, TableName=PEOPLE, AttributeDefinitions=attributes(id="S"), KeySchema=schema("id"),
         BillingMode="PAY_PER_REQUEST")
    call("describe", ddb.describe_table, TableName=PEOPLE)
    call("describe.indexes", ddb.describe_table, TableName=ORDERS)
    call("describe.missing", ddb.describe_table, TableName=PREFIX + "none")


def wrong_tables():
    name = PREFIX + "wrong"
    rows = {
        "undefined": dict(AttributeDefinitions=attributes(other="S"), KeySchema=schema("id")),
        "unused": dict(AttributeDefinitions=attributes(id="S", other="S"), KeySchema=schema("id")),
        "same-twice": dict(AttributeDefinitions=attributes(id="S"), KeySchema=schema("id", "id")),
        "no-hash": dict(AttributeDefinitions=attributes(id="S"), KeySchema=[{"AttributeName": "id", "KeyType": "RANGE"}]),
        "type": dict(AttributeDefinitions=attributes(id="BOOL"), KeySchema=schema("id")),
        "index-twice": dict(AttributeDefinitions=attributes(id="S", a="S"), KeySchema=schema("id"),
                            GlobalSecondaryIndexes=[index("twin", "a", None, "ALL"), index("twin", "a", None, "ALL")]),
        "local-hash": dict(AttributeDefinitions=attributes(id="S", a="S", b="S"), KeySchema=schema("id", "a"),
                           LocalSecondaryIndexes=[index("own", "b", "a", "ALL")]),
        "include-none": dict(AttributeDefinitions=attributes(id="S", a="S"), KeySchema=schema("id"),
                             GlobalSecondaryIndexes=[index("none", "a", None, "INCLUDE")]),
    }
    for label, row in rows.items():
        call("create." + label, ddb.create_table, TableName=name, BillingMode="PAY_PER_REQUEST", **row)
    call("create.no-units", ddb.create_table, TableName=name, AttributeDefinitions=attributes(id="S"), KeySchema=schema("id"),
         BillingMode="PROVISIONED")
    call("create.name", ddb.create_table, TableName="no such name", AttributeDefinitions=attributes(id="S"), KeySchema=schema("id"),
         BillingMode="PAY_PER_REQUEST")


def list_tables():
    call("list.page", ddb.list_tables, ExclusiveStartTableName=PREFIX + "a", Limit=2)
    call("list.next", ddb.list_tables, ExclusiveStartTableName=BIG, Limit=1)
    call("list.limit", ddb.list_tables, Limit=101)
    pages = ddb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2})
    call("list.all", lambda: [n for page in pages for n in page["TableNames"] if n.startswith(PREFIX)])


def time_to_live():
    spec = lambda on, name="ttl": {"Enabled": on, "AttributeName": name}
    call("ttl.describe", ddb.describe_time_to_live, TableName=PEOPLE)
    call("ttl.off", ddb.update_time_to_live, TableName=PEOPLE, TimeToLiveSpecification=spec(False))
    call("ttl.on", ddb.update_time_to_live, TableName=PEOPLE, TimeToLiveSpecification=spec(True))
    call("ttl.again", ddb.update_time_to_live, TableName=PEOPLE, TimeToLiveSpecification=spec(True))
    call("ttl.other", ddb.update_time_to_live, TableName=PEOPLE, TimeToLiveSpecification=spec(True, "other"))
    call("ttl.described", ddb.describe_time_to_live, TableName=PEOPLE)
    call("ttl.missing", ddb.describe_time_to_live, TableName=PREFIX + "none")
    call("ttl.off", ddb.update_time_to_live, TableName=PEOPLE, TimeToLiveSpecification=spec(False))


def update_tables():
    call("table.protect", ddb.update_table, TableName=BIG, DeletionProtectionEnabled=True)
    call("table.protected", ddb.delete_table, TableName=BIG)
    call("table.unprotect", ddb.update_table, TableName=BIG, DeletionProtectionEnabled=False)
    call("table.units", ddb.update_table, TableName=ORDERS, ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 8})
    call("table.units-again", ddb.update_table, TableName=ORDERS, ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 8})
    call("table.nothing", ddb.update_table, TableName=BIG)
    call("table.missing", ddb.update_table, TableName=PREFIX + "none", DeletionProtectionEnabled=True)
    call("limits", ddb.describe_limits)
    call("unknown", ddb.list_backups)


# ── items ──

ALL_TYPES = {
    "id": S("all"), "text": S("grüße, 世界 \u0001\"\\"), "empty": S(""), "number": N("-12.50"), "binary": B(b"\x00\xff\x10"), "none": NULL,
    "yes": TRUE, "no": FALSE, "strings": {"SS": ["b", "a"]}, "numbers": {"NS": ["3", "1.0", "2e1"]}, "binaries": {"BS": [b"z", b"a"]},
    "list": L(S("x"), N(1), L(NULL, M(deep=S("v"))), M()), "box": M(a=N(1), b=L(N(1), N(2), N(3)), c=M(d=M(e=S("end")))),
}


def put(label, item, **kw):
    return call("put." + label, ddb.put_item, TableName=PEOPLE, Item=item, **kw)


def get(label, key, **kw):
    return call("get." + label, ddb.get_item, TableName=PEOPLE, Key={"id": S(key)}, **kw)


def put_and_get():
    put("all", ALL_TYPES)
    get("all", "all")
    get("strong", "all", ConsistentRead=True)
    get("none", "none")
    get("some", "all", ProjectionExpression="id, box.b[1], #l[2][1].deep, #n", ExpressionAttributeNames={"#l": "list", "#n": "number"})
    get("units", "all", ReturnConsumedCapacity="TOTAL")
    put("replace", {"id": S("all"), "v": N(1)}, ReturnValues="ALL_OLD")
    put("new", {"id": S("new"), "v": N(1)}, ReturnValues="ALL_OLD", ReturnConsumedCapacity="TOTAL")
    put("returns", {"id": S("x")}, ReturnValues="ALL_NEW")
    for label, number in {"38": "1" * 38, "39": "1" * 39, "small": "1e-130", "smaller": "1e-131", "large": "9.9e125", "larger": "1e126",
                          "zeros": "000.1000", "minus-zero": "-0", "exponent": "1.50E+3", "no": "abc", "empty": "", "blank": " 1",
                          "nan": "NaN"}.items():
        put("number." + label, {"id": S("number"), "v": N(number)})
        get("number." + label, "number")


def put_wrongly():
    put("no-key", {"v": N(1)})
    put("key-type", {"id": N(1)})
    put("key-empty", {"id": S("")})
    put("key-long", {"id": S("k" * 2049)})
    put("set-empty", {"id": S("x"), "v": {"SS": []}})
    put("set-twice", {"id": S("x"), "v": {"SS": ["a", "a"]}})
    put("set-equal", {"id": S("x"), "v": {"NS": ["1", "1.0"]}})
    put("null-false", {"id": S("x"), "v": {"NULL": False}})
    put("large", {"id": S("x"), "v": S("v" * 409600)})
    deep = N(1)
    for _ in range(33):
        deep = L(deep)
    put("deep", {"id": S("x"), "v": deep})
    put("condition-false", {"id": S("all")}, ConditionExpression="attribute_not_exists(id)")
    put("condition-old", {"id": S("all")}, ConditionExpression="attribute_not_exists(id)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    put("condition-true", {"id": S("all"), "v": N(2)}, **{"ConditionExpression": "v = :v", **names("", v=N(1))})
    put("syntax", {"id": S("x")}, ConditionExpression="v = = :v")
    put("value-missing", {"id": S("x")}, ConditionExpression="v = :v")
    put("name-missing", {"id": S("x")}, ConditionExpression="attribute_exists(#v)")
    put("value-unused", {"id": S("x")}, ConditionExpression="attribute_exists(v)", **names("", v=N(1)))
    put("value-alone", {"id": S("x")}, **names("", v=N(1)))
    put("reserved", {"id": S("x")}, ConditionExpression="attribute_exists(status)")
    put("function", {"id": S("x")}, ConditionExpression="exists(v)")
    put("operands", {"id": S("x")}, ConditionExpression="begins_with(v, :v)", **names("", v=N(1)))
    put("empty-expression", {"id": S("x")}, ConditionExpression="")
    call("put.missing", ddb.put_item, TableName=PREFIX + "none", Item={"id": S("x")})
    call("get.key-type", ddb.get_item, TableName=PEOPLE, Key={"id": N(1)})
    call("get.key-more", ddb.get_item, TableName=PEOPLE, Key={"id": S("x"), "v": N(1)})
    call("get.key-other", ddb.get_item, TableName=PEOPLE, Key={"other": S("x")})


CONDITIONS = [
    "n = :five", "n <> :five", "n < :five", "n <= :five", "n > :three", "n >= :five", "n BETWEEN :three AND :five", "n IN (:three, :five)",
    "s = :text", "s < :text", "begins_with(s, :t)", "contains(s, :t)", "contains(ss, :text)", "contains(l, :five)", "size(s) = :four",
    "size(l) > :three", "size(ss) = :three", "size(b) = :three", "size(m) >= :three", "attribute_exists(m.a)", "attribute_exists(m.nowhere)",
    "attribute_not_exists(l[9])", "attribute_type(n, :N)", "attribute_type(m, :L)", "NOT n = :five", "n = :five AND s = :t",
    "n = :three OR s = :text", "(n = :three OR n = :five) AND NOT s = :t", "n = m.a", "l[0] = :five", "l[1].x = :text", "n = s", "b > :bytes",
    "yes = :true", "nil = :null", "ss = :set", "m.a IN (:three, :four, :five)", ":five = n", "size(n) = :three", "lost < :five",
    "lost <> :five", "s BETWEEN :t AND :text",
]
VALUES = {"three": N(3), "four": N(4), "five": N("5.0"), "text": S("text"), "t": S("te"), "N": S("N"), "L": S("L"), "bytes": B(b"ab"),
          "true": TRUE, "null": NULL, "set": {"SS": ["c", "text", "a"]}}


CONDITIONED = {"id": S("c"), "n": N(5), "s": S("text"), "ss": {"SS": ["a", "text", "c"]}, "b": B(b"abc"), "yes": TRUE, "nil": NULL,
               "l": L(N(5), M(x=S("text")), N(1), N(2)), "m": M(a=N(5), b=N(1), c=N(2))}


def conditions():
    put("conditions", CONDITIONED)
    for condition in CONDITIONS:
        words = {w.strip("(),") for w in condition.split()} | {w.strip("()") for w in condition.replace(",", " ").split()}
        used = {k: v for k, v in VALUES.items() if ":" + k in words}
        call("if " + condition, ddb.put_item, TableName=PEOPLE, Item=CONDITIONED, ConditionExpression=condition, **names("", **used))


def update(label, key, expression=None, **kw):
    if expression is not None:
        kw["UpdateExpression"] = expression
    return call("update." + label, ddb.update_item, TableName=PEOPLE, Key={"id": S(key)}, **kw)


def updates():
    update("new", "u", "SET a = :a, l = :l", **names("", a=N(1), l=L(N(1), N(2), N(3))), ReturnValues="ALL_NEW")
    update("nothing", "u", ReturnValues="ALL_NEW")
    update("plus", "u", "SET a = a + :a, b = :a - a", **names("", a=N(10)), ReturnValues="UPDATED_NEW")
    update("old", "u", "SET a = :a", **names("", a=N("0.1")), ReturnValues="UPDATED_OLD")
    update("all-old", "u", "SET a = a + :a", **names("", a=N("0.2")), ReturnValues="ALL_OLD")
    update("if", "u", "SET a = if_not_exists(a, :x), c = if_not_exists(c, :x)", **names("", x=S("x")), ReturnValues="ALL_NEW")
    update("append", "u", "SET l = list_append(:l, l), l2 = list_append(l, :l)", **names("", l=L(S("new"))), ReturnValues="UPDATED_NEW")
    update("element", "u", "SET l[1] = :x, l[99] = :x REMOVE l[0]", **names("", x=S("x")), ReturnValues="ALL_NEW")
    update("map", "u", "SET m = :m", **names("", m=M(a=N(1), b=M(c=N(2)))))
    update("path", "u", "SET m.b.d = m.a REMOVE m.a", ReturnValues="UPDATED_NEW")
    update("path-names", "u", "SET #m.#b.#e = :x", ExpressionAttributeNames={"#m": "m", "#b": "b", "#e": "e.f"},
           ExpressionAttributeValues={":x": S("x")}, ReturnValues="UPDATED_NEW")
    update("add", "u", "ADD n :n, ss :s, ns :ns", **names("", n=N(5), s={"SS": ["a", "b"]}, ns={"NS": ["1"]}), ReturnValues="UPDATED_NEW")
    update("add-more", "u", "ADD n :n, ss :s", **names("", n=N("-7.5"), s={"SS": ["b", "c"]}), ReturnValues="UPDATED_NEW")
    update("delete", "u", "DELETE ss :s", **names("", s={"SS": ["a", "z"]}), ReturnValues="UPDATED_NEW")
    update("delete-all", "u", "DELETE ss :s", **names("", s={"SS": ["b", "c"]}), ReturnValues="ALL_NEW")
    update("all-four", "u", "SET a = :x REMOVE c ADD n :one DELETE ns :ns", **names("", x=S("x"), one=N(1), ns={"NS": ["1"]}), ReturnValues="ALL_NEW")
    update("swap", "u", "SET a = n, n = a", ReturnValues="UPDATED_NEW")
    update("condition", "u", "SET a = :x", ConditionExpression="attribute_exists(gone)", **names("", x=N(1)))
    update("condition-old", "u", "SET a = :x", ConditionExpression="attribute_exists(gone)", ReturnValuesOnConditionCheckFailure="ALL_OLD",
           **names("", x=N(1)))
    update("condition-both", "u", "SET a = :x", ConditionExpression="n = :s OR attribute_exists(id)", **names("", x=N(1), s=S("x")),
           ReturnConsumedCapacity="TOTAL")


def updates_wrongly():
    update("wrong.key", "u", "SET id = :x", **names("", x=S("x")))
    update("wrong.overlap", "u", "SET m.b = :x, m = :x", **names("", x=S("x")))
    update("wrong.twice", "u", "SET a = :x REMOVE a", **names("", x=S("x")))
    update("wrong.conflict", "u", "SET m[0] = :x, m.b = :x", **names("", x=S("x")))
    update("wrong.path", "u", "SET nowhere.b = :x", **names("", x=S("x")))
    update("wrong.type", "u", "SET a = m + :x", **names("", x=N(1)))
    update("wrong.operand", "u", "SET a = a + :x", **names("", x=S("x")))
    update("wrong.missing", "u", "SET a = nowhere + :x", **names("", x=N(1)))
    update("wrong.append", "u", "SET l = list_append(l, :x)", **names("", x=N(1)))
    update("wrong.add", "u", "ADD m :x", **names("", x=N(1)))
    update("wrong.add-type", "u", "ADD n :x", **names("", x=S("x")))
    update("wrong.delete", "u", "DELETE n :x", **names("", x={"SS": ["x"]}))
    update("wrong.section", "u", "SET a = :x SET b = :x", **names("", x=S("x")))
    update("wrong.syntax", "u", "SET a :x", **names("", x=S("x")))
    update("wrong.empty", "u", "")
    update("wrong.values", "u", "REMOVE a", **names("", x=S("x")))
    update("wrong.returns", "u", "REMOVE a", ReturnValues="SOME")
    update("wrong.overflow", "u", "SET n = :x + :x", **names("", x=N("9.9e125")))


def deletes():
    remove = lambda label, key, **kw: call("delete." + label, ddb.delete_item, TableName=PEOPLE, Key={"id": S(key)}, **kw)
    remove("none", "none", ReturnValues="ALL_OLD")
    remove("condition", "u", ConditionExpression="attribute_not_exists(id)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    remove("old", "u", ReturnValues="ALL_OLD", ReturnConsumedCapacity="TOTAL")
    remove("again", "u", ReturnValues="ALL_OLD")
    remove("returns", "u", ReturnValues="UPDATED_OLD")


# ── several ──

def order(who, at, cost=None, shop=None, tag=None, note=None):
    item = {"who": S(who), "at": N(at)}
    item.update({k: v for k, v in dict(cost=cost and N(cost), shop=shop and S(shop), tag=tag and B(tag), note=note and S(note)).items() if v})
    return item


def batches():
    puts = [{"PutRequest": {"Item": order(f"p{i % 3}", i, cost=(i * 7) % 11 + 1, shop=f"s{i % 2}", tag=b"t" if i % 4 == 0 else None,
                                          note=f"note {i}")}} for i in range(25)]
    call("batch.write", ddb.batch_write_item, RequestItems={ORDERS: puts})
    call("batch.delete", ddb.batch_write_item, RequestItems={
        ORDERS: [{"DeleteRequest": {"Key": order("p0", 24)}}, {"PutRequest": {"Item": order("p0", "30.5")}}], PEOPLE: [{"PutRequest": {"Item": {"id": S("batch")}}}]},
        ReturnConsumedCapacity="NONE")
    call("batch.too-many", ddb.batch_write_item, RequestItems={ORDERS: puts + puts[:1]})
    call("batch.twice", ddb.batch_write_item, RequestItems={ORDERS: [puts[0], puts[0]]})
    call("batch.missing", ddb.batch_write_item, RequestItems={PREFIX + "none": puts[:1]})
    call("batch.none", ddb.batch_write_item, RequestItems={})
    call("batch.key", ddb.batch_write_item, RequestItems={ORDERS: [{"PutRequest": {"Item": {"who": S("x")}}}]})
    keys = [order(f"p{i % 3}", i) for i in range(24)]
    call("batch.get", ddb.batch_get_item, unordered=True, RequestItems={
        ORDERS: {"Keys": keys, "ProjectionExpression": "who, #at, cost", "ExpressionAttributeNames": {"#at": "at"}}, PEOPLE: {"Keys": [{"id": S("batch")}, {"id": S("none")}], "ConsistentRead": True}})
    call("batch.get-twice", ddb.batch_get_item, RequestItems={ORDERS: {"Keys": [keys[0], keys[0]]}})
    call("batch.get-too-many", ddb.batch_get_item, RequestItems={ORDERS: {"Keys": [order("p", i) for i in range(101)]}})
    call("batch.get-missing", ddb.batch_get_item, RequestItems={PREFIX + "none": {"Keys": keys[:1]}})
    call("batch.get-key", ddb.batch_get_item, RequestItems={ORDERS: {"Keys": [{"who": S("x")}]}})


def query(label, expression, table=ORDERS, unordered=False, **kw):
    values = {k[2:]: v for k, v in kw.items() if k.startswith("v_")}
    rest = {k: v for k, v in kw.items() if not k.startswith("v_")}
    named = names(expression + " " + rest.get("FilterExpression", ""), **values)
    return call("query." + label, ddb.query, TableName=table, KeyConditionExpression=expression, unordered=unordered, **named, **rest)


def queries():
    query("all", "who = :w", v_w=S("p0"))
    query("back", "who = :w", v_w=S("p0"), ScanIndexForward=False)
    query("none", "who = :w", v_w=S("nobody"))
    for operator in ("=", "<", "<=", ">", ">="):
        query("at " + operator, f"who = :w AND #at {operator} :a", v_w=S("p0"), v_a=N(9))
    query("between", "who = :w AND #at BETWEEN :a AND :b", v_w=S("p0"), v_a=N(3), v_b=N(12))
    query("filter", "who = :w", v_w=S("p0"), v_t=N(5), FilterExpression="cost > :t")
    query("filter-limit", "who = :w", v_w=S("p0"), v_t=N(5), FilterExpression="cost > :t", Limit=3)
    query("count", "who = :w", v_w=S("p0"), Select="COUNT")
    query("some", "who = :w", v_w=S("p1"), ProjectionExpression="cost, note")
    query("index", "shop = :s", v_s=S("s0"), IndexName="by-shop", unordered=True)
    query("index-range", "shop = :s AND cost > :t", v_s=S("s1"), v_t=N(6), IndexName="by-shop", unordered=True)
    query("index-include", "tag = :t", v_t=B(b"t"), IndexName="by-tag", unordered=True)
    query("local", "who = :w", v_w=S("p0"), IndexName="by-cost", unordered=True)
    query("local-all", "who = :w", v_w=S("p0"), IndexName="by-cost", Select="ALL_ATTRIBUTES", ConsistentRead=True, unordered=True)
    page = query("page", "who = :w", v_w=S("p2"), Limit=3)
    query("next", "who = :w", v_w=S("p2"), Limit=3, ExclusiveStartKey=page.get("LastEvaluatedKey", {}))
    query("last", "who = :w", v_w=S("p2"), Limit=8)
    query("last-empty", "who = :w", v_w=S("p2"), ExclusiveStartKey=order("p2", 23))
    pages = ddb.get_paginator("query").paginate(TableName=ORDERS, KeyConditionExpression="who = :w", ExpressionAttributeValues={":w": S("p1")},
                                                PaginationConfig={"PageSize": 2})
    call("query.pages", lambda: [[i["at"] for i in p["Items"]] for p in pages])
    call("query.whole", pages.build_full_result)
    rows = {
        "no-hash": ("#at = :a", dict(v_a=N(1))), "hash-range": ("who > :w", dict(v_w=S("p"))), "or": ("who = :w OR #at = :a", dict(v_w=S("p"), v_a=N(1))),
        "other": ("who = :w AND cost = :t", dict(v_w=S("p"), v_t=N(1))), "type": ("who = :w", dict(v_w=N(1))),
        "twice": ("who = :w AND who = :w", dict(v_w=S("p"))), "function": ("who = :w AND contains(#at, :a)", dict(v_w=S("p"), v_a=N(1))),
        "between": ("who = :w AND #at BETWEEN :b AND :a", dict(v_w=S("p"), v_a=N(1), v_b=N(2))),
        "strong-index": ("shop = :s", dict(v_s=S("s"), IndexName="by-shop", ConsistentRead=True)),
        "no-index": ("shop = :s", dict(v_s=S("s"), IndexName="none")), "limit": ("who = :w", dict(v_w=S("p"), Limit=0)),
        "filter-key": ("who = :w", dict(v_w=S("p"), v_x=S("p"), FilterExpression="who <> :x")),
        "start": ("who = :w", dict(v_w=S("p"), ExclusiveStartKey={"who": S("p")})),
        "start-other": ("who = :w", dict(v_w=S("p"), ExclusiveStartKey=order("q", 1))),
        "select": ("who = :w", dict(v_w=S("p"), Select="SPECIFIC_ATTRIBUTES")),
        "index-all": ("tag = :t", dict(v_t=B(b"t"), IndexName="by-tag", Select="ALL_ATTRIBUTES")),
    }
    for label, (expression, kw) in rows.items():
        query("wrong." + label, expression, **kw)
    call("query.wrong.missing", ddb.query, TableName=PREFIX + "none", KeyConditionExpression="a = :a", ExpressionAttributeValues={":a": S("x")})
    call("query.wrong.nothing", ddb.query, TableName=ORDERS)


def gather(label, paginate, **kw):
    """All pages of a Scan, as a set: their order is the endpoint's own."""
    pages = list(paginate(**kw))
    call(label, lambda: {"Items": [i for p in pages for i in p["Items"]], "ScannedCount": sum(p["ScannedCount"] for p in pages)}, unordered=True)


def scans():
    scan = ddb.get_paginator("scan").paginate
    call("scan", ddb.scan, TableName=ORDERS, unordered=True)
    call("scan.filter", ddb.scan, TableName=ORDERS, FilterExpression="cost BETWEEN :a AND :b", unordered=True, **names("", a=N(3), b=N(6)))
    call("scan.count", ddb.scan, TableName=ORDERS, Select="COUNT")
    call("scan.some", ddb.scan, TableName=ORDERS, ProjectionExpression="note, cost", unordered=True)
    call("scan.index", ddb.scan, TableName=ORDERS, IndexName="by-tag", unordered=True)
    call("scan.local", ddb.scan, TableName=ORDERS, IndexName="by-cost", unordered=True)
    gather("scan.pages", scan, TableName=ORDERS, PaginationConfig={"PageSize": 4})
    gather("scan.index-pages", scan, TableName=ORDERS, IndexName="by-shop", PaginationConfig={"PageSize": 3})
    segments = [p for n in range(4) for p in scan(TableName=ORDERS, Segment=n, TotalSegments=4)]
    call("scan.segments", lambda: [i for p in segments for i in p["Items"]], unordered=True)
    call("scan.wrong.segment", ddb.scan, TableName=ORDERS, Segment=4, TotalSegments=4)
    call("scan.wrong.cost", ddb.scan, TableName=ORDERS, Segment=0)
    call("scan.wrong.limit", ddb.scan, TableName=ORDERS, Limit=0)
    call("scan.wrong.filter", ddb.scan, TableName=ORDERS, FilterExpression="cost >")
    call("scan.wrong.start", ddb.scan, TableName=ORDERS, ExclusiveStartKey={"who": S("x")})
    call("scan.wrong.strong", ddb.scan, TableName=ORDERS, IndexName="by-shop", ConsistentRead=True)
    call("scan.wrong.missing", ddb.scan, TableName=PREFIX + "none")


def large_pages():
    for i in range(13):
        ddb.put_item(TableName=BIG, Item={"pk": S("p"), "sk": N(i), "v": S(chr(97 + i) * 200000)})
    brief = lambda p: {"Count": p["Count"], "Scanned": p["ScannedCount"], "first": p["Items"][0]["sk"] if p["Items"] else None,
                       "bytes": sum(len(i["v"]["S"]) for i in p["Items"]), "more": p.get("LastEvaluatedKey")}
    pages = ddb.get_paginator("query").paginate(TableName=BIG, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": S("p")})
    call("large.query", lambda: [brief(p) for p in pages])
    filtered = ddb.get_paginator("query").paginate(TableName=BIG, KeyConditionExpression="pk = :p", FilterExpression="v = :p",
                                                   ExpressionAttributeValues={":p": S("p")})
    call("large.filter", lambda: [brief(p) for p in filtered])
    call("large.scan", lambda: [p["Count"] for p in ddb.get_paginator("scan").paginate(TableName=BIG)])
    call("large.batch", lambda: len(ddb.batch_get_item(RequestItems={BIG: {"Keys": [{"pk": S("p"), "sk": N(i)} for i in range(13)]}})["Responses"][BIG]))


# ── transactions ──

def transactions():
    write = lambda label, *items, **kw: call("transact." + label, ddb.transact_write_items, TransactItems=list(items), **kw)
    new = lambda key, **kw: {"Put": {"TableName": PEOPLE, "Item": {"id": S(key), "v": N(1)}, **kw}}
    write("all", new("t1"), new("t2"), {"Update": {"TableName": PEOPLE, "Key": {"id": S("t3")}, "UpdateExpression": "ADD v :one", "ExpressionAttributeValues": {":one": N(1)}}},
          {"Delete": {"TableName": PEOPLE, "Key": {"id": S("new")}}},
          {"ConditionCheck": {"TableName": PEOPLE, "Key": {"id": S("none")}, "ConditionExpression": "attribute_not_exists(id)"}})
    write("cancelled", new("t4"), new("t1", ConditionExpression="attribute_not_exists(id)"),
          new("t2", ConditionExpression="attribute_not_exists(id)", ReturnValuesOnConditionCheckFailure="ALL_OLD"))
    get("not-made", "t4")
    write("check", new("t4"), {"ConditionCheck": {"TableName": PEOPLE, "Key": {"id": S("none")}, "ConditionExpression": "attribute_exists(id)"}})
    write("twice", new("t5"), new("t5"))
    write("token", new("t6"), ClientRequestToken=PREFIX + "token")
    write("token-again", new("t6"), ClientRequestToken=PREFIX + "token")
    write("token-other", new("t7"), ClientRequestToken=PREFIX + "token")
    write("too-many", *(new(f"m{i}") for i in range(101)))
    write("none")
    write("missing", {"Put": {"TableName": PREFIX + "none", "Item": {"id": S("x")}}})
    write("two-actions", {**new("t8"), "Delete": {"TableName": PEOPLE, "Key": {"id": S("t8")}}})
    write("no-action", {})
    write("syntax", new("t8", ConditionExpression="a = "))
    one = lambda key, **kw: {"Get": {"TableName": PEOPLE, "Key": {"id": S(key)}, **kw}}
    read = lambda label, *items, **kw: call("transact.get." + label, ddb.transact_get_items, TransactItems=list(items), **kw)
    read("all", one("t1"), one("none"), one("t3", ProjectionExpression="v"), {"Get": {"TableName": ORDERS, "Key": order("p0", 0)}})
    read("twice", one("t1"), one("t1"))
    read("missing", {"Get": {"TableName": PREFIX + "none", "Key": {"id": S("x")}}})
    read("key", {"Get": {"TableName": PEOPLE, "Key": {"other": S("x")}}})
    read("too-many", *(one(f"m{i}") for i in range(101)))


# ── boto3's own layer ──

def resource_layer():
    orders, people = resource.Table(ORDERS), resource.Table(PEOPLE)
    D = decimal.Decimal
    call("resource.status", lambda: [orders.table_status, orders.key_schema, orders.item_count])
    item = {"id": "resource", "n": D("1.5"), "l": [1, "a", None, True, {"x": b"\x01"}], "s": {"a", "b"}, "ns": {D(1), D("2.5")}, "bs": {b"1", b"2"},
            "m": {"k": {"k": []}}}
    call("resource.put", people.put_item, Item=item)
    call("resource.get", people.get_item, Key={"id": "resource"})
    call("resource.update", people.update_item, Key={"id": "resource"}, UpdateExpression="SET #m.#k = :v",
         ExpressionAttributeNames={"#m": "m", "#k": "k"}, ExpressionAttributeValues={":v": D("3")}, ReturnValues="ALL_NEW")
    call("resource.condition", people.put_item, Item=item, ConditionExpression=Attr("id").not_exists() | Attr("n").gt(5))
    call("resource.delete", people.delete_item, Key={"id": "resource"}, ConditionExpression=Attr("n").between(1, 2) & Attr("s").contains("a"),
         ReturnValues="ALL_OLD")
    call("resource.query", orders.query, KeyConditionExpression=Key("who").eq("p0") & Key("at").gt(10), FilterExpression=Attr("note").begins_with("note"))
    call("resource.query-not", orders.query, KeyConditionExpression=Key("who").eq("p1"), FilterExpression=~Attr("cost").is_in([1, 2, 3]) & Attr("note").size().gt(6))
    call("resource.scan", orders.scan, FilterExpression=Attr("cost").ne(1) & Attr("tag").attribute_type("B"), unordered=True)
    call("resource.index", orders.query, IndexName="by-shop", KeyConditionExpression=Key("shop").eq("s0") & Key("cost").lte(4), unordered=True)

    def write(**options):
        with orders.batch_writer(**options) as batch:
            for i in range(60):
                batch.put_item(Item={"who": "batch", "at": i % 50, "cost": i})
            batch.delete_item(Key={"who": "batch", "at": 0})
    call("resource.writer-twice", write)
    call("resource.writer", write, overwrite_by_pkeys=["who", "at"])
    call("resource.writer-query", lambda: [(i["at"], i.get("cost")) for i in orders.query(KeyConditionExpression=Key("who").eq("batch"))["Items"]])
    call("resource.batch-get", lambda: resource.batch_get_item(RequestItems={ORDERS: {"Keys": [{"who": "batch", "at": i} for i in range(3)]}})["Responses"], unordered=True)


def unsigned():
    anonymous = boto3.client("dynamodb", endpoint_url=sys.argv[1], region_name="eu-west-1", config=Config(signature_version=UNSIGNED, **ONE_TRY))
    call("unsigned", anonymous.list_tables)


def drop_tables():
    for name in (PEOPLE, ORDERS, BIG):
        call("drop", lambda n=name: ddb.delete_table(TableName=n)["TableDescription"]["TableName"])
        call("drop.wait", ddb.get_waiter("table_not_exists").wait, TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    call("drop.again", ddb.delete_table, TableName=PEOPLE)
    call("gone", ddb.get_item, TableName=PEOPLE, Key={"id": S("x")})


try:
    for part in (make_tables, wrong_tables, list_tables, time_to_live, put_and_get, put_wrongly, conditions, updates, updates_wrongly, deletes, batches,
                 queries, scans, large_pages, transactions, resource_layer, unsigned, update_tables):
        part()
finally:
    drop_tables()
