#!/usr/bin/env python3
"""interop.py PROGRAM TOOLS URL_FILE GROUP [--twin] [--seconds N] [--case NAME] - Latch and another library on one table, both ways.

PROGRAM: the driver. TOOLS: where tools/deps puts what it fetches. URL_FILE: holds DynamoDB Local's URL. GROUP: a module cases_GROUP.py, whose
CASES are functions of a world that raise where something isn't as it should be, and whose COUNT is how many there are at least. --twin: Latch
is broken, once for each entry of the module's TWINS, and every case that the entry names has to find it. --seconds: of what contends.
"""
import argparse
import importlib
import os
import sys
import time
import traceback

from world import Missing, World


def run(case, world):
    """None, or why it failed."""
    try:
        case(world)
        return None
    except Missing as e:
        line = [f for f in traceback.extract_tb(e.__traceback__) if os.path.basename(f.filename).startswith("cases_")][-1]
        return f"{e} ({os.path.basename(line.filename)}:{line.lineno})"
    except Exception:  # pylint: disable=broad-except
        return traceback.format_exc(limit=-4)


def run_all(module, make_world, only):
    failed, count = [], 0
    with make_world() as world:
        for case in module.CASES:
            if only and case.__name__ != only:
                continue
            began = time.monotonic()
            why = run(case, world)
            count += 1
            print(f"{'ok' if why is None else 'FAILED':7}{case.__name__} ({(time.monotonic() - began) * 1000:.0f} ms)")
            if why is not None:
                failed.append(case.__name__)
                print(f"       {why}")
    print(f"{count} cases, {len(failed)} failed")
    if failed or (not only and count < module.COUNT):
        sys.exit(f"failed: {', '.join(failed)}" if failed else f"{count} cases, want at least {module.COUNT}")


def run_twins(module, make_world):
    """A fault that no case finds is a case that can't fail. Without the fault each of them passes. A race need not come the first time."""
    unseen, cases = [], {case.__name__: case for case in module.CASES}
    with make_world() as world:
        for finder in {finder for _, _, finders in module.TWINS for finder in finders}:
            why = run(cases[finder], world)
            if why:
                sys.exit(f"{finder} fails without a fault: {why}")
        for name, rules, finder in [(name, rules, finder) for name, rules, finders in module.TWINS for finder in finders]:
            world.break_latch(rules)
            tries = 20 if finder in getattr(module, "RACES", ()) else 1
            why = next(filter(None, (run(cases[finder], world) for _ in range(tries))), None)
            print(f"{'found' if why else 'UNSEEN':7}{name} by {finder}: {(why or '').splitlines()[-1] if why else 'it passed'}")
            if why is None:
                unseen.append(f"{name} by {finder}")
    print(f"{len(module.TWINS)} faults, {len(unseen)} times unseen")
    if unseen or not module.TWINS:
        sys.exit(f"unseen: {', '.join(unseen)}")


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "tools", "url_file", "group"):
        parser.add_argument(name)
    parser.add_argument("--twin", action="store_true")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--case")
    args = parser.parse_args()
    with open(args.url_file, encoding="utf-8") as f:
        url = f.read().strip()
    module = importlib.import_module(f"cases_{args.group}")

    def make_world():
        return World(args.program, args.tools, url, args.seconds or (2 if args.twin else 5))

    if args.twin:
        run_twins(module, make_world)
    else:
        run_all(module, make_world, args.case)


if __name__ == "__main__":
    main()
