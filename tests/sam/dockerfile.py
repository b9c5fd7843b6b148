#!/usr/bin/env python3
"""dockerfile.py - Dockerfile makes this machine's package, and it is the one that ./dev package makes here, byte by byte.

As root, with a Docker engine: tools/with-docker --network tests/sam/dockerfile.py. The base image is Debian as debootstrap makes it, so that no
registry of images is asked; the image is built of it by the Dockerfile, with the machine's network; the package is made without one, of the
archives and libraries that this folder holds already, in a copy of the working tree. What it made is removed.
"""
import contextlib, os, pathlib, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/package"))
import reproducible

ARCH = reproducible.this_arch()
DEBIAN = "bookworm"
# What a machine needs to reach its archive, and what the base's own programs would stumble over.
ACQUIRE = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::Retries")


def say(words):
    print(words, flush=True)


def run(*command, status=0, **how):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **how)
    if status is not None and done.returncode != status:
        sys.exit(f"dockerfile: `{' '.join(map(str, command[:4]))} …` ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done


def mirror():
    """This machine's own, where it is Debian; else debootstrap's."""
    shown = run("apt-get", "indextargets", "--format", "$(REPO_URI)", status=None).stdout.split()
    return next((one for one in shown if one.rstrip("/").endswith("/debian")), None)


def settings():
    """How this machine reaches its archive."""
    lines = run("apt-config", "dump", *ACQUIRE).stdout.splitlines()
    return "".join(line + "\n" for line in lines if not line.endswith('"";'))


def make_base(scratch, image):
    if not shutil.which("debootstrap"):
        sys.exit("dockerfile: debootstrap is missing, which makes the base image: tools/deps docker installs it")
    say(f"debootstrap makes Debian {DEBIAN}, the base image")
    base = scratch / "base"
    address = mirror()
    run("debootstrap", "--variant=minbase", DEBIAN, base, *([address] if address else []))
    (base / "etc/apt/apt.conf.d/90-this-machine").write_text(settings())
    certificates = pathlib.Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    if certificates.is_file():
        (base / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
        shutil.copy(certificates, base / "etc/ssl/certs/ca-certificates.crt")
    tar = subprocess.Popen(["tar", "-C", base, "--exclude=./var/cache/apt/archives/*", "-c", "."], stdout=subprocess.PIPE)
    run("docker", "import", "-", image, stdin=tar.stdout)
    if tar.wait():
        sys.exit("dockerfile: tar could not read the base")


def make_image(base, image):
    say("docker build: the image, by the Dockerfile, with the machine's network")
    shown = {name: os.environ[name] for name in ("http_proxy", "https_proxy", "no_proxy") if name in os.environ}
    arguments = [word for name, value in shown.items() for word in ("--build-arg", f"{name}={value}")]
    # The plain builder, which every Docker has.
    run("docker", "build", "--network", "host", "--build-arg", f"BASE={base}", *arguments, "-t", image, ROOT, env={**os.environ, "DOCKER_BUILDKIT": "0"})


def stock(tree):
    """The archives, and the libraries where they are built: what a run without a network needs, and what saves minutes."""
    into = tree / "build/deps"
    into.mkdir(parents=True)
    for name in ("sources", "yyjson", f"static-{ARCH}"):
        if (ROOT / "build/deps" / name / ("key" if name.startswith("static") else "")).exists():
            shutil.copytree(ROOT / "build/deps" / name, into / name, symlinks=True)
    say(f"for the run are there: {', '.join(sorted(entry.name for entry in into.iterdir()))}; the compiler is unpacked, and ours is built")


def in_docker(image, tree, *arguments, status=0):
    return run("docker", "run", "--rm", "--network", "none", "-v", f"{tree}:/latch", image, *arguments, status=status)


def check_sentences(image, tree):
    said = in_docker(image, tree, "riscv64", status=1).stderr
    if "there is no architecture riscv64" not in said:
        sys.exit(f"dockerfile: an unknown architecture isn't refused clearly: {said}")


def check_package(image, tree):
    say(f"docker run: the package for {ARCH}, without a network")
    say(in_docker(image, tree, ARCH).stdout.rstrip())
    reproducible.make(ROOT, ARCH)
    found = reproducible.differences(reproducible.package_of(ROOT, ARCH), reproducible.package_of(tree, ARCH))
    if found:
        sys.exit("dockerfile: it isn't the package that ./dev package makes here:\n  " + "\n  ".join(found))
    spoilt = {**reproducible.package_of(tree, ARCH)}
    spoilt["bootstrap"] = spoilt["bootstrap"][:-1] + b"\0\0"
    if not reproducible.differences(reproducible.package_of(ROOT, ARCH), spoilt):
        sys.exit("dockerfile: a package with another last byte is not told apart: this proof proves nothing")
    say("Dockerfile ok: the same bytes as ./dev package makes here")


def main():
    if os.geteuid():
        sys.exit("dockerfile: debootstrap needs root: sudo tools/with-docker --network tests/sam/dockerfile.py")
    run(ROOT / "tools/deps", "zig-archive", cwd=ROOT)
    names = [f"latch-{what}-{os.getpid()}" for what in ("base", "package")]
    with tempfile.TemporaryDirectory(prefix="latch-dockerfile-") as scratch, contextlib.ExitStack() as undo:
        scratch = pathlib.Path(scratch)
        undo.callback(lambda: run("docker", "image", "rm", "--force", *names, status=None))
        make_base(scratch, names[0])
        make_image(*names)
        tree = scratch / "latch"
        reproducible.copy_tree(tree, 1_000_000_000)
        stock(tree)
        check_sentences(names[1], tree)
        check_package(names[1], tree)


if __name__ == "__main__":
    main()
