#!/usr/bin/env python3
"""reproducible.py [--apart] [ARCH] - the same sources make the same packages, byte by byte; and a build that isn't so is found.

That goes for what is deployed, not for the file of symbols beside it, in which folders have names.

Compared are this folder's package and that of a copy: at another path, with other file times, by another user name, umask, time zone,
locale, home and temporary folder, with a cache of compiled files of its own. Its libraries and tools are this folder's. The broken twin has
the time of its compilation in it.

--apart: two copies that share nothing but the archives of the sources: each unpacks its compiler and builds its libraries. The broken twin
has its folder's name in it. ./dev prove reproducible does this; it takes a quarter of an hour.
"""
import os, pathlib, platform, shutil, signal, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MADE = ("bootstrap", "sbom.spdx.json", "LICENSES.txt")  # not bootstrap.debug: debuggers look for the folders' names that are in it
# zig refuses a time in what it compiles, and would find the file in its cache the second time.
TIME_TWIN = '\n#pragma clang diagnostic ignored "-Wdate-time"\n__attribute__((used, retain)) static const char twin[] = __DATE__ " " __TIME__;\n'
FOLDER_TWIN = '\n__attribute__((used, retain)) static const char twin[] = LATCH_TWIN;\n'
TWIN_DEFINITION = '\ntarget_compile_definitions(bootstrap PRIVATE LATCH_TWIN="${PROJECT_SOURCE_DIR}")\n'
# The shell's own of these must not decide; each copy has its own.
OTHERWISE = {"USER": "somebody", "LOGNAME": "somebody", "TZ": "Pacific/Kiritimati", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOSTNAME": "elsewhere"}


def this_arch():
    return {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]


def sources():
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    return [name for name in map(os.fsdecode, names.split(b"\0")) if name and (ROOT / name).is_file()]


def copy_tree(folder, seconds):
    """The sources of the working tree, as if written at that time."""
    for name in sources():
        to = folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, to, follow_symlinks=False)
        os.utime(to, (seconds, seconds), follow_symlinks=False)


def share(folder):
    """What was fetched and built for this folder, but the compiler's cache."""
    (folder / "build").mkdir()
    for name in ("deps", "tools"):
        (folder / "build" / name).symlink_to(ROOT / "build" / name)


def share_archives(folder):
    into = folder / "build/deps"
    into.mkdir(parents=True)
    for name in ("sources", "yyjson"):
        shutil.copytree(ROOT / "build/deps" / name, into / name)


def make(folder, arch, environment=None, umask=0o022):
    plain = {name: value for name, value in os.environ.items() if name not in ("SOURCE_DATE_EPOCH", "CFLAGS", "LDFLAGS", "MAKEFLAGS")}
    done = subprocess.run([folder / "dev", "package", arch], env={**plain, **(environment or {})}, umask=umask, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"no package was made in {folder}:\n{done.stdout[-3000:]}{done.stderr[-5000:]}")


def package_of(folder, arch):
    made = {name: (folder / "build/package" / arch / name).read_bytes() for name in MADE}
    return {**made, f"bootstrap-{arch}.zip": (folder / f"build/package/bootstrap-{arch}.zip").read_bytes()}


def differences(one, other):
    """A sentence for each file that isn't the same."""
    found = []
    for name in one:
        a, b = one[name], other[name]
        if a != b:
            at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            found.append(f"{name}: {len(a)} and {len(b)} bytes, the first difference at {at}: {a[at:at + 40]!r} and {b[at:at + 40]!r}")
    return found


def homes(folder):
    places = {"HOME": folder.parent / "home", "TMPDIR": folder.parent / "tmp"}
    for place in places.values():
        place.mkdir(exist_ok=True)
    return {name: str(place) for name, place in places.items()}


def beside_this_folder(arch, scratch):
    copy = scratch / "another-folder" / "with-a-longer-name"
    copy_tree(copy, 86400 * 365)
    share(copy)
    elsewhere = {**OTHERWISE, **homes(copy), "ZIG_LOCAL_CACHE_DIR": str(scratch / "zig")}
    make(ROOT, arch)
    make(copy, arch, elsewhere, 0o077)
    found = differences(package_of(ROOT, arch), package_of(copy, arch))
    if found:
        return found, []
    twins = []
    with open(copy / "handlers/main.c", "a") as source:
        source.write(TIME_TWIN)
    for attempt in range(2):
        os.utime(copy / "handlers/main.c")
        make(copy, arch, {**elsewhere, "ZIG_LOCAL_CACHE_DIR": str(scratch / f"zig-{attempt}")}, 0o077)
        twins.append(package_of(copy, arch))
        time.sleep(1.1)  # the twin counts seconds
    return [], differences(*twins)


def apart(arch, scratch):
    copies = [scratch / "one" / "latch", scratch / "another-one" / "with-a-longer-name"]
    for number, copy in enumerate(copies):
        copy_tree(copy, 86400 * 365 * (1 + number))
        share_archives(copy)
    environments = [homes(copies[0]), {**OTHERWISE, **homes(copies[1])}]
    packages = []
    for twin in (False, True):
        for copy, environment, umask in zip(copies, environments, (0o022, 0o077)):
            if twin:
                with open(copy / "handlers/main.c", "a") as source, open(copy / "handlers/CMakeLists.txt", "a") as rules:
                    source.write(FOLDER_TWIN)
                    rules.write(TWIN_DEFINITION)
            make(copy, arch, environment, umask)
            packages.append(package_of(copy, arch))
    return differences(*packages[:2]), differences(*packages[2:])


def main(words):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before its time"))  # so that the copies are removed
    compare = apart if "--apart" in words else beside_this_folder
    arch = next((word for word in words if not word.startswith("-")), this_arch())
    with tempfile.TemporaryDirectory(prefix="latch-reproducible-") as scratch:
        found, twin = compare(arch, pathlib.Path(scratch).resolve())
    if found:
        sys.exit(f"{arch}: two folders, two packages:\n  " + "\n  ".join(found))
    if not any(line.startswith("bootstrap:") for line in twin):
        sys.exit(f"{arch}: the broken twin's executables were not told apart: this proof proves nothing")
    print(f"{arch}: {len(MADE) + 1} files are the same, byte by byte; the broken twin is found: {twin[0][:120]}")


if __name__ == "__main__":
    main(sys.argv[1:])
