#!/usr/bin/env python3
"""samples.py READER TEST - every event that `sam local generate-event` offers, read by Latch's readers and compared with what it says.

To be run by SAM CLI's own Python, whose samples these are. READER is sample_reader. The types that have a reader of their own are compared field
by field, and given back whole; all others are events that a handler reads as JSON, and come back as they went in.
"""
import base64, copy, json, subprocess, sys, urllib.parse

from samcli.lib.generated_sample_events.events import Events

SAMPLES = Events()

# What each type with a reader of its own is read by. What isn't here is JSON to a handler: an authorizer's event, a batch job of S3, …
READERS = {
    ("alb", "request"): "http",
    ("apigateway", "aws-proxy"): "http",
    ("apigateway", "http-api-proxy"): "http",
    ("cloudwatch", "scheduled-event"): "eventbridge",
    ("dynamodb", "update"): "record",
    ("kinesis", "get-records"): "record",
    ("rekognition", "s3-request"): "s3",
    ("s3", "delete"): "s3",
    ("s3", "put"): "s3",
    ("sns", "notification"): "sns",
    ("sqs", "receive-message"): "record",
}


class Differs(Exception):
    pass


def generate(service, kind):
    """As the command does: what it isn't given is as the mapping says."""
    tags = SAMPLES.event_mapping[service][kind]["tags"]
    return json.loads(SAMPLES.generate_event(service, kind, {name: tag["default"] for name, tag in tags.items()}))


def every_sample():
    for service, kinds in SAMPLES.event_mapping.items():
        for kind in kinds:
            yield service, kind


def run(reader, kind, event):
    return subprocess.run([reader, kind], input=json.dumps(event), capture_output=True, text=True, timeout=60)


def read(reader, kind, event):
    done = run(reader, kind, event)
    if done.returncode != 0:
        raise Differs(f"{kind}: {done.stdout}{done.stderr}")
    if kind == "record":
        if json.loads(done.stdout) != {"batchItemFailures": []}:
            raise Differs(f"a record failed: {done.stdout}")
        return [json.loads(line) for line in done.stderr.splitlines()]
    reply = json.loads(done.stdout)
    return json.loads(reply["body"]) if kind == "http" else reply


def same(what, got, want):
    if got != want:
        raise Differs(f"{what}: {got!r}, want {want!r}")


# ── what an event says, by Python ──


def pairs(named, value="value"):
    return {each["name"]: each[value] for each in named}


def compare_http(got, event):
    context = event["requestContext"]
    v2, balancer = "http" in context, "elb" in context
    same("event", got["event"], event)
    same("context", got["context"], context)
    same("method", got["method"], context["http"]["method"] if v2 else event["httpMethod"])
    path = event["rawPath"] if v2 else event["path"]
    if v2 and context.get("stage") not in (None, "$default"):
        path = path.removeprefix("/" + context["stage"]) or "/"
    same("path", got["path"], path)
    body = event.get("body") or ""
    same("body", got["body"], base64.b64decode(body).decode() if event.get("isBase64Encoded") else body)
    headers = dict(event.get("headers") or {})
    headers.update({name: ", ".join(values) for name, values in (event.get("multiValueHeaders") or {}).items()})
    same("cookies", got["cookie"], "; ".join(event.get("cookies") or []) or headers.get("cookie", headers.get("Cookie", "")))
    same("headers", pairs(got["headers"]), headers)
    queries = {name: [value] for name, value in (event.get("queryStringParameters") or {}).items()}
    queries.update(event.get("multiValueQueryStringParameters") or {})
    if v2:
        queries.update(urllib.parse.parse_qs(event["rawQueryString"], keep_blank_values=True))
    same("queries", pairs(got["queries"], "values"), queries)
    same("params", pairs(got["params"]), event.get("pathParameters") or {})
    client = context["http"]["sourceIp"] if v2 else headers["x-forwarded-for"].split(",")[-1].strip() if balancer else context["identity"]["sourceIp"]
    same("client", got["client"], client)


