#!/usr/bin/env python3
"""sentences.py TEST - what ./dev sam and tools/with-docker say where something is missing, and that they leave nothing; no Docker needed.

The engine is a script here: `docker` answers where its socket is, `dockerd` makes one, or dies as told. Each test_… is one entry of ctest.
"""
import contextlib, os, pathlib, re, shutil, signal, subprocess, sys, tempfile, time

import image
from checks import Checks, mismatches

ROOT = pathlib.Path(__file__).resolve().parents[2]
IS_ROOT = os.getuid() == 0
NOBODY = 65534
TOOLS = ("bash sh echo env timeout setpriv unshare mktemp mkdir rm rmdir find tail sed cat grep head sleep realpath dirname basename id ps true kill mount "
         "curl ip stty uname awk cut python3 readlink touch").split()

ANSWERS = '#!/bin/sh\ncase "$1$2" in version--format) exit 0 ;; esac\nexit 1\n' # an engine that runs, and has no image
ASKS_SOCKET = '#!/bin/sh\n[ -e "${DOCKER_HOST#unix://}.up" ]\n'
STARTS = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in unix://*) at=${1#unix://} ;; esac
  shift
done
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$at"
touch "$at.up"
exec sleep 1000
"""
DIES = "#!/bin/sh\necho 'level=info msg=first' >&2\necho 'failed to mount overlay: no such device' >&2\nexit 1\n"


@contextlib.contextmanager
def machine(*without, **scripts):
    """A PATH with few tools, and these scripts."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        folder = pathlib.Path(folder)
        (folder / "bin").mkdir()
        (folder / "tmp").mkdir()
        os.chmod(folder / "tmp", 0o777)
        for tool in TOOLS:
            where = shutil.which(tool)
            if where and tool not in without:
                (folder / "bin" / tool).symlink_to(where)
        for name, text in scripts.items():
            (folder / "bin" / name).unlink(missing_ok=True)
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        yield folder


def environment(folder):
    return {"PATH": str(folder / "bin"), "HOME": str(folder), "TMPDIR": str(folder / "tmp"), "DOCKER_HOST": f"unix://{folder}/nobody"}


def run(folder, *words, as_nobody=False):
    words = [str(word) for word in words]
    if as_nobody and IS_ROOT:
        words = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, env=environment(folder), cwd=ROOT, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def says(got, status, *sentences):
    assert got[0] == status, got
    for sentence in sentences:
        assert sentence in got[2], (sentence, got)


def leaves_nothing(folder):
    left = list((folder / "tmp").iterdir())
    assert not left, left


def can_unshare():
    return IS_ROOT and subprocess.run(["unshare", "--mount", "--pid", "--fork", "--net", "true"], capture_output=True).returncode == 0


# ── ./dev sam ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_not_root_is_told_to_be():
    with machine() as folder:
        says(run(folder, ROOT / "dev", "sam", as_nobody=True), 1, "./dev sam needs root", "sudo ./dev sam")


def test_an_unknown_option_is_refused():
    with machine() as folder:
        says(run(folder, ROOT / "dev", "sam", "--fast"), 1, "usage: ./dev sam [--quick]")


def test_without_java_it_is_named():
    with machine() as folder:
        says(run(folder, ROOT / "tools/deps", "dynamodb-local"), 1, "no apt-get here", "default-jre-headless")


def test_without_busybox_the_stand_in_says_so():
    with machine() as folder:
        before, os.environ["PATH"] = os.environ["PATH"], str(folder / "bin")
        try:
            layer, missing = image.archive()
        finally:
            os.environ["PATH"] = before
    assert layer is None and "static busybox: tools/deps docker installs it" in missing, missing


def test_a_static_file_is_told_from_one_that_has_a_loader():
    assert not image.is_static(shutil.which("ls"))
    assert not image.is_static(__file__)
    package = ROOT / "build/package/x86_64/bootstrap"
    assert not package.exists() or image.is_static(package)


# ── tools/with-docker ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_docker_command():
    with machine() as folder:
        says(run(folder, ROOT / "tools/with-docker", "true"), 125, "there is no docker command here: tools/deps docker installs it")


def test_without_a_command():
    with machine(docker=ANSWERS) as folder:
        says(run(folder, ROOT / "tools/with-docker", "--network"), 125, "usage: tools/with-docker [--network] [--pull IMAGE]… COMMAND…")
        says(run(folder, ROOT / "tools/with-docker", "--fast", "true"), 125, "there is no option --fast")


def test_an_engine_that_runs_is_used():
    with machine(docker=ANSWERS) as folder:
        got = run(folder, ROOT / "tools/with-docker", "sh", "-c", "echo $LATCH_DOCKER $DOCKER_HOST; exit 7", as_nobody=True)
        assert got[0] == 7 and got[1].split() == ["running", f"unix://{folder}/nobody"], got


def test_an_image_that_cannot_be_pulled_is_told_in_a_line():
    with machine(docker=ANSWERS) as folder:
        got = run(folder, ROOT / "tools/with-docker", "--pull", "127.0.0.1:9/lambda/provided:al2023", "echo", "went on")
        assert got == (0, "went on\n", "127.0.0.1:9/lambda/provided:al2023 can't be pulled from here\n"), got


