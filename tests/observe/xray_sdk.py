"""xray_sdk.py URL - the other side of xray.py: does what an event says with boto3, and tells AWS's X-Ray SDK of it as Powertools' Tracer does.

A line of JSON in, {"trace": the invocation's header, "event": {"url", "steps"}}, a line out when the SDK has sent all. In a process of its own:
the SDK reads Lambda's environment when it is imported.
"""
import http.client
import json
import os
import sys
import urllib.parse

import boto3
from aws_lambda_powertools import Tracer
from aws_xray_sdk.core import patch
from botocore.config import Config
from botocore.exceptions import ClientError

patch(["botocore", "httplib"])
tracer = Tracer(service="shop", auto_patch=False)
client = boto3.client("dynamodb", endpoint_url=sys.argv[1], config=Config(retries={"total_max_attempts": 2, "mode": "legacy"}))
STEP_NAMES = ["price", "tax", "rate", "rounding"]
KEY = {"id": {"S": "1"}}
CALLS = {
    "get": lambda: client.get_item(TableName="orders", Key=KEY, ConsistentRead=True),
    "put": lambda: client.put_item(TableName="orders", Item=KEY),
    "put-new": lambda: client.put_item(TableName="orders", Item=KEY, ConditionExpression="attribute_not_exists(id)"),
    "delete": lambda: client.delete_item(TableName="orders", Key=KEY),
    "update": lambda: client.update_item(TableName="orders", Key=KEY, UpdateExpression="SET paid = :paid",
                                         ExpressionAttributeValues={":paid": {"BOOL": True}}),
}


class CardDeclined(Exception):
    pass


def fetch(url):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("GET", f"{parts.path}?{parts.query}")
    connection.getresponse()
    connection.close()


def take_steps(url, steps, depth=0):
    """Takes what it does from the list's front, up to the end of the step that it is in."""
    while steps:
        step = steps.pop(0)
        if step["do"] == "end":
            return
        if step["do"] == "begin":
            with tracer.provider.in_subsegment(STEP_NAMES[depth]):
                take_steps(url, steps, depth + 1)
        elif step["do"] == "fetch":
            fetch(url)
        elif step["do"] == "fail":
            raise CardDeclined("the card was declined")
        else:
            try:
                CALLS[step["do"]]()
            except ClientError:
                if not step.get("caught"):
                    raise


@tracer.capture_lambda_handler(capture_response=False, capture_error=False)
def traced(event, _context):
    take_steps(event["url"], event["steps"])


for line in sys.stdin:
    told = json.loads(line)
    os.environ["_X_AMZN_TRACE_ID"] = told["trace"]
    try:
        traced(told["event"], None)
    except (CardDeclined, ClientError):
        pass
    print("{}", flush=True)
