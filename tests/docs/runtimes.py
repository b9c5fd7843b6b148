#!/usr/bin/env python3
"""runtimes.py CTEST BUILD PAGE… - each test that a page's table of features names is one of the build's, and each of its rows names one."""
import pathlib, re, subprocess, sys

NAME = re.compile(r"`([a-z0-9_]+(?:\.[a-z0-9_]+)+)`")


def wrong_with(text, known):
    """What is wrong, a line each."""
    table, found = False, []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[-1] == "shown by":
            table = True
        elif not cells:
            table = False
        elif table and not set(line) <= set("|-"):
            names = NAME.findall(cells[-1])
            is_heading = cells[0].startswith("**") and not any(cells[1:])
            if not names and not is_heading: found.append(f"no test shows: {cells[0]}")
            if len(cells) != 8: found.append(f"{len(cells)} cells, want 8: {cells[0]}")
            found += [f"there is no test {name}" for name in names if name not in known]
    return found


def main():
    ctest, build, *pages = sys.argv[1:]
    listed = subprocess.run([ctest, "-N", "--test-dir", build], capture_output=True, text=True).stdout
    known = set(re.findall(r"^ *Test +#\d+: (\S+)", listed, re.M))
    twin = "| | a | b | c | d | e | f | shown by |\n|---|\n| one | | | | | | | `no.such_test` |\n| two | | | | | | | |\n"
    if wrong_with(twin, known) != ["there is no test no.such_test", "no test shows: two"]: raise SystemExit(f"the twin isn't found: {wrong_with(twin, known)}")
    for page in pages:
        text = pathlib.Path(page).read_text(encoding="utf-8")
        found = wrong_with(text, known)
        if "shown by" not in text: found.append("there is no table of features")
        if found: raise SystemExit(f"{page}:\n" + "\n".join(found))
        print(f"{page}: every row names tests that are there")


main()
