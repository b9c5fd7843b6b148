#!/usr/bin/env python3
"""run.py - the shop as SAM's own tools build, run and serve it, on DynamoDB Local: ./dev sam calls it, within tools/with-docker.

Everything it leaves, files, servers, containers, is gone when it ends, also where a check fails or it is interrupted.
"""
import argparse, contextlib, os, pathlib, shutil, signal, sys, tempfile, time

import build, events, image, shop, state
from checks import Checks
from tools import EMULATOR_IMAGE, ROOT, Died, World


@contextlib.contextmanager
def base_image(checks):
    stands_in = not image.is_there()
    if stands_in:
        problem = image.make()
        checks.that(f"a stand-in for {EMULATOR_IMAGE}", problem is None, problem)
        print(f"  {EMULATOR_IMAGE} is a stand-in of busybox under the same tag", flush=True)
    try:
        yield
    finally:
        if stands_in:
            image.remove()


@contextlib.contextmanager
def database(world):
    world.start_database()
    try:
        yield
    finally:
        world.stop_database()


def play(checks, world):
    tables = {}
    for name in ("shop", "empty", "http"):
        done = world.make_table(f"sam-{name}")
        checks.that(f"latch table create sam-{name}", done.returncode == 0, done.stdout + done.stderr)
        tables[name] = world.table(f"sam-{name}")
    tables["shop"].warm_up()
    checks.end()

    checks.begin("sam local invoke: each function, each sample event")
    first = events.first_plays(checks, world, tables["shop"])
    events.twin_empty_table(checks, world, tables["empty"])
    checks.end()
    checks.begin("what they left in the table, by boto3")
    state.check(checks, tables["shop"], first)
    state.twins(checks, tables["shop"], first)
    before = state.fingerprints(tables["shop"])
    checks.end()
    serve(checks, world, tables["shop"], before)


def serve(checks, world, table, before):
    with world.service("start-lambda", table.name) as functions, world.service("start-api", table.name) as api:
        client = world.client("lambda", functions.url)
        checks.begin("sam local start-lambda: each sample event again, in warm containers")
        events.second_plays(checks, client)
        state.check_unchanged(checks, table, before)
        events.twin_expectation(checks, client)
        events.twin_receipt(checks, table, client)
        checks.end()
        checks.begin("sam local start-api: the shop over HTTP, two sandboxes and one table")
        shop.check(checks, table, api, client)
        checks.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-arm64", action="store_true", help="don't build for arm64")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    checks, started, folder = Checks(), time.monotonic(), tempfile.mkdtemp(prefix="latch-sam.")
    world = World(folder)
    try:
        checks.begin("the template, and what sam build makes of it")
        build.check_template(checks, world)
        build.check_build(checks, world, "x86_64", world.built)
        if not options.no_arm64:
            build.check_build(checks, world, "arm64", pathlib.Path(folder) / "build-arm64")
        checks.end()
        checks.begin(f"a Docker engine ({os.environ.get('LATCH_DOCKER', 'running')}), the base image, DynamoDB Local")
        with base_image(checks), database(world):
            play(checks, world)
    except Died as died:
        checks.that("all that was to be started did start", False, died)
    finally:
        world.remove_containers()
        checks.that("no container is left", not world.containers(), world.containers())
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{time.monotonic() - started:.0f} s", end="")
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
