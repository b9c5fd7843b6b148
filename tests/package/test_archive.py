#!/usr/bin/env python3
"""test_archive.py TEST - one test of ./dev package: what it leaves in build/package, and what it says of bad input.

Each test_… below is one entry of ctest, package.archive.…; those of bad input run on a copy of the scripts, with a PATH, an archive or a
disk that is made for them.
"""
import contextlib, copy, hashlib, json, os, pathlib, re, shutil, stat, subprocess, sys, tempfile, zipfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import reproducible
from reproducible import this_arch

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "build/package"
ARCHS = ("x86_64", "arm64")
VALIDATOR = ROOT / "build/tools/spdx/bin/pyspdxtools"
MACHINES = {"x86_64": 62, "arm64": 183}  # ELF's e_machine


def bill_of(arch):
    return json.loads((PACKAGES / arch / "sbom.spdx.json").read_bytes())


def locked():
    lines = [line.split() for line in (ROOT / "tools/deps.lock").read_text().splitlines() if line and not line.startswith("#")]
    return {words[0]: words[1] for words in lines}, {words[0]: words[3] for words in lines if len(words) > 3}


def expect(condition, *values):
    assert condition, " | ".join(str(value)[-3000:] for value in values)


# ── what is in the archive ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_zip_is_what_lambda_takes():
    for arch in ARCHS:
        with zipfile.ZipFile(PACKAGES / f"bootstrap-{arch}.zip") as archive:
            entries = archive.infolist()
            expect(archive.testzip() is None, arch, "a checksum is wrong")
            modes = {entry.filename: entry.external_attr >> 16 for entry in entries}
            expect(modes == {"LICENSES.txt": stat.S_IFREG | 0o644, "bootstrap": stat.S_IFREG | 0o755, "sbom.spdx.json": stat.S_IFREG | 0o644}, arch, modes)
            expect([entry.filename for entry in entries] == sorted(modes), arch, "the order")
            for entry in entries:
                expect(entry.create_system == 3 and not entry.extra and entry.compress_type == zipfile.ZIP_DEFLATED, arch, entry)
                expect(entry.date_time == (1980, 1, 1, 0, 0, 0) or "SOURCE_DATE_EPOCH" in os.environ, arch, entry.date_time)
                expect(archive.read(entry) == (PACKAGES / arch / entry.filename).read_bytes(), arch, entry.filename, "isn't the one beside the zip")
            header = archive.read("bootstrap")[:20]
        expect(header[:4] == b"\x7fELF" and int.from_bytes(header[18:20], "little") == MACHINES[arch], arch, header)


def build_id(file):
    notes = subprocess.run(["readelf", "--notes", file], capture_output=True, text=True, check=True).stdout
    return re.search(r"Build ID: ([0-9a-f]{40})", notes)[1]


def test_the_symbols_belong_to_the_executable():
    """Both have one build id, by which debuggers find the one for the other; it isn't another architecture's."""
    for arch in ARCHS:
        sections = subprocess.run(["readelf", "-SW", PACKAGES / arch / "bootstrap.debug"], capture_output=True, text=True, check=True).stdout
        expect(".debug_info" in sections and ".debug_line" in sections, arch, sections)
        expect(build_id(PACKAGES / arch / "bootstrap") == build_id(PACKAGES / arch / "bootstrap.debug"), arch)
    ids = {build_id(PACKAGES / arch / "bootstrap") for arch in ARCHS}
    expect(len(ids) == len(ARCHS) and "0" * 40 not in ids, ids)


def test_the_licences_are_the_sources_own():
    for arch in ARCHS:
        text = (PACKAGES / arch / "LICENSES.txt").read_text()
        versions, _ = locked()
        heads = re.findall(r"^={70,}\n(\S+ [0-9.]+ \(.+\))\n={70,}$", text, re.M)
        expect([head.split()[0] for head in heads] == ["Latch", "OpenSSL", "curl", "yyjson", "musl", "zig-runtime", "libunwind"], heads)
        for name, line in (("openssl", heads[1]), ("curl", heads[2]), ("yyjson", heads[3])):
            expect(f" {versions[name]} (" in line, line, versions[name])
        for words in ("Daniel Stenberg", "YaoYuan", "Rich Felker", "Zig contributors", "LLVM Exceptions to the Apache 2.0 License", "Apache License"):
            expect(words in text, arch, words)
        for own in (ROOT / "LICENSE", (ROOT / "build/tools/zig/bin/zig").resolve().parent / "lib/libc/musl/COPYRIGHT"):
            expect(own.read_text().strip() in text, arch, own)


