"""boto3: peer.py first|loop COUNT."""
import json
import resource
import sys
import time

import boto3


def cpu_us():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


client = boto3.client("dynamodb")
text = "x" * 200


def put(n):
    client.put_item(TableName="latch", Item={"pk": {"S": f"BENCH#{n}"}, "sk": {"S": "BENCH"}, "count": {"N": str(n)},
                                             "state": {"S": "open"}, "text": {"S": text}})


mode, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
if mode == "first":
    put(0)
    print("first", flush=True)
else:
    for n in range(500):
        put(n)
    took = []
    before = cpu_us()
    for n in range(count):
        begin = time.perf_counter_ns()
        put(n)
        took.append(time.perf_counter_ns() - begin)
    cpu = cpu_us() - before
    took.sort()
    print(json.dumps({"cpu_us": round(cpu / count, 2), "p50_us": took[count // 2] / 1e3, "p99_us": took[count * 99 // 100] / 1e3}))
