#!/usr/bin/env python3
"""run.py - the shop as SAM's own tools build, run and serve it, on DynamoDB Local: ./dev sam calls it, within tools/with-docker.

Everything it leaves, files, servers, containers, is gone when it ends, also where a check fails or it is interrupted.
"""
import argparse, contextlib, os, shutil, signal, sys, tempfile, time, traceback

import build, events, image, shop, state
from checks import Checks
from tools import ARCH, IMAGE, ROOT, TABLE, Died, World


@contextlib.contextmanager
def base_image(checks, world):
    stands_in = not image.is_there()
    if stands_in:
        problem = image.make()
        checks.that(f"a stand-in for {IMAGE}", problem is None, problem)
        print(f"  {IMAGE} is a stand-in of busybox under the same tag", flush=True)
    try:
        yield stands_in
    finally:
        world.remove_containers()
        checks.that("no container is left", not world.containers(), world.containers())
        image.remove()
        checks.that("no image is left", not image.left(), image.left())


@contextlib.contextmanager
def database(world):
    world.start_database()
    try:
        yield
    finally:
        world.stop_database()


def play(checks, world):
    for name in (TABLE, "empty"):
        done = world.make_table(name)
        checks.that(f"latch table create {name}", done.returncode == 0, done.stdout + done.stderr)
    table, empty = world.table(TABLE), world.table("empty")
    table.warm_up()
    checks.end()

    checks.begin("sam local invoke: each function, each sample event")
    first = events.first_plays(checks, world, table)
    events.twin_empty_table(checks, world, empty)
    checks.end()
    checks.begin("what they left in the table, by boto3")
    state.check(checks, table, first)
    state.twins(checks, table, first)
    before = state.fingerprints(table)
    checks.end()
    serve(checks, world, table, before)


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


def check_documents(checks, world, stands_in):
    """The commands that a page shows for Docker, as they stand; SAM asks a registry unless it is told that there is none."""
    told = {"SAM_SKIP_PULL_IMAGE": "1"} if stands_in else {}
    for page in sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")] if "```sh docker" in path.read_text()):
        done = world.run(sys.executable, "tests/docs/commands.py", "build/release", page, "--docker", timeout=600, environment=told)
        checks.that(f"{page}: its commands for Docker", done.returncode == 0 and not done.stdout.startswith(f"{page}: 0 "), done.stdout + done.stderr)


def check_builds(checks, world, quick):
    build.check_template(checks, world)
    if not build.check_build(checks, world, ARCH, world.built):
        raise Died("sam build left nothing that could be invoked")
    if not quick:
        other, = build.MACHINES.keys() - {ARCH}
        build.check_build(checks, world, other, world.folder / "build-of-the-other")


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="this machine's architecture alone, and no Dockerfile")
    parser.add_argument("--dockerfile", type=int, metavar="STATUS", help="how tests/sam/dockerfile.py ended, which was before")
    return parser.parse_args()


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    checks, started, folder = Checks(), time.monotonic(), tempfile.mkdtemp(prefix="latch-sam.")
    world = World(folder)
    try:
        checks.begin("the template, and what sam build makes of it")
        check_builds(checks, world, options.quick)
        checks.end()
        checks.begin(f"a Docker engine ({os.environ.get('LATCH_DOCKER', 'running')}), the base image, DynamoDB Local")
        with base_image(checks, world) as stands_in:
            with database(world):
                play(checks, world)
            checks.begin("the Dockerfile, the documents")
            if not options.quick:
                checks.equal("the Dockerfile makes the package that is made here (its words are above)", 0, options.dockerfile)
            check_documents(checks, world, stands_in)
            checks.end()
    except Died as died:
        checks.that("all that the rest needs is there", False, died)
    except Exception: # one that was not foreseen ends the run, and not its summary
        checks.that("the run came to its end", False, traceback.format_exc())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\nin {time.monotonic() - started:.0f} s", end="")
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