# ── the bill of materials ─────────────────────────────────────────────────────────────────────────────────────────────


def complaints(document):
    """What the validator of the SPDX project's own tools says of it; empty: it is valid."""
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "bill.spdx.json"
        file.write_text(json.dumps(document))
        done = subprocess.run([VALIDATOR, "-i", file], capture_output=True, text=True)
    words = (done.stdout + done.stderr).strip()
    return "" if done.returncode == 0 and not words else words or f"exit {done.returncode}"


def test_the_bill_of_materials_is_valid():
    for arch in ARCHS:
        expect(complaints(bill_of(arch)) == "", arch, complaints(bill_of(arch)))


def test_a_broken_bill_of_materials_is_found():
    def no_checksum(bill):
        bill["files"][0]["checksums"] = [one for one in bill["files"][0]["checksums"] if one["algorithm"] != "SHA1"]

    def unknown_licence(bill):
        bill["packages"][1]["licenseConcluded"] = "Apache-9"

    def nobody_is_linked(bill):
        bill["relationships"][-1]["relatedSpdxElement"] = "SPDXRef-nobody"

    def short_hash(bill):
        next(one for one in bill["packages"] if "checksums" in one)["checksums"][0]["checksumValue"] = "abc"

    def no_namespace(bill):
        del bill["documentNamespace"]

    whole = bill_of(this_arch())
    for spoil in (no_checksum, unknown_licence, nobody_is_linked, short_hash, no_namespace):
        broken = copy.deepcopy(whole)
        spoil(broken)
        expect(complaints(broken) != "", spoil.__name__, "was not found")


def untruths(bill, arch):
    """What it says that isn't so: of this executable, and of what tools/deps.lock pins."""
    executable = (PACKAGES / arch / "bootstrap").read_bytes()
    versions, hashes = locked()
    packages = {package["name"]: package for package in bill["packages"]}
    wrong = []
    if b"OpenSSL " + packages["OpenSSL"]["versionInfo"].encode() not in executable:  # the others' versions aren't in it
        wrong.append("the executable has another OpenSSL")
    for name, lock in (("OpenSSL", "openssl"), ("curl", "curl"), ("yyjson", "yyjson"), ("zig-runtime", "ziglang")):
        if packages[name]["versionInfo"] != versions[lock]:
            wrong.append(f"{name}'s version")
    for name, lock in (("OpenSSL", "openssl"), ("curl", "curl")):
        if packages[name]["checksums"] != [{"algorithm": "SHA256", "checksumValue": hashes[lock]}]:
            wrong.append(f"{name}'s checksum")
    digests = {one["algorithm"]: one["checksumValue"] for one in bill["files"][0]["checksums"]}
    if digests != {"SHA1": hashlib.sha1(executable).hexdigest(), "SHA256": hashlib.sha256(executable).hexdigest()}:
        wrong.append("the executable's checksums")
    linked = {one["relatedSpdxElement"] for one in bill["relationships"] if one["relationshipType"] == "STATIC_LINK"}
    if linked != {package["SPDXID"] for package in bill["packages"]} - {"SPDXRef-Latch"}:
        wrong.append("what is linked in")
    return wrong


def test_the_bill_of_materials_is_true():
    for arch in ARCHS:
        expect(untruths(bill_of(arch), arch) == [], arch, untruths(bill_of(arch), arch))


