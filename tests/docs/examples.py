#!/usr/bin/env python3
"""examples.py extract PAGE FILE | play LATCH_LOCAL EXECUTABLE PAGE | twins LATCH_LOCAL EXECUTABLE PAGE - the example of a page of docs/stores.

A page has one ```c block, a whole program whose handler is called `demo`, and right after it a ```text block: each line is an event and,
behind →, what it must be answered: JSON, in which names that aren't there may have any value, and "<any>" "<string>" "<number>" "<uuid>"
stand for what they say; or `fails TYPE`. The events are played in their order, in one warm process, on the embedded store.
"""
import json, os, pathlib, re, subprocess, sys, tempfile

PROGRAM = re.compile(r"^```c\n(.*?)^```\n\s*^```text\n(.*?)^```$", re.S | re.M)
LINES_MAX = 60


def example_of(page):
    found = PROGRAM.findall(pathlib.Path(page).read_text(encoding="utf-8"))
    if len(found) != 1:
        sys.exit(f"{page} has {len(found)} programs with a text of answers right behind, want 1")
    program, lines = found[0]
    if len(program.splitlines()) > LINES_MAX:
        sys.exit(f"{page}: its example has {len(program.splitlines())} lines, want at most {LINES_MAX}")
    return program, [tuple(part.strip() for part in line.split("→")) for line in lines.splitlines() if line.strip()]


def extract(page, into):
    program, _ = example_of(page)
    file = pathlib.Path(into)
    if not file.exists() or file.read_text() != program:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(program)


def expectation(answer):
    if answer.startswith("fails"):
        return {"first": {"error": {"errorType": answer.split()[1]}}}
    return {"first": json.loads(answer)}


def play(latch_local, executable, rows):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "expect").mkdir()
        for n, (event, answer) in enumerate(rows):
            name = f"demo-{n:02}.json"
            (folder / name).write_text(event)
            (folder / "expect" / name).write_text(json.dumps(expectation(answer)))
        (folder / "template.yaml").write_text("Transform: AWS::Serverless-2016-10-31\nResources:\n"
                                              "  Demo: {Type: AWS::Serverless::Function, Properties: {Handler: demo}}\n")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "DYNAMODB_"))}
        return subprocess.run([latch_local, "invoke", "--full", "--template", folder / "template.yaml", *sorted(folder.glob("demo-*.json")), "--", executable],
                              capture_output=True, text=True, env=kept, timeout=60)


def twins(latch_local, executable, rows):
    """An answer that is another, and one too many of the last event, must be found."""
    event, answer = rows[0]
    for wrong in ('{"nothing": "of the kind"}', "fails Of.Another.Type"):
        done = play(latch_local, executable, [(event, wrong), *rows[1:]])
        if done.returncode != 1:
            sys.exit(f"{event} → {wrong} isn't found: {done.returncode}\n{done.stdout}{done.stderr}")
        print(f"finds {event} → {wrong}")


def main():
    verb, *rest = sys.argv[1:]
    if verb == "extract":
        return extract(*rest)
    latch_local, executable, page = rest
    _, rows = example_of(page)
    if verb == "twins":
        return twins(latch_local, executable, rows)
    done = play(latch_local, executable, rows)
    print(done.stdout, done.stderr, sep="")
    if done.returncode != 0:
        sys.exit(f"{page}: its example doesn't answer as it says")
    print(f"{page}: {len(rows)} events answered as it says")


main()
