#!/usr/bin/env python3
"""install.py BUILDS BUILD TEST - one test of Latch as a library. BUILDS has release and package-ARCH, which set_up installs into a folder of
its own, named in BUILD/install.prefix; BUILD is a build with sanitizers. Each test_… below is one entry of ctest.
A test that lacks what it needs fails, and its last line says what.

Programs are built with a bare environment, and nothing that is built may name the checkout.
"""
import hashlib, json, os, pathlib, re, shlex, shutil, stat, subprocess, sys, tempfile, zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILDS, BUILD = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
NOTE = BUILD / "install.prefix"
ARCHS = ("x86_64", "arm64")
C = ["-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wstrict-prototypes", "-Werror"]
CXX = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]


def prefix():
    return pathlib.Path(NOTE.read_text()) / "moved to here"


def environment(home, **more):
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    zig = BUILDS / "tools/zig"  # with the C library that it has compiled already
    return {**kept, "HOME": str(home), "LATCH_PREFIX": str(prefix()), "LATCH_ZIG": str(zig / "bin/zig"), "ZIG_GLOBAL_CACHE_DIR": str(zig / "cache"),
            "ZIG_LOCAL_CACHE_DIR": str(zig / "cache"), **more}


def run(*command, cwd, status=0, timeout=280, **more):
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=timeout, env=environment(cwd, **more))
    assert status is None or done.returncode == status, f"{command[0]}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def says(done, *words):
    text = done.stdout + done.stderr
    flat = " ".join(text.split())  # cmake breaks lines
    for word in words:
        assert word in flat, f"{word!r} isn't in:\n{text}"


class Folder:
    """An empty folder of its own, away from the checkout."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="latch-install."))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


# ── the prefix ────────────────────────────────────────────────────────────────────────────────────────────────────────


def set_up():
    clean_up()
    there = pathlib.Path(tempfile.mkdtemp(prefix="latch-prefix."))
    NOTE.write_text(str(there))
    for build in ("release", *(f"package-{arch}" for arch in ARCHS)):
        if build != "release" and not (BUILDS / build / "install/liblatch.a").exists():
            print(f"not installed: {build} isn't built")
            continue
        subprocess.run(["cmake", "--install", BUILDS / build, "--prefix", there / "first"], check=True, stdout=subprocess.DEVNULL)
    (there / "first").rename(there / "moved to here")


def clean_up():
    if NOTE.exists():
        shutil.rmtree(NOTE.read_text(), ignore_errors=True)
        NOTE.unlink()


def headers():
    return sorted(path.relative_to(prefix() / "include") for path in (prefix() / "include").rglob("*.h"))


def test_nothing_in_it_names_the_checkout():
    """But for debugging information in what is linked for Lambda, which names sources."""
    inside = f"{ROOT}/".encode()
    for path in prefix().rglob("*"):
        debuggable = path.suffix == ".a" and path.parent.name in ARCHS
        assert debuggable or not path.is_file() or inside not in path.read_bytes(), path


def test_only_what_a_handlers_author_includes_is_there():
    found = {str(path) for path in headers()}
    assert {"latch.h", "latch_test.h", "latch/core/json.h", "latch/store/lock.h", "latch/runtime/handler.h"} <= found
    assert not [name for name in found if "private" in name or "embedded" in name or name in ("latch/core/node.h", "latch/store/table.h", "latch/store/client.h")], found
    for name in found:
        for included in re.findall(r'#include "([^"]+)"', (prefix() / "include" / name).read_text()):
            assert included in found, f"{name} includes {included}, which isn't installed"


def test_each_header_is_c_and_cplusplus_by_itself():
    with Folder() as home:
        for header in headers():
            for compiler, language, flags in (("gcc", "c", C), ("clang", "c", C), ("g++", "c++", CXX), ("clang++", "c++", CXX)):
                source = home / "nothing"
                source.write_text(f"#include <{header}>\nint latch_nothing_to_see;\n")
                run(compiler, "-x", language, *flags, "-I", prefix() / "include", "-c", "-o", os.devnull, source, cwd=home)


# Of what is deployed: core/bytes.c takes the place of the libc's, which goes byte by byte there.
OF_THE_LIBC = {"memcpy", "memmove", "memset", "memcmp", "bcmp", "memchr"}


def test_the_libraries_export_no_name_but_ours():
    libraries = [prefix() / "lib/liblatch.a", prefix() / "lib/liblatch_test.a", *(prefix() / f"lib/latch").glob("*/liblatch.a")]
    for library in libraries:
        lines = subprocess.run(["nm", "--extern-only", "--defined-only", library], capture_output=True, text=True, check=True).stdout.splitlines()
        names = [line.split()[2] for line in lines if len(line.split()) == 3]
        deployed = library.parent.name in ("x86_64", "arm64")
        others = {name for name in names if not name.startswith("latch_")}
        assert len(names) > 10 and others == (OF_THE_LIBC if deployed else set()), (library, sorted(others))


# ── programs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

PROGRAM = """#include <latch.h>