def test_an_untrue_bill_of_materials_is_found():
    whole = bill_of(this_arch())
    by_name = {package["name"]: number for number, package in enumerate(whole["packages"])}
    for name, key, value in (("OpenSSL", "versionInfo", "3.0.0"), ("curl", "checksums", []), ("yyjson", "versionInfo", "0"), ("zig-runtime", "versionInfo", "0")):
        broken = copy.deepcopy(whole)
        broken["packages"][by_name[name]][key] = value
        expect(untruths(broken, this_arch()), name, key)
    for key in ("files", "relationships"):
        broken = copy.deepcopy(whole)
        broken[key][-1] = {**broken[key][-1], "checksums": [], "relationshipType": "OTHER"}
        expect(untruths(broken, this_arch()), key)


def test_the_bill_of_materials_names_no_folder_and_no_day():
    for arch in ARCHS:
        bill = bill_of(arch)
        expect(str(ROOT) not in json.dumps(bill), arch)
        expect(bill["creationInfo"]["created"] == "1980-01-01T00:00:00Z" or "SOURCE_DATE_EPOCH" in os.environ, bill["creationInfo"])


# ── the same bytes ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_folders_make_the_same_package_and_the_twin_is_found():
    reproducible.main([this_arch()])


# ── a tree of its own ─────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def tree(archives=False, tools=False, built=False):
    """The working tree's scripts and sources. archives, tools: with this folder's; built: with executables that are only as large as real ones."""
    with tempfile.TemporaryDirectory(prefix="latch-package-") as folder:
        folder = pathlib.Path(folder).resolve()
        reproducible.copy_tree(folder, 1_000_000_000)
        (folder / "build/deps").mkdir(parents=True)
        (folder / "build/deps/yyjson").symlink_to(ROOT / "build/deps/yyjson")
        if archives:
            (folder / "build/deps/sources").symlink_to(ROOT / "build/deps/sources")
        if tools:
            (folder / "build/tools").symlink_to(ROOT / "build/tools")
        if built:
            for arch in ARCHS:
                (folder / f"build/package-{arch}").mkdir()
                for name in ("bootstrap", "bootstrap.debug"):
                    (folder / f"build/package-{arch}" / name).write_bytes(os.urandom(2_000_000))
        yield folder


def script(path, words):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o755)


def say(folder, *command, stubs=None, environment=None):
    """(exit status, what it says) of a command there, with stubs {name: shell words} first in PATH. The network is unreachable."""
    stubs = {"apt-get": "exit 100", "curl": "exit 6", **(stubs or {})}
    shutil.rmtree(folder / "stubs", ignore_errors=True)
    for name, words in stubs.items():
        script(folder / "stubs" / name, words)
    unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_NO_CACHE_DIR": "1",
                   "PIP_EXTRA_INDEX_URL": ""}
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=150,
                          env={**os.environ, **unreachable, "PATH": f"{folder}/stubs:{os.environ['PATH']}", **(environment or {})})
    return done.returncode, done.stdout + done.stderr


def refused(folder, command, words, **how):
    status, said = say(folder, *command, **how)
    expect(status != 0, "it should have failed", said)
    for word in words:
        expect(word in said, word, "isn't said", said)
    return said


# ── bad input ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_architecture_is_refused():
    with tree() as folder:
        for word in ("riscv64", "aarch64", "X86_64", "", "../arm64"):
            refused(folder, ["./dev", "package", word], [f"there is no architecture {word}: x86_64, arm64, or all", f"this machine is {this_arch()}"])
        refused(folder, ["./dev", "package", "arm64", "x86_64"], ["usage: ./dev package [x86_64|arm64|all]"])
        expect(not (folder / "build/package").exists())


def test_what_another_user_built_is_not_built_upon():
    """As somebody whom permissions concern; root isn't."""
    somebody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] if os.getuid() == 0 else []
    words = ["can't be written to", "sudo chown -R", " build"]
    with tree() as folder:
        folder.chmod(0o755)
        for what in ("build/release.log", "build/release/build.ninja", "build"):
            path = folder / what
            if what != "build":
                path.parent.mkdir(exist_ok=True)
                path.touch()
            subprocess.run(["chmod", "-R", "a+rwX", folder / "build"], check=True)
            path.chmod(0o555 if path.is_dir() else 0o444)
            for verb in ("build", "package", "clean"):
                refused(folder, [*somebody, "./dev", verb], [what, *words])
            status, said = say(folder, *somebody, "./dev", "help")
            expect(status == 0, said)
        path.chmod(0o755)


