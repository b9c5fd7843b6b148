#!/usr/bin/env python3
"""commands.py BUILD PAGE|twins [--docker] - the commands that a page of the documents shows, run as they stand.

A ```sh block is run by bash in a copy of the checkout (its build/ is the real one, but for packages), all blocks of a page in one shell, one
after another; the first command that fails fails the page. A ```text block right after it is what it must print: each line, in this order; `…` stands for
anything. ```sh docker blocks are run where --docker is given (./dev sam), ```sh account blocks need an account of AWS: they must
fail, for want of credentials. What is too long for a test, or tests itself, isn't run, but what it names must be there.
"""
import os, pathlib, re, shlex, shutil, signal, socket, subprocess, sys, tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.S | re.M)
KINDS = {"sh", "sh docker", "sh account"}
SECONDS = 580

# What a command begins with, and how the names behind it are known to be right.
ELSEWHERE = {
    "./dev test": "a test's name",
    "./dev fuzz": "a fuzz target",
    "./dev race": None,
    "./dev prove": None,
    "./dev bench": "a bench",
    "./dev lint": None,
    "./dev sam": None,
    ".ci/run": None,
}


class Wrong(Exception):
    pass


def blocks(text):
    """(kind, lines, expected lines) of each block of commands."""
    found = []
    last_end = None
    for match in BLOCK.finditer(text):
        kind, body = match.group(1).strip(), match.group(2)
        if kind in KINDS:
            found.append([kind, body.splitlines(), []])
        elif kind == "text" and found and text[last_end:match.start()].strip() == "":
            found[-1][2] = [line for line in body.splitlines() if line.strip()]
        elif kind.split(" ")[0] == "sh":
            raise Wrong(f"a block is of kind {kind!r}: this harness knows {', '.join(sorted(KINDS))}")
        last_end = match.end()
    return found


def without_comment(line):
    return re.sub(r"(^|\s)#.*$", "", line).strip()


def check_elsewhere(line, build):
    words = shlex.split(without_comment(line))
    verb = " ".join(words[:2]) if words[0] == "./dev" else words[0]
    names = [w for w in words[2:] if not w.startswith("-")]
    dev = (SOURCE / "dev").read_text()
    if words[0] == "./dev" and f"\nverb_{words[1]}() {{" not in dev:
        raise Wrong(f"{line}: ./dev has no such verb")
    if verb == "./dev test" and names:
        listed = subprocess.run(["ctest", "--test-dir", build, "-N", "-R", names[0]], capture_output=True, text=True).stdout
        if "Total Tests: 0" in listed:
            raise Wrong(f"{line}: no test has this name")
    if verb == "./dev fuzz":
        for name in names[1:]:
            if not (SOURCE / "tests/fuzz" / f"{name}.c").exists():
                raise Wrong(f"{line}: there is no fuzz target {name}")
    if verb in ("./dev bench", "./dev prove") and names:
        body = dev[dev.index(f"\nverb_{words[1]}()"):].split("\n}\n")[0]
        if not re.search(rf"\b{re.escape(names[0])}\b", body):
            raise Wrong(f"{line}: ./dev {words[1]} doesn't know {names[0]}")


def split_elsewhere(lines, build):
    """The lines that are run here; the others are looked at."""
    here = []
    for line in lines:
        bare = without_comment(line)
        if any(bare == start or bare.startswith(start + " ") for start in ELSEWHERE):
            check_elsewhere(line, build)
        else:
            here.append(line)
    return here


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def copy_of_checkout(into):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=SOURCE, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        source = SOURCE / name
        if not name or not source.is_file():
            continue
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    # The real build/, but for what a page's `./dev package` makes: in another folder that begins anew, which would take it from under other tests.
    (into / "build").mkdir()
    for entry in (SOURCE / "build").iterdir():
        if not entry.name.startswith("package"):
            (into / "build" / entry.name).symlink_to(entry)


def environment(home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "DYNAMODB_"))}
    kept.update(HOME=str(home), TMPDIR=str(home), AWS_EC2_METADATA_DISABLED="true", SAM_CLI_TELEMETRY="0", AWS_DEFAULT_REGION="us-east-1",
                AWS_MAX_ATTEMPTS="1", PATH=f"{SOURCE}/build/tools/sam/bin:{SOURCE}/build/tools/sdk/bin:{os.environ['PATH']}")
    return kept


def check_output(output, expected, what):
    at = 0
    lines = output.splitlines()
    for want in expected:
        pattern = re.compile(".*" + ".*".join(re.escape(part.strip()) for part in want.split("…")) + ".*")
        while at < len(lines) and not pattern.fullmatch(lines[at]):
            at += 1
        if at == len(lines):
            raise Wrong(f"{what} doesn't print {want!r}; it printed:\n{output}")
        at += 1


