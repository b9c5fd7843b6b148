#!/usr/bin/env python3
"""prove.py - a function's process on a Runtime API that breaks in every way latch-local knows, in random order.

  prove.py [--streams] --latch-local BIN --bootstrap BIN [--count N] [--seed N] [--percent P] [--fault KIND…] [--processes N] [--concurrency N]

Of each invocation at most one outcome is accepted, and no other one is posted; its answer is that of its own event; the process that
took it is there for the next one, unless the fault was a 500 of the Runtime API: then it ends within a second, and another one goes on.
Prints how often each fault happened, and the seed. Exit status 1: something of that wasn't so, and what.

--twin FLAW puts tests/faults_runtime/twin.py in the bootstrap's place, which does one thing badly: this must say so. --must-say TEXT turns
the exit status: 0 where something of it was found wrong in these words.
"""
import argparse, collections, json, os, pathlib, random, re, shutil, subprocess, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = """
Globals: {Function: {Timeout: 8}}
Resources:
  Echo: {Type: 'AWS::Serverless::Function', Properties: {Handler: echo}}
  Orders: {Type: 'AWS::Serverless::Function', Properties: {Handler: orders}}
  Export: {Type: 'AWS::Serverless::Function', Properties: {Handler: export, Environment: {Variables: {LATCH_INVOKE_MODE: RESPONSE_STREAM}}}}
"""
REFUSED = {"post-400", "post-403", "post-410", "post-413", "post-500", "post-early"}
FATAL = {"next-500", "post-500"}
ENDED = re.compile(r"^its (?:first )?process ended (\d+) ms after the 500: exited with status \d+$")


def write_folder(folder, twin, streams):
    """Events that are answered as they are, small and large; and some that fail. Or the shop's export, which streams."""
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "events").mkdir()
    if streams:
        shutil.copy(HERE.parents[1] / "events/export-1-all.json", folder / "events")
        return ["export-1-all"]
    for name, event in {"echo-a": {"n": 1}, "echo-b": {"text": "x" * 3000}, "echo-c": {"large": "y" * 300000}, "echo-d": {"n": 2}}.items():
        (folder / f"events/{name}.json").write_text(json.dumps(event))
    for n in (1, 2) if not twin else (1,):
        (folder / f"events/orders-{'ab'[n - 1]}.json").write_text(json.dumps({"fail": n}))
    return sorted(path.stem for path in (folder / "events").iterdir())


class Judge:
    def __init__(self, folder, concurrency):
        self.events = {path.stem: path.read_text() for path in (folder / "events").iterdir()} # what each is answered
        self.streams = "export-1-all" in self.events
        if self.streams: self.events = {} # the first answer, which no fault has hit
        self.concurrency = concurrency
        self.wrong, self.faults, self.slowest, self.count = [], collections.Counter(), 0, 0
        self.pids = {} # function: the process that is to take its next event
        self.restarts = 0

    def complain(self, row, what):
        self.wrong.append(f"invocation {self.count} ({row.get('event')}, fault {row.get('fault', 'none')}): {what}")

    def read(self, process):
        try:
            for line in process.stdout:
                row = json.loads(line)
                if "outcome" in row:
                    self.take(row)
                elif row.get("complaints", 0) > 0:
                    self.wrong.append(f"{row['complaints']} complaints in all")
        except BaseException as fault:  # nobody reads on: it would wait for ever
            process.kill()
            self.wrong.append(f"what latch-local said could not be read: {fault!r}")
            raise

    def take(self, row):
        self.count += 1
        fault = row.get("fault", "")
        self.faults[fault or "none"] += 1
        for complaint in row.get("complaints", []): self.complain(row, f"the process {complaint}")
        self.check_outcome(row, fault)
        self.check_process(row, fault)

    def check_outcome(self, row, fault):
        outcome, fails = row["outcome"], row["event"].startswith("orders")
        if self.concurrency > 1 and outcome == "exited" and "exited with status 1 during" in row["error"]: return # another worker's 500
        if fault in REFUSED:
            if outcome != "failed" or "LatchLocal.Fault" not in row["error"]: self.complain(row, f"it is {outcome}: {row.get('error')}")
        elif fault == "next-empty":
            if outcome not in ("answered", "failed"): self.complain(row, f"it is {outcome}: {row.get('error')}")
        elif self.streams and fault == "next-past-deadline": # its stores have no time left
            if outcome not in ("answered", "failed"): self.complain(row, f"it is {outcome}: {row.get('error')}")
        elif fails:
            if outcome != "failed" or "LatchLocal" in row["error"]: self.complain(row, f"its error was not accepted: {outcome} {row.get('error')}")
        elif outcome != "answered":
            self.complain(row, f"it is {outcome}: {row.get('error')}")
        elif row["answer"] != self.events.setdefault(row["event"], row["answer"]):
            self.complain(row, f"its answer is another event's: {row['answer'][:60]}")

    def check_process(self, row, fault):
        function, note = row["function"], row.get("note", "")
        ended = ENDED.match(note)
        if ended and fault in FATAL:
            self.restarts += 1
            self.slowest = max(self.slowest, int(ended.group(1)))
            if int(ended.group(1)) > 1000: self.complain(row, note)
        elif fault in FATAL:
            self.complain(row, "the process didn't end after a 500")
        elif ended and self.concurrency > 1 and int(ended.group(1)) <= 1000: pass # another worker's 500: its event goes to the next process
        elif note:
            self.complain(row, note)
        expected = self.pids.get(function)
        if self.concurrency == 1 and fault != "next-500" and expected and row["pid"] != expected:
            self.complain(row, f"process {expected} had gone, without a 500 of the Runtime API")
        self.pids[function] = None if fault == "post-500" else row["pid"]


