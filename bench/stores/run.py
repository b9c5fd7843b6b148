#!/usr/bin/env python3
"""run.py [--operations N] [--rounds N] - each store beside the library it is modelled on: requests and CPU of one call.

All are on one DynamoDB Local, each in tables of its own, in its own way. Requests are counted on the way there, by a proxy that all go through, and
CPU is that of the process that calls. A row is printed for each call; a library that isn't installed is named, and not measured.
"""
import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/common"))
from endpoint import say

PEERS = ROOT / "build/tools/peers"
RELEASE = ROOT / "build/release"
LATCH = "Latch"
CASES = {  # call: the libraries that have it
    "cache.get": ["toolkit"], "cache.set": ["toolkit"], "cache.set tagged": ["toolkit"], "cache.delete": ["toolkit"],
    "dedupe.register": ["toolkit"], "dedupe.join": ["toolkit"], "dedupe.register, complete": ["toolkit"],
    "rate.acquire, granted": ["toolkit"], "rate.acquire, refused": ["toolkit"], "rate.acquire, refused and known": [],
    "once, first": ["Powertools TS", "Powertools Python"], "once, replayed": ["Powertools TS", "Powertools Python"],
    "lock.take, release": ["lock client"], "attempts.take": [],
    "saga.insert": ["saga-bus"], "saga.get": ["saga-bus"], "saga.update": ["saga-bus"],
}


class Proxy:
    """Counts the requests that go through: each has one X-Amz-Target."""

    MARK = b"x-amz-target:"

    def __init__(self, url):
        host, port = url.removeprefix("http://").split(":")
        self.to = host, int(port)
        self.count = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.to)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()

    def pump(self, source, target, counts):
        rest = b""
        try:
            while chunk := source.recv(65536):
                if counts:
                    seen = rest + chunk.lower()
                    self.count += seen.count(self.MARK)
                    rest = seen[1 - len(self.MARK):] if not seen.endswith(self.MARK) else b""
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def node():
    program, modules = ROOT / "build/tools/sdk/bin/node", PEERS / "node/node_modules"
    if not program.exists() or not modules.exists():
        return None
    copy = ROOT / "build/bench/stores"
    copy.mkdir(parents=True, exist_ok=True)
    (copy / "peer.mjs").write_text((ROOT / "bench/stores/peer.mjs").read_text())
    if not (copy / "node_modules").is_symlink():
        (copy / "node_modules").symlink_to(modules)
    return [program, copy / "peer.mjs"]


def python():
    program = PEERS / "python/bin/python"
    return [program, ROOT / "bench/stores/peer.py"] if program.exists() else None


class Process:
    """One that measures itself: it says that it is ready, is told to begin, and prints what it measured."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=environment)

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended: {self.process.stderr.read()[-2000:]}")
        return line

    def run(self, proxy, count):
        try:
            self.line()
            before = proxy.count
            print("go", file=self.process.stdin, flush=True)
            told = json.loads(self.line())
            return {"cpu_us": told["cpu_us"], "requests": (proxy.count - before) / count, "told": told.get("requests")}
        finally:
            self.process.stdin.close()
            self.process.wait(60)
            self.process.stdout.close()
            self.process.stderr.close()


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


def lock_client(url, environment, proxy, count):
    """By the process that tests/interop drives it with: a line takes, a line releases."""
    java = PEERS / "java"
    process = subprocess.Popen(["java", "-cp", f"{java / 'classes'}:{java / 'lib'}/*", "LockPeer", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, env=environment)

    def call(**line):
        print(json.dumps(line), file=process.stdin, flush=True)
        answer = json.loads(process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"the lock client: {answer}")
        return answer["result"]

    def cycle(i):
        if not call(do="acquire", on="c", **{"as": "l"}, key=f"k-{i % 4}")["acquired"]:
            raise RuntimeError("the lock client: a free lock isn't to be had")
        call(do="release", on="c", lock="l")

    try:
        call(do="new", **{"as": "c"}, table="lock-client", owner="bench", lease_ms=20000)
        for i in range(300):
            cycle(i)
        before, cpu = proxy.count, ticks(process.pid)
        for i in range(count):
            cycle(i)
        return {"cpu_us": (ticks(process.pid) - cpu) / count, "requests": (proxy.count - before) / count, "told": None}
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


# Whose table is laid out how.
TABLES = {LATCH: ("latch", "latch"), "toolkit": ("toolkit", "toolkit"), "saga-bus": ("sagas", "saga-bus"), "Powertools TS": ("powertools", "powertools"),
          "Powertools Python": ("powertools", "powertools"), "lock client": ("lock-client", "lock-client")}


def new_table(library, environment):
    name, layout = TABLES[library]
    subprocess.run([RELEASE / "latch", "table", "delete", name, "--yes"], env=environment, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run([RELEASE / "latch", "table", "create", name, "--layout", layout], env=environment, check=True, stdout=subprocess.DEVNULL)


def measure(case, library, proxy, environment, count):
    """None: it isn't installed."""
    if library == LATCH:
        return Process([RELEASE / "bench/bench_stores", case, count], environment).run(proxy, count)
    if library == "lock client":
        return lock_client(proxy.url, environment, proxy, count) if (PEERS / "java/classes").exists() else None
    command = python() if library == "Powertools Python" else node()
    return Process([*command, proxy.url, case, count], environment).run(proxy, count) if command else None