static const latch_once orders = {.name = "order", .work = NULL};
static const latch_attempts tries = {.name = "try", .max = 1, .window_ms = LATCH_HOUR_MS};

static latch_status answer(latch_ctx *cx, latch_event *event) {
    latch_json json;
    latch_str name;
    latch_attempt attempt;
    (void)orders;
    LATCH_TRY(latch_event_json(event, &json));
    LATCH_TRY(latch_read(json, "name", &name));
    LATCH_TRY(latch_attempts_take(cx, &tries, name, LATCH_NULL, &attempt));
    return latch_event_reply(event, latch_object(cx, "name", name, "used", attempt.used));
}

static const latch_handler handlers[] = {{.name = "answer", .event = answer, .stores = true}};
int main(void) { return LATCH_RUN(handlers); }
"""

CMAKE = """cmake_minimum_required(VERSION 3.22)
project(program LANGUAGES {language})
find_package(latch 0.1 REQUIRED)
latch_add_function(bootstrap main.{suffix})
"""


def answered(bootstrap, home, *emulator, name="Ada"):
    event = home / "answer.json"
    event.write_text(json.dumps({"name": name}))
    done = run(prefix() / "bin/latch-local", "invoke", "--json", "--function", "answer", event, "--", *emulator, bootstrap, cwd=home)
    line = json.loads(done.stdout.splitlines()[0])
    assert line["outcome"] == "answered" and json.loads(line["answer"]) == {"name": name, "used": 1}, done.stdout
    return done


def not_named(folder):
    """Nothing that was built depends on the checkout, zig's own path in a log aside."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.suffix in (".ninja", ".d", ".make", ".cmake", ".pc", "") and path.name != "CMakeOutput.log":
            data = path.read_bytes()
            for at in re.finditer(re.escape(str(ROOT).encode()) + rb"/(?!build/tools/zig)", data):
                raise AssertionError(f"{path} names {data[at.start():at.start() + 120]}")


def cmake(home, *options, status=0, build="build"):
    return run("cmake", "-S", home, "-B", home / build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix()}", *options, cwd=home, status=status)


