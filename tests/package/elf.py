"""What an executable says of itself, as readelf reads it, and what of that isn't as a packaged one's must be."""
import pathlib, re, subprocess

MACHINES = {"x86_64": "Advanced Micro Devices X86-64", "arm64": "AArch64"}
# Of each room one, the handlers that users know by name, and who calls them: a stack trace is made of these.
NAMES = {"get_product", "checkout", "login", "on_order", "sweep", "echo", "latch_run", "latch_loop_run", "latch_once_do"}


def readelf(path, option):
    # What it can't make sense of is what the tests of broken files are about: no exit status is expected.
    return subprocess.run(["readelf", "-W", option, path], capture_output=True, text=True, errors="replace", timeout=60).stdout


def segments(path):
    """[(type, flags)] of the program headers, flags as in "RE"."""
    row = re.compile(r"^  ([A-Z_]+) +(?:0x[0-9a-f]+ +){5}([RWE ]{3}) ", re.M)
    return [(kind, flags.replace(" ", "")) for kind, flags in row.findall(readelf(path, "-l"))]


def sections(path):
    """{name: type}"""
    return dict(re.findall(r"^  \[ *\d+\] (\S+) +([A-Z_]+) ", readelf(path, "-S"), re.M))


def functions(path):
    """The names of the functions that its table of symbols has."""
    return set(re.findall(r" FUNC +\w+ +\w+ +\d+ (\S+)$", readelf(path, "-s"), re.M))


def faults(path, arch, folders=()):
    """What is wrong with a packaged executable, each in a sentence; `folders` are names that must not be in it."""
    path = pathlib.Path(path)
    found, parts, names = [], segments(path), sections(path)
    if f"Machine: {MACHINES[arch]}" not in re.sub(" +", " ", readelf(path, "-h")):
        found.append(f"it isn't for {arch}")
    if any(kind == "INTERP" for kind, _ in parts):
        found.append("it wants an interpreter: it is dynamic")
    if "(NEEDED)" in readelf(path, "-d"):
        found.append("it needs shared libraries")
    if any(kind == "LOAD" and "W" in flags and "E" in flags for kind, flags in parts):
        found.append("a segment can be written and executed")
    if [flags for kind, flags in parts if kind == "GNU_STACK"] != ["RW"]:
        found.append("its stack can be executed")
    if not any(kind == "GNU_RELRO" for kind, _ in parts):
        found.append("its relocated data stays writable: no GNU_RELRO")
    if debug := sorted(name for name in names if name.startswith((".debug", ".zdebug"))):
        found.append(f"it has DWARF: {' '.join(debug)}")
    if names.get(".eh_frame") not in ("PROGBITS", "X86_64_UNWIND"):
        found.append("it has no .eh_frame: no stack can be unwound")
    if missing := sorted(NAMES - functions(path)):
        found.append(f"it has no name for the functions {' '.join(missing)}")
    content = path.read_bytes()
    for folder in folders:
        if str(folder).encode() in content:
            found.append(f"it names the folder {folder} of the machine that built it")
    return found


def build_id(path):
    """What a debugger compares to know that two files are of one build; None: there is none."""
    found = re.search(r"Build ID: ([0-9a-f]+)", readelf(path, "-n"))
    return found and found[1]