def rounds(proxy, environment, options):
    figures = {}
    for turn in range(options.rounds):
        for case, libraries in CASES.items():
            for library in (LATCH, *libraries):
                say(f"round {turn + 1} of {options.rounds}: {case}, {library}")
                new_table(library, environment)
                measured = measure(case, library, proxy, environment, options.operations)
                if measured is not None:
                    figures.setdefault((case, library), []).append(measured)
    return figures


def verdict(ours, theirs):
    requests = "" if ours["requests"] <= theirs["requests"] + 0.005 else "MORE REQUESTS"
    cpu = "" if theirs["cpu_us"] >= 10 * ours["cpu_us"] else "CPU OVER A TENTH"
    return " ".join(filter(None, (requests, cpu)))


def print_table(figures):
    print(f"{'call':<34}{'':<20}{'requests':>10}{'CPU':>12}{'by Latch’s':>12}")
    missed = []
    for case, libraries in CASES.items():
        for library in (LATCH, *libraries):
            measured = figures.get((case, library))
            if measured is None:
                print(f"{'':<34}{library:<20}{'not installed: tools/deps peers':>34}")
                continue
            one = {key: statistics.median(m[key] for m in measured) for key in ("requests", "cpu_us")}
            if library == LATCH:
                ours = one
                print(f"{case:<34}{library:<20}{one['requests']:>10.2f}{one['cpu_us']:>9.1f} µs")
                continue
            wrong = verdict(ours, one)
            missed += [f"{case} beside {library}: {wrong}"] if wrong else []
            print(f"{'':<34}{library:<20}{one['requests']:>10.2f}{one['cpu_us']:>9.1f} µs{one['cpu_us'] / max(ours['cpu_us'], 0.01):>10.0f} × {wrong}")
    print("\nnever more requests than the model, at most a tenth of its CPU: " + ("met" if not missed else "MISSED: " + "; ".join(missed)))


def told_as_counted(figures):
    for (case, library), measured in figures.items():
        for one in measured:
            if one["told"] is not None and abs(one["told"] - one["requests"]) > 0.005:
                raise RuntimeError(f"{case}: {library} says {one['told']} requests, {one['requests']} went through")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "url"
        subprocess.run([ROOT / "tools/dynamodb-local", "start", file], check=True)
        try:
            proxy = Proxy(file.read_text().strip())
            environment = {"PATH": os.environ["PATH"], "HOME": scratch, "AWS_ENDPOINT_URL_DYNAMODB": proxy.url, "AWS_REGION": "us-east-1",
                           "AWS_ACCESS_KEY_ID": "peer", "AWS_SECRET_ACCESS_KEY": "peer", "LATCH_TABLE": "latch", "LATCH_STORE": "dynamodb",
                           "AWS_LAMBDA_FUNCTION_NAME": "bench", "POWERTOOLS_SERVICE_NAME": "bench"}
            figures = rounds(proxy, environment, options)
        finally:
            subprocess.run([ROOT / "tools/dynamodb-local", "stop", file], check=False)
    told_as_counted(figures)
    print(f"{options.rounds} rounds of {options.operations} calls each, medians, on one DynamoDB Local")
    print_table(figures)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as e:
        sys.exit(str(e))
