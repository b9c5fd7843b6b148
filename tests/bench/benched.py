"""What the tests of bench/package and bench/runtime have in common: one run of either, its figures and its pages; functions of a test's own in
place of Latch's; a machine on which little is installed."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(sys.argv[1]).resolve()


def start(which, words, environment=None):
    return subprocess.run([sys.executable, ROOT / "bench" / which / "run.py", *map(str, words)], capture_output=True, text=True, timeout=280,
                          env={**os.environ, **(environment or {})})


def run(which, scratch, rows, words, status, environment):
    """What it printed, and its figures."""
    only = [word for row in rows for word in ("--only", row)]
    pages = ["--json", scratch / "out.json", "--svg", scratch / "out.svg", "--markdown", scratch / "out.md"]
    done = start(which, [*words, *pages, *only], environment)
    assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, json.loads((scratch / "out.json").read_text())


def count_drawn(scratch, tag):
    """How many of the elements the picture has."""
    drawn = xml.etree.ElementTree.parse(scratch / "out.svg").getroot()
    return len([element for element in drawn.iter() if element.tag.endswith(tag)])


def rows_in_table(scratch):
    return sorted(line.split("|")[1].strip() for line in (scratch / "out.md").read_text().splitlines()[2:])


# ── functions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

ASK = """
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
base = '/2018-06-01/runtime/invocation/'
def ask():
  api.request('GET', base + 'next')
  answer = api.getresponse()
  return answer.headers['Lambda-Runtime-Aws-Request-Id'], answer.read()
def post(path, body, headers={}):
  api.request('POST', base + path, body, headers, encode_chunked=not isinstance(body, bytes))
  api.getresponse().read()
"""


def script(scratch, name, words):
    path = scratch / name
    path.write_text(f"#!/usr/bin/env python3\nimport http.client, json, os, sys, time\n{ASK}{words}\n")
    path.chmod(0o755)
    return path


def patience(want):
    """That of a run which is to find a function silent for so long, or to find out something else."""
    silent = re.search(r"silent for (\d+) ms", want)
    return {"LATCH_BENCH_PATIENCE_MS": silent[1] if silent else "30000"}


# ── what is missing ───────────────────────────────────────────────────────────────────────────────────────────────────


def path_with(scratch, *tools):
    """The environment of a machine that has these alone."""
    bin_only = scratch / "bin"
    bin_only.mkdir()
    for tool in tools:
        (bin_only / tool).symlink_to(shutil.which(tool))
    return {"PATH": str(bin_only)}


def check_missing(said, figures):
    assert list(figures["functions"]) == ["bare sockets"], figures
    for words in ("Rust: not measured: there is no cargo: install Rust", "Go: not measured: there is no Go 1.26 or later"):
        assert words in said, said


def check_refused(which, option, path, says):
    done = start(which, [option, path])
    assert done.returncode == 2 and says in done.stderr, done.stderr


def main(tests):
    with tempfile.TemporaryDirectory() as made:
        tests[f"test_{sys.argv[2]}"](pathlib.Path(made))