def test_a_machine_where_the_compiler_does_not_run_is_refused():
    answers = 'case "$*" in -s) echo %s ;; -m) echo %s ;; *) echo %s ;; esac'
    with tree() as folder:
        refused(folder, ["./dev", "package"], ["made on x86_64 or arm64", "this machine is riscv64"], stubs={"uname": answers % ("Linux", "riscv64", "Linux")})
        refused(folder, ["./dev", "package", "all"], ["made on Linux, and this is Darwin", "Dockerfile"], stubs={"uname": answers % ("Darwin", "arm64", "Darwin")})
        refused(folder, ["tools/deps", "zig"], ["names none for a machine that is s390x"], stubs={"uname": answers % ("Linux", "s390x", "Linux")})


def test_a_missing_tool_is_named_with_its_package():
    with tree(archives=True, tools=True) as folder:
        for tool, package in (("perl", "perl"), ("make", "make"), ("cmake", "cmake"), ("ninja", "ninja-build"), ("llvm-objcopy", "llvm")):
            without = folder / f"without-{tool}"
            without.mkdir()
            for place in reversed(os.environ["PATH"].split(":")):
                for program in os.scandir(place) if os.path.isdir(place) else ():
                    (without / program.name).unlink(missing_ok=True)
                    if program.name != tool:
                        (without / program.name).symlink_to(program.path)
            refused(folder, ["./dev", "package"], [f"{tool} is missing", f"Debian's package {package}"],
                    stubs={"dpkg-query": "echo installed"}, environment={"PATH": f"{folder}/stubs:{without}"})


def test_a_missing_package_that_apt_cannot_install_is_named():
    lacks_perl = 'case "$*" in *" perl") exit 1 ;; *) echo installed ;; esac'
    unreachable = "echo the archive is unreachable; exit 100"
    with tree() as folder:
        said = refused(folder, ["tools/deps", "package"], ["installing with apt: perl\n", "the archive is unreachable", "apt could not install perl"],
                       stubs={"dpkg-query": lacks_perl, "apt-get": unreachable, "id": "echo 0"})
        said += refused(folder, ["tools/deps", "package"], ["installing with apt: perl\n", "apt could not install perl"],
                        stubs={"dpkg-query": lacks_perl, "id": "echo 1000", "sudo": unreachable})
        expect("llvm" not in said, said)


def test_without_a_network_each_source_is_named_with_its_place_and_hash():
    versions, hashes = locked()
    with tree(tools=True) as folder:
        for name in ("openssl", "curl"):
            refused(folder, ["tools/deps", "source", name], [f"put {name}-{versions[name]}.tar.gz with SHA-256 {hashes[name]} at build/deps/sources/{name}-{versions[name]}.tar.gz"])
        refused(folder, ["./dev", "package"], ["openssl: neither"])
        (folder / "build/deps/yyjson").unlink()
        refused(folder, ["./dev", "package"], ["yyjson: neither", "put yyjson.h and yyjson.c"])
    with tree() as folder:
        said = refused(folder, ["tools/deps", "zig"], [f"zig {versions['ziglang']} could not be fetched", "into build/deps/sources", "SHA-256"])
        name, digest = re.search(r"put (\S+) with SHA-256 ([0-9a-f]{64})", said).groups()
        expect(f"{name} {digest}" in (ROOT / "tools/deps.lock").read_text(), name, digest)


