"""A stand-in for AWS's base image: what a static executable and SAM's own emulator need of one, which is little."""
import io, os, pathlib, shutil, struct, subprocess, sys, tarfile, uuid

from tools import IMAGE

APPLETS = ("sh", "ls", "cat", "mkdir", "mv", "chmod") # what SAM and the emulator's entry script call
FOLDERS = ("etc", "etc/ssl", "etc/ssl/certs", "tmp", "usr", "usr/bin", "var", "var/task", "var/runtime", "opt")
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
SETTINGS = ("WORKDIR /var/task", "ENV PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin", "ENV LAMBDA_TASK_ROOT=/var/task",
            "ENV LAMBDA_RUNTIME_DIR=/var/runtime")
LABEL = f"latch.stand-in={uuid.uuid4()}" # of this run; what is built on it has it too


def is_there(image=IMAGE):
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0


def is_static(executable):
    """A 64-bit ELF file without a loader's name in it (PT_INTERP is 3)."""
    content = pathlib.Path(executable).read_bytes()
    if content[:5] != b"\x7fELF\x02":
        return False
    headers, (size, count) = struct.unpack_from("<Q", content, 32)[0], struct.unpack_from("<HH", content, 54)
    return all(struct.unpack_from("<I", content, headers + at * size)[0] != 3 for at in range(count))


def archive():
    """The image's one layer. None: this machine lacks what it is made of, and what that is."""
    busybox = shutil.which("busybox")
    if busybox is None or not is_static(busybox):
        return None, "a static busybox: tools/deps docker installs it"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        files = {"etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n", "etc/group": b"root:x:0:\n", "usr/bin/busybox": pathlib.Path(busybox).read_bytes()}
        bundle = next((b for b in BUNDLES if os.path.exists(b)), None)
        if bundle:
            files["etc/ssl/certs/ca-certificates.crt"] = pathlib.Path(bundle).read_bytes()
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if name.startswith("usr/bin/") else 0o644
            tar.addfile(entry, io.BytesIO(content))
        for name, target in [("bin", "usr/bin"), *((f"usr/bin/{applet}", "busybox") for applet in APPLETS)]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return out.getvalue(), None


def make(image=IMAGE):
    """Imports it under AWS's tag. What went wrong, or None."""
    layer, missing = archive()
    if layer is None:
        return f"to make a stand-in for {image} takes {missing}"
    changes = [word for setting in (*SETTINGS, f"LABEL {LABEL}") for word in ("--change", setting)]
    done = subprocess.run(["docker", "import", *changes, "-", image], input=layer, capture_output=True)
    return None if done.returncode == 0 else done.stderr.decode()


def left():
    """The stand-in and what SAM built on it, by tag and, where it was built anew, without."""
    return sorted(set(subprocess.run(["docker", "images", "--quiet", "--filter", f"label={LABEL}"], capture_output=True, text=True).stdout.split()))


def remove():
    for _ in range(3): # one that another is built on goes after that one
        if left():
            subprocess.run(["docker", "image", "rm", "--force", *left()], capture_output=True)


if __name__ == "__main__":
    sys.exit("this is a part of tests/sam/run.py")
