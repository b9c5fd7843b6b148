#!/usr/bin/env python3
"""limits.py CC YYJSON_DIR - the figures of docs/limits.md are those of the headers: each row with a constant of ours is compiled."""
import pathlib, re, subprocess, sys, tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
ROW = re.compile(r"^\| [^|]* \|[^|]*?([0-9]+)[^|0-9]*\| `(LATCH_[A-Z_]+_MAX[A-Z_]*)` \|", re.M)
HEADERS = ["latch.h", "runtime/api.h", "runtime/route.h", "store/marshal.h"]


def agrees(rows, cc, yyjson):
    lines = [f'#include "{header}"' for header in HEADERS]
    lines += [f'_Static_assert({name} == {value}, "{name} is not {value}");' for value, name in rows]
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / "limits.c"
        source.write_text("\n".join(lines) + "\n")
        done = subprocess.run([cc, "-std=c17", "-D_GNU_SOURCE", "-fsyntax-only", f"-I{SOURCE}", f"-I{yyjson}", source], capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def main():
    cc, yyjson = sys.argv[1:3]
    rows = ROW.findall((SOURCE / "docs/limits.md").read_text(encoding="utf-8"))
    if len(rows) < 10:
        raise SystemExit(f"docs/limits.md: only {len(rows)} rows name a constant")
    fine, errors = agrees(rows, cc, yyjson)
    if not fine:
        raise SystemExit(f"docs/limits.md: {errors}")
    for i, (value, name) in enumerate(rows):
        wrong = [*rows[:i], (str(int(value) + 1), name), *rows[i + 1:]]
        if agrees(wrong, cc, yyjson)[0]:
            raise SystemExit(f"{name}: one more isn't found")
    print(f"{len(rows)} limits are as the headers say")


main()