def test_a_program_by_cmake():
    with Folder() as home:
        (home / "main.c").write_text(PROGRAM)
        (home / "CMakeLists.txt").write_text(CMAKE.format(language="C", suffix="c"))
        cmake(home, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON")
        run("ninja", "-C", home / "build", cwd=home)
        answered(home / "build/bootstrap", home)
        not_named(home / "build")


def test_a_newer_version_is_not_found():
    with Folder() as home:
        (home / "main.c").write_text(PROGRAM)
        (home / "CMakeLists.txt").write_text(CMAKE.format(language="C", suffix="c").replace("latch 0.1", "latch 0.2"))
        says(cmake(home, status=1), 'compatible with requested version "0.2"')


def pkg_config(home, *arguments, **where):
    """Its words; it escapes the blank that is in the prefix's name."""
    where = where or {"PKG_CONFIG_PATH": str(prefix() / "lib/pkgconfig")}
    return shlex.split(run("pkg-config", *arguments, cwd=home, **where).stdout)


def test_a_program_by_pkg_config():
    with Folder() as home:
        (home / "main.c").write_text(PROGRAM)
        (home / "Makefile").write_text(f"bootstrap: main.c\n\t$(CC) {' '.join(C)} main.c -o $@ $(shell pkg-config --cflags --libs latch)\n")
        run("make", cwd=home, PKG_CONFIG_PATH=str(prefix() / "lib/pkgconfig"))
        answered(home / "bootstrap", home)
        version = pkg_config(home, "--modversion", "latch")
        assert version == re.findall(r"project\(latch VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())


def arch_or_fail(arch):
    if not (prefix() / f"lib/latch/{arch}/liblatch.a").exists():
        sys.exit(f"there is no package for {arch}: ./dev package {arch} makes what is missing")
    here = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    emulator = {"x86_64": "/usr/bin/qemu-x86_64-static", "arm64": "/usr/bin/qemu-aarch64-static"}[arch]
    return [] if arch == here else [emulator] if os.path.exists(emulator) else None


def static_by_pkg_config(arch):
    emulator = arch_or_fail(arch)
    zig = {"x86_64": "x86_64", "arm64": "aarch64"}[arch]
    with Folder() as home:
        (home / "main.c").write_text(PROGRAM)
        zig_cc = str(prefix() / "share/latch/tools/zig-cc").replace(" ", "\\ ")
        (home / "Makefile").write_text(f"bootstrap: main.c\n\t{zig_cc} {zig} -O2 -static {' '.join(C)} main.c -o $@ $(shell pkg-config --static --cflags --libs latch)\n")
        run("make", cwd=home, PKG_CONFIG_LIBDIR=str(prefix() / f"lib/latch/{arch}/pkgconfig"))
        static_file(home / "bootstrap")
        if emulator is not None:
            answered(home / "bootstrap", home, *emulator)


def static_file(path):
    headers = subprocess.run(["readelf", "--program-headers", "--dynamic", path], capture_output=True, text=True, check=True).stdout
    assert "INTERP" not in headers and "NEEDED" not in headers, headers


def test_a_static_program_by_pkg_config_for_x86_64():
    static_by_pkg_config("x86_64")


def test_a_static_program_by_pkg_config_for_arm64():
    static_by_pkg_config("arm64")


OWN_BYTES = {
    "memcpy": """#include <string.h>
void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    volatile char *at = to;
    if (n == 4711) __builtin_trap();
    for (size_t i = 0; i < n; i++)
        at[i] = ((const char *)from)[i];
    return to;
}
""",
    # One may be made of another: that one is Latch's, and doesn't ask this one in its turn.
    "memmove": """#include <string.h>
void *memmove(void *to, const void *from, size_t n) {
    volatile char *at = to;
    const char *in = from;
    if (n == 4711) __builtin_trap();
    if (in >= (char *)to + n || (char *)to >= in + n) return memcpy(to, from, n);
    for (size_t i = 0; i < n; i++) {
        size_t k = (char *)to < in ? i : n - 1 - i;
        at[k] = in[k];
    }
    return to;
}
""",
    "memcmp": """#include <string.h>
int bcmp(const void *left, const void *right, size_t n);
int memcmp(const void *left, const void *right, size_t n) {
    const unsigned char *a = left, *b = right;
    if (n == 4711) __builtin_trap();
    if (bcmp(left, right, n) == 0) return 0;
    while (*a == *b)
        a++, b++;
    return *a - *b;
}
""",
}


def own_bytes(name):
    """Latch's, which are in the place of the libc's, are weak: the program's is the one, and the others stay."""
    arch = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    arch_or_fail(arch)
    with Folder() as home:
        (home / "main.c").write_text(PROGRAM)
        (home / "bytes.c").write_text(OWN_BYTES[name])
        zig_cc = prefix() / "share/latch/tools/zig-cc"
        flags = pkg_config(home, "--static", "--cflags", "--libs", "latch", PKG_CONFIG_LIBDIR=str(prefix() / f"lib/latch/{arch}/pkgconfig"))
        build = (zig_cc, os.uname().machine, "-O2", "-static", "-fno-builtin", *C, home / "main.c", home / "bytes.c", "-o", home / "bootstrap")
        run(*build, *flags, cwd=home)
        answered(home / "bootstrap", home)
        code = subprocess.run(["objdump", f"--disassemble={name}", home / "bootstrap"], capture_output=True, text=True, check=True).stdout
        assert re.search(r"0x1267\b|#4711|#0x1267", code), f"it isn't the program's own:\n{code}"


def test_a_static_program_with_a_memcpy_of_its_own():
    own_bytes("memcpy")


def test_a_static_program_with_a_memmove_of_its_own():
    own_bytes("memmove")


def test_a_static_program_with_a_memcmp_of_its_own():
    own_bytes("memcmp")


def test_a_program_with_a_yyjson_of_its_own():
    """Its functions have the names of the one in liblatch.a, and would end the program."""
    own = "".join(f"void {name}(void);\nvoid {name}(void) {{ __builtin_trap(); }}\n" for name in
                  re.findall(r"^#define (\w*yyjson_\w+) ", (ROOT / "cmake/yyjson-names.h").read_text(), re.M))
    assert own.count("trap") > 30
    with Folder() as home:
        (home / "main.c").write_text(PROGRAM + own)
        flags = pkg_config(home, "--cflags", "--libs", "latch")
        run("gcc", *C, home / "main.c", "-o", home / "bootstrap", *flags, cwd=home)
        answered(home / "bootstrap", home)


CPLUSPLUS = """#include <latch.h>

namespace {
latch_pair pair(const char *name, latch_str text) {
    latch_pair out = {};
    out.name = name;
    out.value.kind = LATCH_V_STR;
    out.value.as.str = text;
    return out;
}

latch_status answer(latch_ctx *cx, latch_event *event) {
    latch_json json = LATCH_NULL;
    latch_str name = {};
    latch_attempt attempt;
    latch_attempts tries = {};
    tries.name = "try";
    tries.max = 1;
    tries.window_ms = LATCH_HOUR_MS;
    const latch_field fields[] = {{"name", {LATCH_INTO_STR, false, 1, 100, 0, &name}}, {}};
    LATCH_TRY(latch_event_json(event, &json));
    LATCH_TRY(latch_read_(json, fields));
    LATCH_TRY(latch_attempts_take(cx, &tries, name, LATCH_NULL, &attempt));
    latch_pair used = pair("used", {});
    used.value.kind = LATCH_V_INT;
    used.value.as.i = attempt.used;
    const latch_pair pairs[] = {pair("name", name), used, {}};
    return latch_event_reply(event, latch_object_(cx, pairs));
}
}  // namespace

int main() {
    latch_handler handlers[1] = {};
    handlers[0].name = "answer";
    handlers[0].event = answer;
    handlers[0].stores = true;
    return LATCH_RUN(handlers);
}
"""


def test_a_handler_in_cplusplus():
    for compiler in ("g++", "clang++"):
        with Folder() as home:
            (home / "main.cc").write_text(CPLUSPLUS)
            (home / "CMakeLists.txt").write_text(CMAKE.format(language="C CXX", suffix="cc"))
            cmake(home, f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CXX_FLAGS={' '.join(CXX[1:])}")
            run("ninja", "-C", home / "build", cwd=home)
            answered(home / "build/bootstrap", home)


# ── a prefix that isn't whole ─────────────────────────────────────────────────────────────────────────────────────────


def without(name):
    """The prefix again, without one of its files."""
    class Copy(Folder):
        def __enter__(self):
            home = super().__enter__()
            shutil.copytree(prefix(), home / "prefix", copy_function=os.link)
            (home / "prefix" / name).unlink()
            return home
    return Copy()


def test_twin_a_missing_file_is_named():
    for name in ("include/latch/core/json.h", "include/latch_test.h", "lib/liblatch.a", "lib/liblatch_test.a"):
        with without(name) as home:
            (home / "main.c").write_text(PROGRAM)
            (home / "CMakeLists.txt").write_text(CMAKE.format(language="C", suffix="c"))
            done = run("cmake", "-S", home, "-B", home / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={home}/prefix", cwd=home, status=1)
            says(done, name, "is missing from this installation of Latch")


def test_a_build_with_sanitizers_is_not_installed():
    with Folder() as home:
        done = run("cmake", "--install", BUILD, "--prefix", home / "p", cwd=home, status=1)
        says(done, "isn't for installing", "./dev install")
        assert not (home / "p").exists()


# ── a new project ─────────────────────────────────────────────────────────────────────────────────────────────────────


def new(home, name="my-project", *more, status=0):
    return run(prefix() / "bin/latch-new", name, *more, cwd=home, status=status)


def test_a_new_project_builds_and_runs():
    with Folder() as home:
        says(new(home), "my-project is made", "./dev test")
        project = home / "my-project"
        assert "my-function" not in "".join(path.read_text() for path in project.rglob("*") if path.is_file())
        says(run("./dev", "test", cwd=project), "100% tests passed")
        says(run("./dev", "run", cwd=project), "4 events, 4 ok")
        says(run("./dev", "help", cwd=project), "package")
        not_named(project)
        assert not re.search("warning", (project / "build/debug.log").read_text())


def test_a_new_project_needs_no_git_and_any_folder():
    with Folder() as home:
        (home / "a b").mkdir()
        new(home, "other", home / "a b" / "c d")
        says(run("./dev", "test", cwd=home / "a b" / "c d"), "100% tests passed")


def test_a_new_project_is_refused():
    with Folder() as home:
        for name in ("", "1st", "a", "a_b", "a b", "a/b", "../up", "-x", "é", "a" * 65):
            says(new(home, name, status=2), "is no name", "begins with a letter")
        says(new(home, "--help"), "usage")
        says(new(home, "-h"), "usage")
        says(run(prefix() / "bin/latch-new", cwd=home, status=2), "usage")
        (home / "there").mkdir()
        says(new(home, "there", status=1), "is there already")
        (home / "dangling").symlink_to("nowhere")
        says(new(home, "dangling", status=1), "is there already")
        says(new(home, "fine", "no/such/folder", status=1), "there is no folder no/such")
        says(new(home, "fine", "", status=1), "empty")
        assert sorted(path.name for path in home.iterdir()) == ["dangling", "there"]


def test_a_new_project_may_be_called_as_an_option_is():
    with Folder() as home:
        says(new(home, "fine", "-x"), "./-x is made", "cd ./-x && ./dev test")
        says(new(home, "fine", "a b"), "cd a\\ b && ./dev test")
        assert sorted(path.name for path in home.iterdir()) == ["-x", "a b"]


def test_an_installation_that_nobody_may_write_to_makes_projects():
    """As somebody whom permissions concern, root is not."""
    with Folder() as home:
        (home / "prefix/share/latch").mkdir(parents=True)
        shutil.copytree(prefix() / "share/latch/starter", home / "prefix/share/latch/starter")
        shutil.copytree(prefix() / "bin", home / "prefix/bin")
        (home / "mine").mkdir()
        subprocess.run(["chmod", "-R", "a-w,a+rX", home / "prefix"], check=True)
        home.chmod(0o755)
        (home / "mine").chmod(0o777)
        nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] if os.getuid() == 0 else []
        says(run(*nobody, home / "prefix/bin/latch-new", "hello", cwd=home / "mine"), "hello is made")
        assert [path.name for path in (home / "mine").iterdir()] == ["hello"], "it left something"
        assert all(path.stat().st_mode & stat.S_IWUSR for path in (home / "mine").rglob("*"))
        subprocess.run(["chmod", "-R", "u+w", home / "prefix"], check=True)


# Stands for the project's ./dev, which takes minutes: what it is called with.
PACKAGES = """#!/bin/sh
mkdir -p "$(dirname "$0")/build/package/$2" && cd "$(dirname "$0")/build/package/$2" && echo "$@" | tee bootstrap LICENSES.txt
"""


def test_make_builds_what_the_template_says_in_any_folder():
    for folder, more, word, wanted in (("plain", {}, None, "x86_64"), ("a b/c  d", {}, None, "x86_64"), ("other", {"ARCH": "arm64"}, None, "x86_64"),
                                       ("said", {}, "ARCH=arm64", "arm64")):
        with Folder() as home:
            project = home / folder
            project.parent.mkdir(exist_ok=True)
            new(home, "hello", project)
            (project / "dev").write_text(PACKAGES)
            for where, file in ((project, []), (home, ["--makefile", project / "Makefile"])):
                run("make", *file, "build-Hello", f"ARTIFACTS_DIR={home}/out put", *([word] if word else []), cwd=where, **more)
                assert (home / "out put/bootstrap").read_text() == f"package {wanted}\n", (folder, where)
                shutil.rmtree(home / "out put")


def test_the_checkout_makes_the_same_project():
    with Folder() as home:
        new(home, "one")
        done = subprocess.run([ROOT / "dev", "new", "one", "two"], cwd=home, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert subprocess.run(["diff", "-r", "one", "two"], cwd=home).returncode == 0


def test_a_project_without_latch_says_so():
    with Folder() as home:
        new(home)
        project = home / "my-project"
        says(run("./dev", "test", cwd=project, status=1, LATCH_PREFIX=str(home)), "Latch isn't installed in any of", "./dev install")
        says(run("./dev", "fly", cwd=project, status=1), "no verb fly")
        says(run("./dev", "package", "riscv", cwd=project, status=1), "no architecture riscv")


def test_a_project_follows_latch_to_another_prefix():
    with Folder() as home:
        new(home)
        project = home / "my-project"
        for name in ("one", "another"):
            shutil.copytree(prefix(), home / name, copy_function=os.link)
        run("./dev", "build", cwd=project, LATCH_PREFIX=str(home / "one"))
        run("./dev", "build", cwd=project, LATCH_PREFIX=str(home / "another"))
        says(run("ninja", "-C", "build/debug", "-t", "commands", cwd=project), f"{home}/another/lib/liblatch.a")
        (home / "another").rename(home / "a third")
        shutil.rmtree(home / "one")
        run("./dev", "build", cwd=project, LATCH_PREFIX=str(home / "a third"))


def test_twin_a_handler_that_is_wrong_fails_its_test():
    with Folder() as home:
        new(home)
        source = home / "my-project/src/hello.c"
        right = source.read_text()
        assert right.count(".max = 2") == 1
        source.write_text(right.replace(".max = 2", ".max = 3"))
        says(run("./dev", "test", cwd=home / "my-project", status=None), "third->http_status == 429", "tests failed out of 1")
        done = run("./dev", "run", cwd=home / "my-project", status=1)
        says(done, "4 events, 3 ok")
        source.write_text(right.replace("LATCH_TRY(latch_http_json", "latch_http_json").replace("&body)); ", "&body); "))
        says(run("./dev", "build", cwd=home / "my-project"), "unused-result", "the compiler warns")


# ── what it deploys ───────────────────────────────────────────────────────────────────────────────────────────────────


def packaged(arch):
    emulator = arch_or_fail(arch)
    with Folder() as home:
        new(home)
        project = home / "my-project"
        run("./dev", "package", arch, cwd=project)
        file = project / f"build/package/{arch}/bootstrap"
        static_file(file)
        assert file.stat().st_size < 6_000_000, file.stat().st_size
        archive = project / f"build/package/bootstrap-{arch}.zip"
        with zipfile.ZipFile(archive) as zipped:
            modes = {entry.filename: stat.S_IMODE(entry.external_attr >> 16) for entry in zipped.infolist()}
            assert modes == {"bootstrap": 0o755, "LICENSES.txt": 0o644}, modes
            assert b"OpenSSL" in zipped.read("LICENSES.txt")
        first = hashlib.sha256(archive.read_bytes()).hexdigest()
        if emulator is not None:
            done = run(prefix() / "bin/latch-local", "invoke", "--timeout", "20", "--expect", "events/expect", "events", "--", *emulator, file, cwd=project)
            says(done, "4 events, 4 ok")
        new(home, "elsewhere")  # its name is in nothing that is compiled
        run("./dev", "package", arch, cwd=home / "elsewhere")
        again = hashlib.sha256((home / f"elsewhere/build/package/bootstrap-{arch}.zip").read_bytes()).hexdigest()
        assert again == first, "two folders, two zips"


def test_a_new_project_is_packaged_for_x86_64():
    packaged("x86_64")


def test_a_new_project_is_packaged_for_arm64():
    packaged("arm64")


def test_packaging_without_its_parts_says_what_is_missing():
    arch_or_fail("x86_64")
    with without("lib/latch/x86_64/liblatch.a") as home:
        new(home)
        project = home / "my-project"
        says(run("./dev", "package", cwd=project, status=1, LATCH_PREFIX=str(home / "prefix")), "without its libraries for x86_64", "./dev install")
        says(run("./dev", "package", cwd=project, status=1, LATCH_ZIG="/no/zig"), "LATCH_ZIG is /no/zig, which is no program")
        (home / "old").write_text("#!/bin/sh\necho 0.1.0\n")
        (home / "old").chmod(0o755)
        says(run("./dev", "package", cwd=project, status=1, LATCH_ZIG=str(home / "old")), "is zig 0.1.0, and this Latch was built with")
        (home / "prefix/share/latch/cmake/zig-x86_64.cmake").unlink()
        says(run("./dev", "package", cwd=project, status=1, LATCH_PREFIX=str(home / "prefix")), "can't package for x86_64")
        template = project / "template.yaml"
        template.write_text(template.read_text().replace("[x86_64]", "[sparc]"))
        says(run("./dev", "package", cwd=project, status=1), "Architectures: [x86_64], or [arm64]")


# Stands for python3, which fetches zig: what its pip brings is no zip where `spoilt` is there, and another has been quicker where `quicker` is.
FETCHES = """#!/bin/sh
case $2 in
venv)
  mkdir -p "$3/bin" && printf '#!/bin/sh\\n' >"$3/bin/pip" && chmod +x "$3/bin/pip" ;;
zipfile)
  [ ! -e "$HOME/spoilt" ] || { echo "no space left" >&2; exit 1; }
  mkdir -p "$5/ziglang" && cp "$HOME/zig-to-be" "$5/ziglang/zig"
  [ -e "$HOME/quicker" ] || exit 0
  there=$HOME/cache/latch/zig-1.2.3/ziglang
  mkdir -p "$there" && cp -p "$HOME/zig-to-be" "$there/zig" && echo "# in use" >>"$there/zig" ;;
esac
"""


def test_the_compiler_is_fetched_whole_or_not_at_all():
    with Folder() as home:
        tool, cache = home / "tools/zig", home / "cache/latch"
        for path, text in ((tool, (ROOT / "cmake/installed/zig").read_text()), (home / "bin/python3", FETCHES), (home / "zig-to-be", "#!/bin/sh\necho 1.2.3\n")):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        (home / "tools/zig.lock").write_text(f"ziglang 1.2.3 zig-{os.uname().machine}.whl {'0' * 64}\n")

        def get(**more):
            return run(tool, "--get", cwd=home, PATH=f"{home}/bin:{os.environ['PATH']}", LATCH_ZIG="", XDG_CACHE_HOME=str(home / "cache"), **more)

        (home / "spoilt").touch()
        says(get(status=1), "no space left", "could not be unpacked into")
        assert list(cache.iterdir()) == [], "it left something"
        (home / "spoilt").unlink()
        (home / "quicker").touch()
        get()
        assert "in use" in (cache / "zig-1.2.3/ziglang/zig").read_text(), "what another may be using was replaced"
        assert [path.name for path in cache.iterdir()] == ["zig-1.2.3"]
        shutil.rmtree(cache / "zig-1.2.3")
        (home / "quicker").unlink()
        assert get().stdout.strip() == str(cache / "zig-1.2.3/ziglang/zig")


def test_sam_builds_a_new_project():
    arch_or_fail("x86_64")
    sam = BUILDS / "tools/sam/bin/sam"
    with Folder() as home:
        new(home)
        project = home / "my-project"
        more = {"SAM_CLI_TELEMETRY": "0", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
                "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
        says(run(sam, "validate", "--lint", cwd=project, **more), "is a valid SAM Template")
        says(run(sam, "build", cwd=project, **more), "Build Succeeded")
        built = project / ".aws-sam/build/Hello"
        assert sorted(path.name for path in built.iterdir()) == ["LICENSES.txt", "bootstrap"]
        static_file(built / "bootstrap")


if __name__ == "__main__":
    {"set_up": set_up, "clean_up": clean_up}.get(sys.argv[3], globals().get("test_" + sys.argv[3]))()