def expected_record(r):
    source = {"aws:sqs": 0, "aws:kinesis": 1, "aws:dynamodb": 2}[r["eventSource"]]
    change, attributes = r.get("dynamodb", {}), r.get("attributes", {})
    content = [r.get("body"), r.get("kinesis", {}).get("data"), change][source]
    if source == 1:
        content = base64.b64decode(content).decode()
    return {
        "source": source,
        "id": [r.get("messageId"), r.get("kinesis", {}).get("sequenceNumber"), r.get("eventID")][source],
        "group": attributes.get("MessageGroupId") or r.get("kinesis", {}).get("partitionKey", ""),
        "bytes": content,
        "sent": attributes.get("SentTimestamp", ""),
        "receives": int(attributes.get("ApproximateReceiveCount", 0)),
        "event": r.get("eventName", "") if source else "",
        "keys": change.get("Keys"),
        "new": change.get("NewImage"),
        "old": change.get("OldImage"),
        "whole": r,
    }


def compare_records(got, event):
    same("records", len(got), len(event["Records"]))
    for have, record in zip(got, event["Records"]):
        want = expected_record(record)
        if want["source"] == 1:
            want["event"] = record["eventName"]
        if want["source"] == 2:
            have["bytes"] = json.loads(have["bytes"])
        same("record", have, want)


def compare_eventbridge(got, event):
    same("event", got, {name: event[name] for name in got})


def compare_sns(got, event):
    for have, record in zip(got, event["Records"], strict=True):
        want = {name: record["Sns"].get(name) for name in have}
        same("notification", {**have, "MessageAttributes": have["MessageAttributes"] or {}}, {**want, "Subject": want["Subject"] or ""})


def compare_s3(got, event):
    for have, record in zip(got, event["Records"], strict=True):
        entity = record["s3"]["object"]
        want = {"eventName": record["eventName"], "eventTime": record["eventTime"], "awsRegion": record["awsRegion"], "bucket": record["s3"]["bucket"]["name"],
                "key": urllib.parse.unquote_plus(entity["key"]), "size": entity.get("size", 0)}
        want.update({name: entity.get(name, "") for name in ("eTag", "versionId", "sequencer")})
        same("object", have, want)


COMPARE = {"http": compare_http, "record": compare_records, "eventbridge": compare_eventbridge, "sns": compare_sns, "s3": compare_s3}

# ── tests ──


def test_typed(reader):
    for sample, kind in READERS.items():
        event = generate(*sample)
        COMPARE[kind](read(reader, kind, event), event)
        print("read", *sample)
    missing = set(READERS) - set(every_sample())
    if missing:
        raise Differs(f"SAM has no {missing} any more")


def test_json(reader):
    count = 0
    for service, kind in every_sample():
        event = generate(service, kind)
        same(f"{service} {kind}", read(reader, "json", event), event)
        count += 1
    print(f"{count} samples come back as they went in")
    if count < 60:
        raise Differs("SAM had 60 samples and more")


def test_of_another_service(reader):
    """What is no event of a reader's is refused by it with a sentence that names a field, whatever SAM offers."""
    accepted = {}
    for sample in every_sample():
        done = run(reader, "kinds", generate(*sample))
        for line in done.stdout.splitlines():
            kind, _, error = line.partition(" ")
            if kind != "json" and error == "":
                accepted[sample] = accepted.get(sample, "") + kind
            elif kind == "json" and error != "" or error != "" and not error.startswith("event"):
                raise Differs(f"{sample} as {kind}: {line}{done.stderr}")
        if done.returncode != 0 or len(done.stdout.splitlines()) != 1 + len(COMPARE):
            raise Differs(f"{sample}: {done.returncode} {done.stdout}{done.stderr}")
    same("accepted", accepted, {**READERS, ("apigateway", "request-authorizer"): "http"})  # which has an HTTP request's fields, all of them


def test_twin(reader):
    """A reader that read any one field wrong would be found: each field of what was read, changed."""
    found = 0
    for sample, kind in READERS.items():
        event = generate(*sample)
        got = read(reader, kind, event)
        for name in got[0] if isinstance(got, list) else got:
            broken = copy.deepcopy(got)
            (broken[0] if isinstance(broken, list) else broken)[name] = [{"name": "other", "value": "other", "values": []}] if name in LISTS else {"other": 1}
            if kind == "record" and name == "bytes":
                broken[0][name] = '{"other": 1}'
            try:
                COMPARE[kind](broken, event)
            except Differs:
                found += 1
                continue
            raise Differs(f"{sample}: a wrong {name} isn't found")
    print(f"{found} wrong fields were found")


LISTS = {"headers", "queries", "params"}


def main():
    reader, test = sys.argv[1:]
    try:
        globals()[f"test_{test}"](reader)
    except Differs as differs:
        sys.exit(str(differs))


main()