def test_a_source_of_another_hash_is_not_used():
    versions, hashes = locked()
    with tree(tools=True) as folder:
        archive = folder / f"build/deps/sources/openssl-{versions['openssl']}.tar.gz"
        archive.parent.mkdir()
        archive.write_bytes(b"another archive")
        refused(folder, ["tools/deps", "source", "openssl"], ["isn't what tools/deps.lock names", hashlib.sha256(b"another archive").hexdigest(), hashes["openssl"]])
        # A server that sends something else is no better.
        refused(folder, ["tools/deps", "source", "curl"], ["curl: neither"],
                stubs={"curl": 'while [ "$1" != -o ]; do shift; done; echo other >"$2"'})
        expect(not (archive.parent / f"curl-{versions['curl']}.tar.gz").exists())


def toolchain(folder, version, named=None):
    """A compiler that is no more than its version, in an archive that the copy's tools/deps.lock names, or one of another hash."""
    name = f"ziglang-{version}-py3-none-any_x86_64_aarch64.whl"
    archive = folder / "build/deps/sources" / name
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("ziglang/zig", f"#!/bin/sh\necho {version}\n")
    digest = named or hashlib.sha256(archive.read_bytes()).hexdigest()
    lock = folder / "tools/deps.lock"
    others = [line for line in lock.read_text().splitlines() if not line.startswith("ziglang ")]
    lock.write_text("\n".join([*others, f"ziglang {version} {name} {digest}"]) + "\n")


def test_a_toolchain_of_another_version_is_replaced():
    with tree() as folder:
        zig = folder / "build/tools/zig/bin/zig"
        script(zig, "echo 0.1.0")
        toolchain(folder, "9.8.7")
        status, said = say(folder, "tools/deps", "zig")
        expect(status == 0 and "has zig 0.1.0, and tools/deps.lock names 9.8.7: it is replaced" in said, said)
        expect(subprocess.run([zig, "version"], capture_output=True, text=True).stdout == "9.8.7\n")
        expect(say(folder, "tools/deps", "zig") == (0, ""), "the second call has nothing to do")
        expect([entry.name for entry in (folder / "build/tools").iterdir()] == ["zig"], "something is left")


def test_a_toolchain_that_cannot_be_replaced_stays_and_is_refused():
    with tree() as folder:
        zig = folder / "build/tools/zig/bin/zig"
        script(zig, "echo 0.1.0")
        toolchain(folder, "9.8.7", named="0" * 64)
        refused(folder, ["tools/deps", "zig"], ["has zig 0.1.0", "could not be fetched", "nothing like it", "SHA-256 " + "0" * 64],
                stubs={"python3": "echo nothing like it; exit 1"})
        expect(zig.exists())
        toolchain(folder, "9.8.7")
        lock = folder / "tools/deps.lock"
        lock.write_text(lock.read_text().replace("ziglang 9.8.7", "ziglang 9.9.9"))
        refused(folder, ["tools/deps", "zig"], ["zig 9.9.9 does not run on this machine"])
        expect([entry.name for entry in (folder / "build/tools").iterdir()] == ["zig"] and zig.exists(), "something is left, or nothing")


def test_a_time_that_no_zip_can_tell_is_refused():
    with tree(archives=True, tools=True, built=True) as folder:
        for word in ("yesterday", "-1", "315532799", "4354819200", "99999999999"):
            refused(folder, ["tools/package", this_arch()], [f"SOURCE_DATE_EPOCH is {word}"], environment={"SOURCE_DATE_EPOCH": word})
        expect(not (folder / "build/package").exists())
        status, said = say(folder, "tools/package", this_arch(), environment={"SOURCE_DATE_EPOCH": "1700000001"})
        expect(status == 0, said)
        with zipfile.ZipFile(folder / f"build/package/bootstrap-{this_arch()}.zip") as archive:
            expect({entry.date_time for entry in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)})


def test_libraries_in_a_folder_that_was_moved_are_found():
    with tree(tools=True) as folder:
        into = folder / f"build/deps/static-{this_arch()}"
        shutil.copytree(ROOT / f"build/deps/static-{this_arch()}", into)
        described = sorted(into.glob("lib/pkgconfig/*.pc"))
        expect(len(described) == 4, described)
        for file in described:
            file.write_text(re.sub(r"^prefix=.*", "prefix=/where/it/was", file.read_text(), flags=re.M))
        expect(say(folder, "tools/static", this_arch()) == (0, ""), "nothing is built")
        for file in described:
            expect(f"\nprefix={into}\n" in file.read_text() and "/where/it/was" not in file.read_text(), file.read_text())


