"""Counted checks, and how an answer matches what events/expect says of it."""
import json, re, sys

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ABSENT = object()


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


FORMS = {
    "<any>": lambda v: v is not ABSENT,
    "<absent>": lambda v: v is ABSENT,
    "<string>": lambda v: isinstance(v, str),
    "<number>": is_number,
    "<uuid>": lambda v: isinstance(v, str) and UUID.fullmatch(v),
    "<timestamp>": lambda v: ISO_8601.fullmatch(v) if isinstance(v, str) else is_number(v) and 1e9 <= v < 1e14,
}


def show(value):
    text = "nothing" if value is ABSENT else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 300 else text[:300] + "…"


def mismatches(expected, found, path="the answer"):
    """One line for each place that differs, by the rules of tools/latch-local/match.h."""
    if isinstance(expected, str) and expected in FORMS:
        return [] if FORMS[expected](found) else [f"{path}: want {expected}, found {show(found)}"]
    if isinstance(expected, (dict, list)) and isinstance(found, str):
        try:
            found = json.loads(found) # an HTTP body
        except ValueError:
            pass
    if isinstance(expected, dict) and isinstance(found, dict):
        return [line for name in expected for line in mismatches(expected[name], found.get(name, ABSENT), f"{path}.{name}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [line for at in range(len(expected)) for line in mismatches(expected[at], found[at], f"{path}[{at}]")]
    if type(expected) is type(found) or (is_number(expected) and is_number(found)):
        if expected == found:
            return []
    return [f"{path}: want {show(expected)}, found {show(found)}"]


class Checks:
    """What was looked at: a line for each part, and one for each thing that isn't as it should be."""

    def __init__(self):
        self.done, self.failed, self.part = 0, 0, (0, 0)

    def begin(self, what):
        self.part = (self.done, self.failed)
        print(f"\n{what}", flush=True)

    def end(self):
        done, failed = self.done - self.part[0], self.failed - self.part[1]
        print(f"  {done} checks, {done - failed} ok", flush=True)

    def that(self, what, is_so, found=""):
        self.done += 1
        if not is_so:
            self.failed += 1
            print(f"  NOT OK  {what}", *(f"          {line}" for line in str(found).strip().splitlines()[-20:]), sep="\n", flush=True)
        return bool(is_so)

    def equal(self, what, expected, found):
        lines = mismatches(expected, found)
        return self.that(what, not lines, "\n".join(lines))

    def finds(self, what, lines):
        """A broken twin: what the check of it says. Nothing is a failure, of the check."""
        if self.that(f"{what} must be found, and wasn't", lines):
            print(f"  finds {what}: {lines[0]}", flush=True)

    def summary(self):
        print(f"\n{self.done} checks, {self.done - self.failed} ok", flush=True)
        return 0 if self.failed == 0 and self.done > 0 else 1


if __name__ == "__main__":
    sys.exit("this is a part of tests/sam/run.py")
