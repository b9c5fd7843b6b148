#!/usr/bin/env python3
"""names.py [twin] - each latch_… and LATCH_… that a document names is there: in a header, or, of a variable or an option, in what reads it."""
import pathlib, re, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = re.compile(r"\b(?:latch|LATCH)_[A-Za-z0-9_]*[A-Za-z0-9]\b(?!\*|…)")
# Where a name may come from: declarations; variables and options of CMake, of ./dev and of the tools; examples bring their own besides.
SOURCES = (".h", ".c", ".py", ".cmake", ".txt", ".json", ".yaml", "dev", "run", "zig-cc", "new")


def tracked(*suffixes):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    names = [name for name in listed.stdout.decode().split("\0") if name.endswith(suffixes) and (ROOT / name).is_file()]
    return [ROOT / name for name in names if name != "tests/docs/names.py"]


def known():
    """Functions and types by the headers alone, so that what became static or went is noticed; the rest by whatever reads it."""
    found = set()
    for path in tracked(*SOURCES):
        names = NAME.findall(path.read_text(encoding="utf-8", errors="replace"))
        found.update(name for name in names if path.suffix == ".h" or name.isupper())
        if path.suffix in (".txt", ".cmake"):
            found.update(names)
    return found


def missing(text, names):
    own = set(re.findall(r"\b(latch_\w+) = |\b(latch_\w+)\(.*\) \{", text))
    own = {name for pair in own for name in pair}
    return sorted({name for name in NAME.findall(text) if name not in names and name not in own})


def main():
    names = known()
    if "twin" in sys.argv:
        text = "`latch_cache_get` and `LATCH_TABLE` are, `latch_cache_fetch`, `LATCH_TABEL` and `latch_find_` aren't\n"
        if missing(text, names) != ["LATCH_TABEL", "latch_cache_fetch"]:
            raise SystemExit(f"found {missing(text, names)}")
        return
    wrong, count = [], 0
    for page in tracked(".md"):
        text = page.read_text(encoding="utf-8")
        count += len(set(NAME.findall(text)))
        wrong += [f"{page.relative_to(ROOT)}: there is no {name}" for name in missing(text, names)]
    print(f"{count} names in {len(tracked('.md'))} documents")
    if wrong:
        raise SystemExit("\n".join(wrong))


main()