def test_what_was_not_built_is_told():
    with tree(archives=True, tools=True) as folder:
        refused(folder, ["tools/package", "arm64"], ["build/package-arm64/bootstrap is missing", "./dev package arm64"])
        refused(folder, ["tools/package"], ["usage"])
        refused(folder, ["tools/package", "mips"], ["usage"])
        (folder / "build/deps/sources").unlink()
        refused(folder, ["tools/package", "arm64"], ["build/deps/sources/openssl-", "is missing"])
    with tree(archives=True, built=True) as folder:
        (folder / "build/tools").mkdir()
        (folder / "build/tools/zig").symlink_to(ROOT / "build/tools/zig")
        refused(folder, ["tools/package", "arm64"], ["zopfli, which packs the zip, can't be loaded", "./dev package"])
    with tree() as folder:
        refused(folder, ["tools/deps", "zopfli"], ["zopfli ", "could not be fetched", "into build/deps/sources", "SHA-256"])


# ── a full disk ───────────────────────────────────────────────────────────────────────────────────────────────────────

SMALL_DISK = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c"]


def on_a_small_disk(folder, place, kilobytes, command):
    """(exit status, what it says, the files of that place afterwards {name: bytes}) of a command while that place is a disk of that size"""
    if subprocess.run([*SMALL_DISK, "mount -t tmpfs none /mnt"], capture_output=True).returncode:
        sys.exit("this test can't run here: a small disk is mounted by root, or in a user namespace of one's own")
    (folder / "after").mkdir()
    words = (f"mount -t tmpfs -o size={kilobytes}k none {place} && cp -a before/. {place} && {{ {command}; echo $? >after/status; }} ; "
             f"cp -a {place} after/files 2>/dev/null")
    _, said = say(folder, *SMALL_DISK, words)
    status = int((folder / "after/status").read_text())
    files = {str(path.relative_to(folder / "after/files")): path.read_bytes() for path in (folder / "after/files").rglob("*") if path.is_file()}
    return status, said, files


def test_a_full_disk_leaves_the_archive_that_was_there():
    arch = this_arch()
    with tree(archives=True, tools=True, built=True) as folder:
        (folder / "build/package").mkdir()
        (folder / "before").mkdir()
        (folder / f"before/bootstrap-{arch}.zip").write_bytes(b"the last one")
        status, said, files = on_a_small_disk(folder, "build/package", 400, f"tools/package {arch}")
        expect(status == 1 and "no space left on the disk; what was there stays" in said and "Traceback" not in said, said)
        expect(files == {f"bootstrap-{arch}.zip": b"the last one"}, {name: len(content) for name, content in files.items()})


def test_a_disk_that_fills_while_building_is_told():
    with tree() as folder:
        for arch in ARCHS:
            script(folder / f"before/deps/static-{arch}/key", "")
        for name in ("deps/sources", "deps/yyjson", "tools"):
            (folder / "before" / name).symlink_to(ROOT / "build" / name)
        script(folder / "tools/static", "exit 0")  # as if the libraries were there
        status, said, files = on_a_small_disk(folder, "build", 200, "./dev package")
        expect(status == 1 and "no space left in build; free some" in said, said)
        expect(not any(name.endswith(".zip") for name in files), files.keys())


def test_a_limit_of_a_files_size_is_told():
    arch = this_arch()
    with tree(archives=True, tools=True, built=True) as folder:
        refused(folder, ["sh", "-c", f"ulimit -f 500; exec tools/package {arch}"], ["could not be written", "ulimit -f"])
        left = [str(path) for path in (folder / "build/package").rglob("*") if path.is_file()]
        expect(not left, left)


def main():
    test = globals().get(f"test_{sys.argv[1]}") if len(sys.argv) == 2 else None
    if test is None:
        sys.exit(__doc__)
    test()


if __name__ == "__main__":
    main()
