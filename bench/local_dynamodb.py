#!/usr/bin/env python3
"""local_dynamodb.py LATCH_LOCAL [URL=PID …] - what `latch-local dynamodb` costs: start, memory, requests a second, CPU a request.

URL=PID: another endpoint, as DynamoDB Local's, measured in turn with it. The client is a raw socket per connection: it costs little itself.
"""
import concurrent.futures
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from urllib.parse import urlsplit

TABLE = {"TableName": "bench", "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
         "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}
ITEM = {"pk": {"S": "LOCK#orders#42"}, "version": {"S": "a1b2c3d4"}, "owner": {"S": "worker 7"}, "ttl": {"N": "1999999999"}}
REQUESTS = {"PutItem": {"TableName": "bench", "Item": ITEM}, "GetItem": {"TableName": "bench", "Key": {"pk": ITEM["pk"]}}}
SECONDS, ROUNDS = 1.5, 3


def message(address, operation, body):
    text = json.dumps(body)
    return (f"POST / HTTP/1.1\r\nHost: {address}\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}").encode()


def ask(connection, request):
    connection.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))[15:])
    while len(body) < length:
        body += connection.recv(65536)
    return head.startswith(b"HTTP/1.1 200"), body


def dial(url):
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def client(url, operation):
    request = message(urlsplit(url).netloc, operation, REQUESTS[operation])
    done, until = 0, time.monotonic() + SECONDS
    with dial(url) as connection:
        while time.monotonic() < until:
            ok, body = ask(connection, request)
            if not ok:
                raise RuntimeError(body.decode())
            done += 1
    return done


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def start(program):
    begun = time.perf_counter()
    process = subprocess.Popen([program, "dynamodb", "--port", "0", "--quiet"], stdout=subprocess.PIPE, text=True)
    url = process.stdout.readline().strip()
    with dial(url) as connection:
        ask(connection, message(urlsplit(url).netloc, "ListTables", {}))
    return process, url, (time.perf_counter() - begun) * 1000


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait()
    process.stdout.close()


def main(program, *others):
    times = []
    for _ in range(20):
        process, url, ms = start(program)
        times.append(ms)
        stop(process)
    process, url, _ = start(program)
    print(f"from exec to its first answer: {statistics.median(times):.1f} ms (median of 20); resident: {memory_kb(process.pid)} kB")
    endpoints = [("latch-local", url, process.pid)] + [(o.split("=")[0], *o.split("=")) for o in others]
    for _, at, _ in endpoints:
        with dial(at) as connection:
            ask(connection, message(urlsplit(at).netloc, "CreateTable", TABLE))
    print(f"{'endpoint':28} {'operation':10} {'connections':>11} {'requests/s':>11} {'CPU us':>7}")
    with concurrent.futures.ProcessPoolExecutor(8) as pool:
        for connections in (1, 8):
            for operation in REQUESTS:
                rounds = {name: [] for name, _, _ in endpoints}
                for _ in range(ROUNDS):
                    for name, at, pid in endpoints:
                        before = cpu_seconds(pid)
                        done = sum(pool.map(client, [at] * connections, [operation] * connections))
                        rounds[name].append((done / SECONDS, (cpu_seconds(pid) - before) * 1e6 / done))
                for name, measured in rounds.items():
                    rate, cpu = (statistics.median(column) for column in zip(*measured))
                    print(f"{name:28} {operation:10} {connections:11} {rate:11.0f} {cpu:7.1f}")
    for name, _, pid in endpoints:
        print(f"{name}: resident {memory_kb(pid)} kB")
    stop(process)


main(*sys.argv[1:])