def play(options, seed, count, folder):
    folder = pathlib.Path(folder)
    names = write_folder(folder, options.twin, options.streams)
    plays = -(-count // len(names))
    program = [sys.executable, str(HERE / "twin.py"), options.twin] if options.twin else [options.bootstrap]
    words = [options.latch_local, "invoke", "--json", "--plays", str(plays), "--seed", str(seed), "--concurrency", str(options.concurrency)]
    for fault in options.fault or [f"any%{options.percent}"]: words += ["--fault", fault]
    log = open(folder / "log", "wb")
    process = subprocess.Popen([*words, "events", "--", *program], cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True,
                               env={**os.environ, "LATCH_STORE": "embedded"})
    return process, Judge(folder, options.concurrency), plays * len(names), folder / "log"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--latch-local", required=True, type=os.path.abspath)
    parser.add_argument("--bootstrap", type=os.path.abspath)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--percent", type=float, default=40)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--fault", action="append")
    parser.add_argument("--twin", choices=("sound", "twice", "exits", "stays", "lingers", "mixed-up"))
    parser.add_argument("--streams", action="store_true")
    parser.add_argument("--must-say")
    options = parser.parse_args()
    seed = options.seed or random.SystemRandom().randrange(1, 1 << 31)
    began, wrong, logs = time.monotonic(), [], []
    total, faults = 0, collections.Counter()
    slowest = restarts = 0
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as root:
        runs = []
        for n in range(options.processes):
            os.mkdir(f"{root}/{n}")
            runs.append(play(options, seed + n, -(-options.count // options.processes), f"{root}/{n}"))
        readers = [threading.Thread(target=judge.read, args=(process,)) for process, judge, _, _ in runs]
        for reader in readers: reader.start()
        for reader in readers: reader.join()
        for process, judge, expected, log in runs:
            process.wait()
            if judge.count != expected: judge.wrong.append(f"{judge.count} of {expected} invocations were over")
            total, faults = total + judge.count, faults + judge.faults
            slowest, restarts = max(slowest, judge.slowest), restarts + judge.restarts
            wrong += judge.wrong
            if judge.wrong: logs.append(log.read_text(errors="replace")[-3000:])
    hit = {kind: n for kind, n in sorted(faults.items()) if kind != "none"}
    print(f"{total} invocations, {sum(hit.values())} faults of {len(hit)} kinds, {restarts} processes ended by a 500 (the slowest after {slowest} ms), "
          f"seed {seed}, {time.monotonic() - began:.0f} s")
    print("  " + ", ".join(f"{kind} {n}" for kind, n in hit.items()))
    if total >= 5000 and not options.fault and len(hit) < 24: wrong.append(f"only {len(hit)} kinds of fault happened")
    for line in wrong[:20]: print("WRONG:", line)
    if len(wrong) > 20: print(f"and {len(wrong) - 20} more")
    for log in logs[:1]: print(log, file=sys.stderr)
    if options.must_say is None: return 1 if wrong else 0
    found = any(options.must_say in line for line in wrong)
    if not found: print(f"NOT FOUND: {options.must_say}")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
