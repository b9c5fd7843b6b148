#!/usr/bin/env python3
"""sigv4_oracle.py COUNT SEED - random requests as botocore signs them, one JSON object a line.

tests/dynamodb/sigv4_vectors.jsonl is what `sigv4_oracle.py 50 1` printed, with botocore 1.44.5.
"""

import datetime
import json
import random
import string
import sys

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

OPERATIONS = ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchWriteItem", "TransactWriteItems"]
REGIONS = ["us-east-1", "eu-west-1", "ap-southeast-3", "us-gov-west-1", "cn-north-1", "il-central-1"]
# of several bytes, beyond 16 bits, combining, right to left; no space that Python's split knows and AWS's rule doesn't
LETTERS = string.ascii_letters + string.digits + string.punctuation + "äßéñ漢字かな한글日本😀🧪\u0301אבגДжй€"


def text(rng, most, letters=LETTERS):
    return "".join(rng.choice(letters) for _ in range(rng.randint(0, most)))


def value_with_spaces(rng):
    spaces = ["", " ", "  ", "\t", " \t ", "   "]
    words = [text(rng, 12) for _ in range(rng.randint(0, 5))]
    return rng.choice(spaces) + "".join(w + rng.choice(spaces[1:]) for w in words) + text(rng, 5) + rng.choice(spaces)


def url_of(rng, region):
    host = rng.choice([f"dynamodb.{region}.amazonaws.com", f"123456789012.ddb.{region}.amazonaws.com", "localhost", "127.0.0.1", "[::1]"])
    scheme = rng.choice(["http", "https"])
    port = rng.choice(["", "", ":8000", ":443", ":80", ":65535"])
    path = rng.choice(["/", "/", "/", "/a/b", "/Größe", "/a%20b"])
    query = rng.choice(["", "", "", "?a=1", "?b=2&a=1", "?x=%20y&x=a"])
    return f"{scheme}://{host}{port}{path}{query}"


def headers_of(rng):
    headers = [["Content-Type", "application/x-amz-json-1.0"], ["X-Amz-Target", "DynamoDB_20120810." + rng.choice(OPERATIONS)]]
    for _ in range(rng.randint(0, 4)):
        name = rng.choice(["X-Amz-Meta-", "x-odd-", "X-", "Zz", "A"]) + text(rng, 8, string.ascii_letters + string.digits + "-")
        headers += [[name, value_with_spaces(rng)] for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    rng.shuffle(headers)
    return headers


def vector(rng):
    region = rng.choice(REGIONS)
    at = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=rng.randrange(80 * 365 * 86400))
    keys = string.ascii_letters + string.digits + "/+="
    access, secret = "AKIA" + text(rng, 16, string.ascii_uppercase), "s" + text(rng, 60, keys)
    token = "t" + text(rng, rng.choice([20, 60, 400, 2000 if rng.random() < 0.1 else 100]), keys) if rng.random() < 0.6 else ""
    body = json.dumps({"Item": {text(rng, 6): {"S": text(rng, rng.choice([0, 20, 60, 200, 5000 if rng.random() < 0.1 else 40]))}}}, ensure_ascii=rng.random() < 0.3)
    body = "" if rng.random() < 0.05 else body
    headers, url, method = headers_of(rng), url_of(rng, region), rng.choice(["POST", "POST", "GET"])

    request = AWSRequest(method=method, url=url, data=body.encode())
    for name, value in headers:
        request.headers.add_header(name, value)
    signer = botocore.auth.SigV4Auth(Credentials(access, secret, token or None), "dynamodb", region)
    botocore.auth.get_current_datetime = lambda *_, **__: at.replace(tzinfo=None)
    signer.add_auth(request)
    return {
        "method": method,
        "path": signer._normalize_url_path(botocore.auth.urlsplit(url).path),
        "query": signer.canonical_query_string(request),
        "host": signer.headers_to_sign(request)["host"],
        "headers": headers,
        "body": body,
        "access": access,
        "secret": secret,
        "token": token,
        "region": region,
        "at_ms": int(at.timestamp()) * 1000 + rng.randrange(1000),
        "want": request.headers["Authorization"],
    }


def main():
    count, rng = int(sys.argv[1]), random.Random(int(sys.argv[2]))
    for _ in range(count):
        print(json.dumps(vector(rng), ensure_ascii=rng.random() < 0.5))


main()
