"""peer.py URL - AWS Lambda Powertools' idempotency for Python, driven by lines of JSON:

{"do": "new", "as": "f", "table": "t", "prefix": "p", "config": {"event_key_jmespath": "id", …},
 "layer": {"key_attr": "pk", …}}                                                                  a function made idempotent
{"do": "run", "on": "f", "event": …, "work": {"result": …, "sleep_ms": 5, "until": "file", "fail": "text", "witness": "file"},
 "left_ms": 60000}

Answers: {"id", "result": {"did", "response", "overlaps"}} or {"id", "error": {"name", "message"}}; "did" and "overlaps" are there too.
"""
import json
import os
import sys
import time

import boto3
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function

client = boto3.client("dynamodb", endpoint_url=sys.argv[1], region_name=os.environ["AWS_REGION"], aws_access_key_id="peer",
                      aws_secret_access_key="peer")
functions = {}


class Context:
    """What Powertools asks of Lambda's context: how long the invocation has left."""

    def __init__(self, left_ms):
        self.end = time.monotonic() + left_ms / 1000

    def get_remaining_time_in_millis(self):
        return int((self.end - time.monotonic()) * 1000)


class Once:
    def __init__(self, table, prefix, config, layer):
        self.config = IdempotencyConfig(**config)
        self.did, self.overlaps, self.work = False, 0, {}
        store = DynamoDBPersistenceLayer(table_name=table, boto3_client=client, **layer)
        self.call = idempotent_function(data_keyword_argument="event", persistence_store=store, config=self.config, key_prefix=prefix)(self.do)

    def do(self, event):
        self.did = True
        witness = self.work.get("witness")
        if witness:
            try:
                os.close(os.open(witness, os.O_CREAT | os.O_EXCL, 0o600))
            except FileExistsError:
                self.overlaps += 1
        time.sleep(self.work.get("sleep_ms", 0) / 1000)
        end = time.monotonic() + 30
        while "until" in self.work and not os.path.exists(self.work["until"]) and time.monotonic() < end:
            time.sleep(0.005)
        if witness and os.path.exists(witness):
            os.unlink(witness)
        if "fail" in self.work:
            raise RuntimeError(self.work["fail"])
        return self.work.get("result")

    def run(self, event, work, left_ms=60000):
        self.did, self.overlaps, self.work = False, 0, work
        self.config.register_lambda_context(Context(left_ms))
        return self.call(event=event)


def new(name, table, prefix, config, layer=None):
    functions[name] = Once(table, prefix, config, layer or {})


def answer(line):
    call = json.loads(line)
    out = {"id": call.pop("id", None)}
    if call.pop("do") == "new":
        new(call.pop("as"), **call)
        return out | {"result": None}
    function = functions[call.pop("on")]
    try:
        response = function.run(**call)
        return out | {"result": {"did": function.did, "response": response, "overlaps": function.overlaps}}
    except Exception as e:  # pylint: disable=broad-except
        return out | {"error": {"name": type(e).__name__, "message": str(e)}, "did": function.did, "overlaps": function.overlaps}


for text in sys.stdin:
    print(json.dumps(answer(text)), flush=True)
