"""paradoxical.py - stands in for @paradoxical-io/common-aws, which no registry has: its tables' requests, as they are known (the headers of
store/kv.h, pkv.h, counter.h, attempts.h, once.h and lock.h name the classes), made by boto3. Reads before it writes where the library does."""
import hashlib
import json
import time

from botocore.exceptions import ClientError


def full(namespace, key):
    return f"{namespace}.{key}" if namespace else key


def text(value):
    """As JSON.stringify."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def digest(value):
    """Of the value with its members sorted."""
    return hashlib.md5(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()).hexdigest()


def refused(call, **request):
    try:
        call(**request)
        return False
    except ClientError as e:
        if e.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return True


class KeyValueTable:
    def __init__(self, table, namespace="global"):
        self.table, self.namespace = table, namespace

    def get(self, key):
        item = self.table.get_item(Key={"key": full(self.namespace, key)}).get("Item", {})
        return json.loads(item["data"]) if "data" in item else None

    def set(self, key, value):
        self.table.put_item(Item={"key": full(self.namespace, key), "data": text(value)})

    def delete(self, key):
        self.table.delete_item(Key={"key": full(self.namespace, key)})

    def list_all(self):
        """Of all namespaces, as the library does."""
        return {i["key"]: json.loads(i["data"]) for i in self.table.scan()["Items"] if "data" in i}


class KeyValueCounter:
    def __init__(self, table, namespace):
        self.table, self.namespace = table, namespace

    def incr(self, key, by=1):
        answer = self.table.update_item(Key={"key": full(self.namespace, key)}, UpdateExpression="ADD #count :value", ReturnValues="UPDATED_NEW",
                                        ExpressionAttributeNames={"#count": "count"}, ExpressionAttributeValues={":value": by})
        return int(answer["Attributes"]["count"])

    def get(self, key):
        item = self.table.get_item(Key={"key": full(self.namespace, key)}).get("Item")
        return None if item is None else int(item.get("count", 0))


class PartitionedKeyValueTable:
    def __init__(self, table, namespace=""):
        self.table, self.namespace = table, namespace

    def key(self, partition, sort):
        return {"partitionKey": partition, "sortKey": full(self.namespace, sort)}

    def raw(self, partition, sort):
        return self.table.get_item(Key=self.key(partition, sort)).get("Item", {})

    def get(self, partition, sort):
        item = self.raw(partition, sort)
        return json.loads(item["data"]) if "data" in item else None

    def set(self, partition, sort, value):
        self.table.put_item(Item={**self.key(partition, sort), "data": text(value)})

    def set_if_not_exists(self, partition, sort, value):
        return not refused(self.table.put_item, Item={**self.key(partition, sort), "data": text(value)}, ConditionExpression="attribute_not_exists(sortKey)")

    def exists(self, partition, sort):
        return bool(self.raw(partition, sort))

    def delete(self, partition, sort):
        self.table.delete_item(Key=self.key(partition, sort))

    def list_all(self, partition):
        found = self.table.query(KeyConditionExpression="partitionKey = :p", ExpressionAttributeValues={":p": partition})["Items"]
        return {i["sortKey"]: i.get("data", str(i.get("count", ""))) for i in found}

    # ── sets ──

    def change(self, partition, sort, make):
        """What `make` makes of the list that is there, unless it is None; again where another came between."""
        while True:
            item = self.raw(partition, sort)
            elements = make(json.loads(item["data"]) if "data" in item else None)
            if elements is None:
                return False
            if not refused(self.table.put_item, Item={**self.key(partition, sort), "data": text(elements), "md5": digest(elements)},
                           ConditionExpression="attribute_not_exists(md5) OR md5 = :md5", ExpressionAttributeValues={":md5": item.get("md5", " ")}):
                return True
            time.sleep(0.01)

    def add_to_set(self, partition, sort, *given):
        def make(elements):
            new = [g for g in given if g not in (elements or [])]
            return (elements or []) + new if new else None
        return self.change(partition, sort, make)

    def remove_from_set(self, partition, sort, *given):
        return self.change(partition, sort, lambda elements: None if elements is None else [e for e in elements if e not in given])

    def update_in_set(self, partition, sort, value, same):
        return self.change(partition, sort, lambda elements: None if elements is None else [e for e in elements if not same(e)] + [value])

    def exists_in_set(self, partition, sort, value):
        return value in (self.get(partition, sort) or [])

    # ── counters ──

    def incr(self, partition, sort, by=1):
        answer = self.table.update_item(Key=self.key(partition, sort), UpdateExpression="ADD #count :value", ReturnValues="UPDATED_NEW",
                                        ExpressionAttributeNames={"#count": "count"}, ExpressionAttributeValues={":value": by})
        return int(answer["Attributes"]["count"])


class AttemptsError(Exception):
    pass


class LimitedAttempt:
    def __init__(self, reader):
        self.reader = reader

    def attempt(self, partition, sort, most, validity_ms, context=None):
        now = int(time.time() * 1000)
        state = self.reader.get(partition, sort)
        if state and now <= state["created"] + validity_ms:
            if state["attempts"] >= most:
                raise AttemptsError
            self.reader.set(partition, sort, {**state, "attempts": state["attempts"] + 1})
            return state.get("data")
        self.reader.set(partition, sort, {"created": now, "attempts": 1} | ({} if context is None else {"data": context}))
        return context


class DoOnceManager:
    def __init__(self, table):
        self.kv = PartitionedKeyValueTable(table, "users")

    def do_once(self, user, action, work):
        if self.kv.get(user, f"do_once.{action}"):
            return {"did": False}
        response = work()
        self.kv.set_if_not_exists(user, f"do_once.{action}", int(time.time() * 1000))
        return {"did": True, "response": response}

    def have_already_done(self, user, action):
        return self.kv.get(user, f"do_once.{action}")

    def clear(self, user, action):
        self.kv.delete(user, f"do_once.{action}")


class DynamoLock:
    def __init__(self, table):
        self.table = table

    def try_acquire(self, key, seconds):
        now = int(time.time())
        return not refused(self.table.update_item, Key={"key": key}, UpdateExpression="SET #e = :e", ExpressionAttributeNames={"#e": "expiresAt", "#k": "key"},
                           ConditionExpression="attribute_not_exists(#k) OR :now >= #e", ExpressionAttributeValues={":e": now + seconds, ":now": now})

    def release(self, key):
        self.table.delete_item(Key={"key": key})