def run_script(script, where, env):
    """What it printed, and how it ended; whatever it left running is ended too."""
    with tempfile.TemporaryFile("w+") as out:
        shell = subprocess.Popen(["bash", "-c", script], cwd=where, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 start_new_session=True)
        try:
            code = shell.wait(SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        try:
            os.killpg(shell.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        shell.wait()
        out.seek(0)
        return out.read(), code


def run_page(text, build, docker, env_of=environment):
    with tempfile.TemporaryDirectory() as scratch:
        checkout = pathlib.Path(scratch) / "latch"
        checkout.mkdir()
        copy_of_checkout(checkout)
        ports = {port: free_port() for port in ("3000", "8000")}
        script, wanted, count = ["set -euo pipefail"], [], 0
        for kind, lines, expected in blocks(text):
            here = split_elsewhere(lines, build)
            if kind == "sh docker" and not docker or kind != "sh docker" and docker:
                continue
            if not any(without_comment(line) for line in here):
                continue
            count += 1
            body = "\n".join(here)
            for port, free in ports.items():
                body = re.sub(rf"\b{port}\b", str(free), body)
                expected = [re.sub(rf"\b{port}\b", str(free), line) for line in expected]
            marker = f"::block {len(wanted)}"
            wanted.append((kind, lines, expected))
            script.append(f"printf '\\n%s\\n' '{marker}'") # what came before may not have ended its line
            if kind == "sh account":
                script.append(f"if (\n{body}\n) 2>&1; then echo '::it did not need an account'; fi")
            else:
                script.append(body)
        script.append(f"printf '\\n%s\\n' '::block {len(wanted)}'")
        if count == 0:
            return 0
        output, code = run_script("\n".join(script), checkout, env_of(scratch))
        parts = re.split(r"^::block \d+\n", output, flags=re.M)[1:]
        if code is None:
            raise Wrong(f"not done after {SECONDS} s; it printed:\n{output}")
        if code != 0:
            raise Wrong(f"ended with {code} in the commands\n  " + "\n  ".join(wanted[max(len(parts) - 1, 0)][1]) + f"\nand printed:\n{parts[-1] if parts else output}")
        for (kind, lines, expected), part in zip(wanted, parts):
            if "::it did not need an account" in part:
                raise Wrong(f"{lines[-1]}: succeeded without an account")
            if kind == "sh account" and "credentials" not in part.lower():
                raise Wrong(f"{lines[-1]}: fails, but not for want of credentials:\n{part}")
            check_output(part, expected, " && ".join(filter(None, map(without_comment, lines))))
        return count


TWINS = {
    "a command that fails": ("```sh\ntrue\nfalse\n```\n", "ended with 1"),
    "a command that isn't there": ("```sh\nbuild/release/latch-locale --help\n```\n", "ended with 127"),
    "a command that only we have in our PATH": ("```sh\nlatch --version\n```\n", "ended with 127"),
    "an answer that isn't given": ("```sh\necho 35 events\n```\n```text\n36 events\n```\n", "doesn't print"),
    "answers in another order": ("```sh\necho one; echo two\n```\n```text\ntwo\none\n```\n", "doesn't print"),
    "a verb that isn't there": ("```sh\n./dev tests\n```\n", "ended with 1"),
    "a test that isn't there": ("```sh\n./dev test nonesuch_at_all\n```\n", "no test has this name"),
    "a bench that isn't there": ("```sh\n./dev bench nonesuch\n```\n", "doesn't know nonesuch"),
    "a kind of block that nobody runs": ("```sh later\ntrue\n```\n", "is of kind"),
    "an account that isn't needed": ("```sh account\ntrue\n```\n", "succeeded without an account"),
    "an account that isn't what is missing": ("```sh account\nbuild/release/latch tables\n```\n", "not for want of credentials"),
}


def check_all_listed():
    listed = (SOURCE / "tests/docs/CMakeLists.txt").read_text()
    for page in [*SOURCE.glob("*.md"), *SOURCE.glob("docs/*.md")]:
        name = str(page.relative_to(SOURCE).with_suffix(""))
        if not re.search(rf"[\s(]{re.escape(name)}[\s)]", listed):
            raise SystemExit(f"{name}.md isn't among the pages of tests/docs/CMakeLists.txt")


def test_twins(build):
    check_all_listed()
    for name, (text, words) in TWINS.items():
        try:
            run_page(text, build, False)
        except Wrong as wrong:
            if words not in str(wrong):
                raise SystemExit(f"{name}: found, but told as: {wrong}")
            print(f"finds {name}")
        else:
            raise SystemExit(f"{name}: isn't found")
    if run_page("```sh\n./dev test attempts\nbuild/release/latch --help\n```\n```text\nlatch\n```\n", build, False) != 1:
        raise SystemExit("a page that is right isn't run")
    if run_page("```sh\nprintf one\n```\n```text\none\n```\n```sh\necho two\n```\n```text\ntwo\n```\n", build, False) != 2:
        raise SystemExit("an answer that doesn't end its line hides the next one")


def main():
    build, page = sys.argv[1:3]
    if page == "twins":
        test_twins(build)
        return
    try:
        count = run_page((SOURCE / page).read_text(encoding="utf-8"), build, "--docker" in sys.argv)
    except Wrong as wrong:
        raise SystemExit(f"{page}: {wrong}")
    print(f"{page}: {count} blocks of commands run as they stand")


main()