def test_who_is_not_root_cannot_start_an_engine():
    with machine(docker=ASKS_SOCKET, dockerd=STARTS) as folder:
        says(run(folder, ROOT / "tools/with-docker", "true", as_nobody=True), 125, "no Docker engine answers, and to start one takes root")


def test_without_an_engine_to_start():
    if not IS_ROOT:
        return test_who_is_not_root_cannot_start_an_engine()
    with machine(docker=ASKS_SOCKET) as folder:
        says(run(folder, ROOT / "tools/with-docker", "true"), 125, "dockerd is missing to start one: tools/deps docker installs it")
        leaves_nothing(folder)


def test_an_engine_that_dies_says_why():
    if not can_unshare():
        return test_who_is_not_root_cannot_start_an_engine()
    with machine(docker=ASKS_SOCKET, dockerd=DIES) as folder:
        says(run(folder, ROOT / "tools/with-docker", "true"), 125, "none of our own can be started. Its last words:",
             "failed to mount overlay: no such device")
        leaves_nothing(folder)


def test_an_engine_of_its_own_is_gone_afterwards():
    if not can_unshare():
        return test_who_is_not_root_cannot_start_an_engine()
    with machine(docker=ASKS_SOCKET, dockerd=STARTS) as folder:
        got = run(folder, ROOT / "tools/with-docker", "sh", "-c", 'echo $LATCH_DOCKER; touch "$TMPDIR/left"; exit 3')
        assert got == (3, "private\n", ""), got
        leaves_nothing(folder)


def processes_with(folder):
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in entry.read_bytes():
                found.append(entry.parent.name)
    return found


def interrupted(number, leaves_folder=False):
    if not can_unshare():
        return test_who_is_not_root_cannot_start_an_engine()
    with machine(docker=ASKS_SOCKET, dockerd=STARTS) as folder:
        process = subprocess.Popen([ROOT / "tools/with-docker", "sh", "-c", "echo up; sleep 1000"], stdout=subprocess.PIPE, env=environment(folder))
        assert process.stdout.readline() == b"up\n"
        assert processes_with(folder), "who looks for processes must find these"
        for _ in range(3): # `timeout` sends two, an impatient user more
            process.send_signal(number)
            time.sleep(0.002)
        process.wait(30)
        until = time.monotonic() + 10
        while processes_with(folder) and time.monotonic() < until:
            time.sleep(0.05)
        assert not processes_with(folder), processes_with(folder)
        if not leaves_folder:
            leaves_nothing(folder)


def test_terminated_it_leaves_nothing():
    interrupted(signal.SIGTERM)


def test_interrupted_it_leaves_nothing():
    interrupted(signal.SIGINT)


def test_killed_its_processes_end_with_it():
    interrupted(signal.SIGKILL, leaves_folder=True)


# ── how answers are judged ────────────────────────────────────────────────────────────────────────────────────────────


def test_answers_are_judged_as_latch_local_does():
    rows = [ # expected, found, the first mismatch's path or None
        ({"a": 1}, {"a": 1, "b": 2}, None), ({"a": 1}, {"a": 1.0}, None), ({"a": 1}, {"a": True}, "the answer.a"), ({"a": True}, {"a": 1}, "the answer.a"),
        ({"a": 1}, {}, "the answer.a"), ({"a": None}, {}, "the answer.a"), ({"a": None}, {"a": None}, None), ("<absent>", 1, "the answer"),
        ({"a": "<absent>"}, {}, None), ({"a": "<any>"}, {"a": None}, None), ({"a": "<any>"}, {}, "the answer.a"),
        ([1, 2], [1, 2], None), ([1, 2], [2, 1], "the answer[0]"), ([1], [1, 2], "the answer"), ({"body": {"x": 1}}, {"body": '{"x": 1}'}, None),
        ({"body": {"x": 1}}, {"body": "x"}, "the answer.body"), ("<uuid>", "0b54d9b4-5d3c-4b0e-9a53-6f0f8f6f5f0e", None), ("<uuid>", "0b54", "the answer"),
        ("<timestamp>", "2026-11-21T13:05:12Z", None), ("<timestamp>", 5, "the answer"), ("<number>", True, "the answer"), ("<number>", 1.5, None),
        ("x", "x", None), ("x", "y", "the answer"), ({}, [], "the answer"), ([], {}, "the answer"),
    ]
    for expected, found, path in rows:
        lines = mismatches(expected, found)
        assert (not lines and path is None) or (path is not None and lines and lines[0].startswith(f"{path}: ")), (expected, found, lines)


def test_what_fails_is_counted_and_a_twin_not_found_too():
    checks = Checks()
    checks.begin("a part")
    checks.equal("right", 1, 1)
    checks.equal("wrong", 1, 2)
    checks.finds("a twin that is found", ["there"])
    assert (checks.done, checks.failed) == (3, 1)
    checks.finds("a twin that isn't", [])
    assert (checks.done, checks.failed, checks.summary()) == (4, 2, 1)
    assert Checks().summary() == 1, "nothing that was looked at is no success"


if __name__ == "__main__":
    tests = {name[len("test_"):]: test for name, test in globals().items() if re.match(r"test_", name)}
    if len(sys.argv) != 2 or sys.argv[1] not in tests:
        sys.exit(f"usage: sentences.py {'|'.join(tests)}")
    tests[sys.argv[1]]()
