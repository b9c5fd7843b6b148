"""What is deployed: the template, and what `sam build` makes of it."""
import struct

from tools import ROOT, SAM, functions_of

MACHINES = {"x86_64": 62, "arm64": 183} # e_machine of an ELF file
PT_INTERP = 3


def check_template(checks, world):
    done = world.run(SAM / "sam", "validate", "--lint")
    checks.that("sam validate --lint finds nothing", done.returncode == 0 and "is a valid SAM Template" in done.stdout + done.stderr, done.stdout + done.stderr)
    done = world.run(SAM / "cfn-lint", "template.yaml")
    checks.that("cfn-lint finds nothing", done.returncode == 0 and not done.stdout.strip(), done.stdout + done.stderr)
    wrong = world.folder / "wrong.yaml"
    wrong.write_text((ROOT / "template.yaml").read_text().replace("AWS::DynamoDB::Table", "AWS::DynamoDB::Tabel"))
    done = world.run(SAM / "cfn-lint", wrong)
    checks.finds("a resource type that is misspelt", [line for line in done.stdout.splitlines() if "Tabel" in line])


def elf(content):
    """Its machine, and whether it needs a loader: 64-bit little-endian, which both are."""
    if content[:6] != b"\x7fELF\x02\x01":
        return None, None
    headers, (size, count) = struct.unpack_from("<Q", content, 32)[0], struct.unpack_from("<HH", content, 54)
    needs_loader = any(struct.unpack_from("<I", content, headers + at * size)[0] == PT_INTERP for at in range(count))
    return struct.unpack_from("<H", content, 18)[0], needs_loader


def check_build(checks, world, arch, folder):
    """`sam build`, into a folder of this run: the user's .aws-sam stays as it is. Whether it left anything."""
    done = world.run(SAM / "sam", "build", "--build-dir", folder, "--parameter-overrides", f"Architecture={arch}", timeout=1800)
    if not checks.that(f"sam build makes the functions for {arch}", done.returncode == 0 and (folder / "template.yaml").exists(), done.stdout + done.stderr):
        return False
    package = (ROOT / "build/package" / arch / "bootstrap").read_bytes()
    names = functions_of(ROOT / "template.yaml")
    checks.that("template.yaml has functions", len(names) >= 4, names)
    for name in names:
        built = folder / name
        files = sorted(str(f.relative_to(built)) for f in built.rglob("*")) if built.is_dir() else []
        if not checks.equal(f"{name} for {arch} is one file", ["bootstrap"], files):
            continue
        content, mode = (built / "bootstrap").read_bytes(), (built / "bootstrap").stat().st_mode
        checks.that(f"{name}'s bootstrap is the package of {arch}", content == package, f"{len(content)} bytes beside {len(package)}")
        checks.equal(f"{name}'s bootstrap is for {arch}, and needs no loader", [MACHINES[arch], False], list(elf(content)))
        checks.that(f"{name}'s bootstrap may be executed", mode & 0o111 == 0o111, oct(mode))
    return True
