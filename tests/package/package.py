#!/usr/bin/env python3
"""package.py RELEASE PACKAGES ARCH TEST [EMULATOR…] - one test of what is deployed: PACKAGES/ARCH/bootstrap, which EMULATOR… runs where this
machine is of the other architecture. RELEASE holds latch-local and latch. Each test_… below is one entry of ctest; those that end with
_natively only where no emulator is needed.
"""
import contextlib, datetime, hashlib, json, os, pathlib, re, shutil, ssl, subprocess, sys, tempfile

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "e2e")]
import elf, tls
from service import Crowd, Function

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE, PACKAGES = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
ARCH, EMULATOR = sys.argv[3], sys.argv[5:]
FILE = PACKAGES / ARCH / "bootstrap"
BOOTSTRAP = [*EMULATOR, str(FILE)]
CRASHING = PACKAGES.parent / f"package-{ARCH}" / "tests/package/crash/crash_child"
PAGE = ROOT / "docs/package.md"
OTHER = {"x86_64": "arm64", "arm64": "x86_64"}[ARCH]


def cannot_run(why):
    sys.exit(f"this test can't run here: {why}")


def bare_environment():
    """What the shell has said of AWS and of us is not a function's business."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "SSL_", "_")) and not name.lower().endswith("_proxy")}


def run(*command, environment=None, status=0, timeout=100):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT, timeout=timeout,
                          env={**bare_environment(), **(environment or {})})
    assert status is None or done.returncode == status, f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def play(command, environment=None):
    """Every sample event twice, each answered as it must be."""
    done = run(RELEASE / "latch-local", "invoke", "--plays", "2", "--expect", "events/expect", "events", "--", *command, environment=environment)
    count = 2 * len(list((ROOT / "events").glob("*.json")))
    assert count >= 24 and done.stdout.rstrip().splitlines()[-1] == f"{count} events, {count} ok", done.stdout[-600:] + done.stderr[-600:]
    return done


def invoke(event, command, environment=None):
    """(the outcome, what was answered as text) of one event"""
    done = run(RELEASE / "latch-local", "invoke", "--json", "--timeout", "20", f"events/{event}.json", "--", *command, environment=environment, status=None)
    line = json.loads(done.stdout.splitlines()[0])
    return line["outcome"], line.get("error") or line.get("answer")


@contextlib.contextmanager
def dynamodb():
    """The port of a DynamoDB with the shop's table."""
    server = subprocess.Popen([RELEASE / "latch-local", "dynamodb", "--port", "0", "--quiet", "--table", "shop"], stdout=subprocess.PIPE, text=True)
    try:
        yield int(re.search(r"http://127\.0\.0\.1:(\d+)", server.stdout.readline())[1])
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


def at(url, **more):
    return {"AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "LATCH_TABLE": "shop", **more}


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def private_folders():
    return [f"{folder}/" for folder in (ROOT, pathlib.Path.home(), tempfile.gettempdir()) if len(str(folder)) > 1]


def test_the_file_needs_nothing_and_keeps_its_names():
    assert elf.faults(FILE, ARCH, private_folders()) == []
    assert os.access(FILE, os.X_OK)


def test_its_symbols_are_beside_it():
    symbols = FILE.with_name("bootstrap.debug")
    assert elf.build_id(FILE) and elf.build_id(FILE) == elf.build_id(symbols), "bootstrap.debug is of another build"
    assert any(name.startswith(".debug_info") for name in elf.sections(symbols))
    assert elf.build_id(FILE) != elf.build_id(CRASHING)


def patched(content, at_byte, value):
    return content[:at_byte] + value + content[at_byte + len(value):]


def program_header(content, kind, flags=None):
    """Where the first one of that type (and flags) begins: a 64-bit file, little-endian."""
    start, size, count = int.from_bytes(content[32:40], "little"), int.from_bytes(content[54:56], "little"), int.from_bytes(content[56:58], "little")
    for entry in range(start, start + size * count, size):
        found = [int.from_bytes(content[entry + n:entry + n + 4], "little") for n in (0, 4)]
        if found[0] == kind and flags in (None, found[1]):
            return entry
    raise AssertionError(f"no program header of type {kind:#x}")


def test_a_broken_twin_of_the_file_is_reported():
    """Each in one way not as it must be."""
    content = FILE.read_bytes()
    stack, data, relro = (program_header(content, kind, flags) for kind, flags in ((0x6474E551, None), (1, 6), (0x6474E552, None)))
    word = lambda n: n.to_bytes(4, "little")
    twins = [("its stack can be executed", patched(content, stack + 4, word(7))),
             ("its stack can be executed", patched(content, stack, word(0))),
             ("can be written and executed", patched(content, data + 4, word(7))),
             ("stays writable", patched(content, relro, word(0))),
             ("it isn't for", patched(content, 18, b"\x08\x00")),
             ("no stack can be unwound", content.replace(b"\0.eh_frame\0", b"\0.eh_frume\0")),
             ("it has no name for the functions checkout", content.replace(b"\0checkout\0", b"\0checkeut\0")),
             ("of the machine that built it", content + str(ROOT).encode())]
    with folder() as here:
        for says, twin in twins:
            (here / "twin").write_bytes(twin)
            found = elf.faults(here / "twin", ARCH, [str(ROOT)])
            assert any(says in fault for fault in found), (says, found)
    assert any(fault.startswith("it has DWARF: .debug_") for fault in elf.faults(FILE.with_name("bootstrap.debug"), ARCH))


def test_a_dynamic_executable_is_reported():
    found = elf.faults(RELEASE / "bootstrap", ARCH)
    for says in ("it wants an interpreter", "it needs shared libraries"):
        assert any(says in fault for fault in found), found


# ── whom it trusts ────────────────────────────────────────────────────────────────────────────────────────────────────

# https://www.amazontrust.com/repository/ and, of the last, what it links to: SHA-256 of each certificate, and until when it holds.
AMAZON = {
    "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e": ("Amazon Root CA 1", "2038-01-17"),
    "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4": ("Amazon Root CA 2", "2040-05-26"),
    "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4": ("Amazon Root CA 3", "2040-05-26"),
    "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092": ("Amazon Root CA 4", "2040-05-26"),
    "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5": ("Starfield Services Root Certificate Authority - G2", "2037-12-31"),
}


def certificates_in(content):
    """Each certificate that lies in those bytes, by its SHA-256: (the subject's common name, its last day). As text or as it is."""
    found = {}
    pems = [ssl.PEM_cert_to_DER_cert(pem.decode()) for pem in re.findall(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", content)]
    heads = re.finditer(rb"\x30\x82(..)\x30\x82..\xa0\x03\x02\x01\x02\x02", content, re.S) # as DER begins: its length, version 3, its serial number
    ders = (content[head.start():head.start() + 4 + int.from_bytes(head[1], "big")] for head in heads)
    for der in (*pems, *ders):
        told = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-enddate", "-nameopt", "multiline,utf8"], input=der,
                              capture_output=True)
        if told.returncode == 0:
            text = told.stdout.decode()
            ends = datetime.datetime.strptime(re.search(r"notAfter=(.*) GMT", text)[1], "%b %d %H:%M:%S %Y")
            found[hashlib.sha256(der).hexdigest()] = (re.search(r"commonName += (.*)", text)[1], ends.date().isoformat())
    return found


def test_its_roots_are_amazons_five():
    found = certificates_in(FILE.read_bytes())
    for name, ends in found.values():
        print(f"{name}: until {ends}")
    assert found == AMAZON, found


def test_its_roots_are_as_the_page_says():
    rows = re.findall(r"^\| (.+) \| (\d{4}-\d\d-\d\d) \| `([0-9a-f]{64})` \|$", PAGE.read_text(), re.M)
    assert {fingerprint: (name, ends) for name, ends, fingerprint in rows} == AMAZON, rows


def test_another_root_in_it_is_reported():
    content = FILE.read_bytes()
    with folder() as here:
        other = tls.make_root(here, "another").read_bytes()
    assert len(certificates_in(content + other)) == 6
    first = content.index(b"-----BEGIN CERTIFICATE-----")
    changed = bytearray(content)
    changed[first + 400] ^= 1
    assert certificates_in(bytes(changed)) != AMAZON


@contextlib.contextmanager
def served(host="localhost", expired=False):
    """(the root's file, the front that speaks TLS with a certificate of that root, for `host`)"""
    with folder() as here, dynamodb() as port:
        root = tls.make_root(here, "test-root")
        with tls.Front(port, tls.issue(here, root, "leaf", host, expired)) as front:
            yield root, front


def test_tls_passes_where_the_bundle_has_the_root():
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        with served() as (root, front):
            play(BOOTSTRAP, at(f"https://localhost:{front.at}", **{name: str(root)}))
            assert front.handshakes >= 3 and front.heard > 5000, (front.handshakes, front.heard)


def refused(says, front, environment):
    outcome, answer = invoke("sweep-schedule-1", BOOTSTRAP, environment)
    assert outcome in ("failed", "init_failed") and all(part in str(answer) for part in says), (says, outcome, answer)
    assert front.heard == 0, "something was said to whom it mustn't trust"


def test_tls_is_refused_without_the_root():
    with served() as (root, front), folder() as here:
        url = f"https://localhost:{front.at}"
        refused(["unknown CA", "AWS_CA_BUNDLE"], front, at(url))
        refused(["unknown CA", "another.pem"], front, at(url, AWS_CA_BUNDLE=str(tls.make_root(here, "another"))))
        refused(["unknown CA"], front, at(url, AWS_CA_BUNDLE=str(here / "another.pem"), SSL_CERT_FILE=str(root)))
        refused(["none.pem", "No such file", "AWS_CA_BUNDLE"], front, at(url, AWS_CA_BUNDLE=str(here / "none.pem")))


def test_tls_with_the_wrong_host_is_refused():
    with served(host="elsewhere.example") as (root, front):
        refused(["wrong host"], front, at(f"https://localhost:{front.at}", AWS_CA_BUNDLE=str(root)))


def test_tls_with_an_expired_certificate_is_refused():
    with served(expired=True) as (root, front):
        refused(["has expired"], front, at(f"https://localhost:{front.at}", AWS_CA_BUNDLE=str(root)))


def test_every_kind_of_server_is_spoken_to():
    """What was left out of OpenSSL isn't missed: keys, both versions, ciphers of each, groups. What it doesn't speak is told."""
    old, suites = {"newest": ssl.TLSVersion.TLSv1_2}, ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA256", "AES256-SHA")
    ways = [(kind, way) for kind in tls.KEYS for way in ({}, old)]
    ways += [("RSA 2048", {**old, "ciphers": f"ECDHE-RSA-{suite}"}) for suite in suites] + [("RSA 2048", {**old, "ciphers": "AES128-GCM-SHA256"})]
    ways += [("RSA 2048", {"curve": curve, **version}) for curve in ("X25519", "prime256v1", "secp384r1", "secp521r1") for version in ({}, old)]
    with folder() as here, dynamodb() as port:
        certificates = {kind: tls.sign_itself(here, kind, "localhost") for kind in tls.KEYS}
        for kind, way in ways:
            with tls.Front(port, certificates[kind], **way) as front:
                outcome, answer = invoke("sweep-schedule-1", BOOTSTRAP, at(f"https://localhost:{front.at}", AWS_CA_BUNDLE=str(certificates[kind])))
                assert outcome == "answered" and front.heard > 0, (kind, way, outcome, answer)
        with tls.Front(port, certificates["RSA 2048"], **old, ciphers="DHE-RSA-AES128-GCM-SHA256") as front:
            refused(["handshake failure"], front, at(f"https://localhost:{front.at}", AWS_CA_BUNDLE=str(certificates["RSA 2048"])))


def test_aws_itself_is_whom_amazons_roots_signed():
    """Somebody on the way to AWS's endpoint, with a certificate for its very name: refused, but where that root was added."""
    aws = {name: value for name, value in at("").items() if name != "AWS_ENDPOINT_URL_DYNAMODB"}
    with served(host="dynamodb.us-east-1.amazonaws.com") as (root, front), tls.Front(front.at) as proxy:
        aws["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.at}"
        refused(["unknown CA", "Amazon's roots"], front, aws)
        assert proxy.asked and proxy.asked[0].startswith("CONNECT dynamodb.us-east-1.amazonaws.com:443 "), proxy.asked
        outcome, answer = invoke("sweep-schedule-1", BOOTSTRAP, {**aws, "AWS_CA_BUNDLE": str(root)})
        assert outcome == "answered", (outcome, answer)


# ── where there is nothing else ───────────────────────────────────────────────────────────────────────────────────────

CHROOT, UNSHARE = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin"), shutil.which("unshare")


def as_root():
    """What chroot and mounts need: to be root, or root of a user namespace of one's own."""
    if os.getuid() == 0:
        return []
    if UNSHARE and subprocess.run([UNSHARE, "-r", "true"], capture_output=True).returncode == 0:
        return [UNSHARE, "-r"]
    return cannot_run("chroot needs root, or a kernel that gives users namespaces of their own")


@contextlib.contextmanager
def empty_root():
    """(the folder, the command in it): only the executable is there, and what emulates its processor where this machine's is another."""
    with folder() as here:
        inside = []
        for path in BOOTSTRAP:
            shutil.copy(path, here / pathlib.Path(path).name)
            inside.append(f"/{pathlib.Path(path).name}")
        yield here, [*as_root(), CHROOT, str(here), *inside]


def test_in_an_empty_root():
    """No /etc, /proc, /dev, /usr, not even a folder: the executable, and its events on both stores."""
    with empty_root() as (here, command):
        play(command)
        with dynamodb() as port:
            play(command, at(f"http://127.0.0.1:{port}"))
        assert sorted(path.name for path in here.iterdir()) == sorted(pathlib.Path(path).name for path in BOOTSTRAP)


def mounted(here, command, *mounts):
    """The command with those mounts, in a namespace of its own."""
    script = " && ".join([*mounts, 'exec "$@"'])
    return [UNSHARE, *([] if os.getuid() == 0 else ["-r"]), "-m", "/bin/sh", "-c", f"cd '{here}' && {script}", "sh", *command[command.index(CHROOT):]]


def test_with_lambdas_folders():
    """/tmp, /proc and /dev, as Lambda has them, under a root that can't be written."""
    with empty_root() as (here, command):
        for name in ("tmp", "proc", "dev"):
            (here / name).mkdir()
        mounts = ["mount --bind . .", f"cd '{here}'", "mount --rbind /proc proc", "mount --rbind /dev dev", "mount -t tmpfs none tmp",
                  "mount -o remount,bind,ro ."]
        play(mounted(here, command, *mounts))


def test_its_own_root_over_tls():
    """The bundle of certificates is the only other file."""
    with served() as (root, front), empty_root() as (here, command):
        shutil.copy(root, here / "root.pem")
        (here / "etc").mkdir()
        (here / "etc/hosts").write_text("127.0.0.1 localhost\n")
        play(command, at(f"https://localhost:{front.at}", AWS_CA_BUNDLE="/root.pem"))


def test_nobody_resolves_names_there():
    """Without /etc/resolv.conf and /etc/hosts a name is looked for on this machine, in vain: told before the deadline."""
    with empty_root() as (_, command):
        outcome, answer = invoke("sweep-schedule-1", command, at("https://dynamodb.example:8000"))
    assert outcome == "failed" and re.search("resolv(e|ing) dynamodb.example", str(answer)), (outcome, answer)


# ── what it asks of the kernel ────────────────────────────────────────────────────────────────────────────────────────

STRACE = shutil.which("strace")


@contextlib.contextmanager
def traced():
    """(what to put before the path of an executable, the system calls that were made so far, each a line)"""
    with folder() as here:
        def lines():
            text = "\n".join(path.read_text(errors="replace") for path in here.iterdir())
            return re.findall(r"^(?:\d+ )?([a-z]\w+\(.*)", text, re.M)

        yield [*EMULATOR, "-strace", "-D", f"{here}/%d"] if EMULATOR else [STRACE, "-ff", "-qq", "-o", f"{here}/calls"], lines


def calls_made():
    if not EMULATOR and (not STRACE or subprocess.run([STRACE, "true"], capture_output=True).returncode != 0):
        cannot_run("strace may not trace (ptrace is forbidden)")
    with traced() as (tracer, lines):
        play([*tracer, str(FILE)])
        with served() as (root, front):
            play([*tracer, str(FILE)], at(f"https://localhost:{front.at}", AWS_CA_BUNDLE=str(root)))
        invoke("sweep-schedule-1", [*tracer, str(FILE)], at("https://dynamodb.example:8000"))
        for way in ("segv", "thread"):
            crash(way, CRASHING, tracer)
        return lines()


def kernel(version):
    return tuple(int(part) for part in version.split("."))


def differences(made, page):
    """What the page says of kernels that isn't so."""
    column = {"x86_64": 1, "arm64": 2}[ARCH]
    since = {}
    for version, *columns in re.findall(r"^\| (\d[\d.]+)[^|]* \|([^|]*)\|([^|]*)\|([^|]*)\|$", page, re.M):
        for name in re.findall(r"`(\w+)`", columns[0] + columns[column]):
            since[name] = kernel(version)
    found = [f"{name} is made, and isn't listed" for name in sorted(made - since.keys())]
    found += [f"{name} is listed, and isn't made" for name in sorted(since.keys() - made - VDSO)]
    needed, stated = max(since[name] for name in made & since.keys()), kernel(re.search(r"Linux ([\d.]+) or newer", page)[1])
    return found + ([f"it says {stated}, and {needed} is needed"] if needed != stated else [])


# Calls that the kernel answers without being called, on processors and under tracers that let it.
VDSO = {"clock_gettime", "gettimeofday", "clock_getres"}


def strangers(lines, page):
    """What it does that the page doesn't say: it opens what the page doesn't name, or opens to write, or starts another program."""
    opened = [line for line in lines if re.match(r"(open|access|stat|readlink|newfstatat|faccessat|mkdir|unlink|rename)\w*\(", line)]
    named = set(re.findall(r"`~?(/[\w./-]+|[\w.-]+)`", page))
    unknown = [line for line in opened if not any(f'{name}"' in line for name in named) and ".pem" not in line and '"none"' not in line]
    return unknown + [line for line in opened if re.search("O_WRONLY|O_RDWR|O_CREAT|mkdir|unlink|rename", line)] + [
        line for line in lines if line.startswith(("execve", "fork", "vfork")) and "bootstrap" not in line and "crash_child" not in line]


def test_what_it_needs_is_stated():
    lines, page = calls_made(), PAGE.read_text()
    made = {line.partition("(")[0] for line in lines} - {"execve"} # how it is started
    print(f"{len(made)} calls: {' '.join(sorted(made))}")
    assert differences(made, page) == []
    for twin, says in ((page.replace(" `eventfd2`", ""), "eventfd2 is made, and isn't listed"),
                       (page.replace("`getrandom`", "`getrandom` `io_uring_enter`"), "io_uring_enter is listed"),
                       (page.replace("Linux 3.17 or", "Linux 3.16 or"), "it says (3, 16)")):
        assert any(says in difference for difference in differences(made, twin)), (says, differences(made, twin))
    assert strangers(lines, page) == []
    for line in ('openat(AT_FDCWD, "/etc/shadow", O_RDONLY) = 3', 'open("/etc/hosts", O_RDWR|O_CREAT, 0600) = 3', 'execve("/bin/sh", ["sh"]) = 0'):
        assert strangers([line], page) == [line]
    assert len(strangers(lines, page.replace("/etc/resolv.conf", ""))) > 0


# ── a crash ───────────────────────────────────────────────────────────────────────────────────────────────────────────

CRASHES = {"segv": ("SIGSEGV at address 0x0 in the handler crash", ["write_nowhere", "crash_as_asked", "latch_event_run"]),
           "fpe": ("SIGFPE in the handler crash", ["divide_by_zero", "crash_as_asked"]),
           "abort": ("SIGABRT in the handler crash", ["give_up", "crash_as_asked"]),
           "library": ("SIGSEGV at address 0x8 in the handler crash", ["curl_easy_setopt", "mislead_a_library", "crash_as_asked"]),
           "stack": ("SIGSEGV at address 0x", ["recurse_for_ever"]),
           "thread": ("SIGSEGV at address 0x0 in the handler crash", ["write_nowhere", "crash_in_a_thread"])}


def crash(way, path, starter=EMULATOR):
    with Function([*starter, str(path)], "crash") as function:
        kind, headers, body = function.invoke(way.encode())
    assert kind == "error" and headers["lambda-runtime-function-error-type"] == "Function.Crash", (way, kind, body)
    return json.loads(body)


def test_a_crash_names_its_functions():
    """A function that is linked as the shop is, and crashes."""
    for way, (message, functions) in CRASHES.items():
        report = crash(way, CRASHING)
        assert report["errorMessage"].startswith(message), (way, report)
        names = [frame.split("+")[0] for frame in report["stackTrace"]]
        told = [name for i, name in enumerate(names) if name in functions and name not in names[:i]]
        assert told == functions, (way, report)
    with folder() as here:
        twin = here / "bootstrap"
        twin.write_bytes(CRASHING.read_bytes().replace(b"\0write_nowhere\0", b"\0wryte_nowhere\0"))
        twin.chmod(0o755)
        assert "write_nowhere" not in json.dumps(crash("segv", twin)), "the names are not this file's own"


def exits_of_two(when_one_came=None):
    """What was lost of four invocations at once, of which two call exit(3) in the same moment: []: nothing."""
    with Crowd([b"+exit3", b"+exit3", b"nap500", b"nap500"]) as service:
        status, said = service.run([*EMULATOR, str(CRASHING)], "crash", 4, when_one_came)
        kinds = [[kind for kind, _ in outcomes] for outcomes in service.outcomes]
        reports = [json.loads(body) for outcomes in service.outcomes for kind, body in outcomes if kind == "error"]
    lost = [f"event {i}: {got}, want [{want!r}]" for i, (got, want) in enumerate(zip(kinds, ["error", "error", "response", "response"])) if got != [want]]
    lost += [f"a report of {report['errorType']}" for report in reports if report["errorType"] != "Exit"]
    return lost + ([] if status == 3 else [f"the process ended with {status}: {said.decode()[-2000:]}"])


def test_each_of_several_exits_is_reported():
    """musl's exit() takes each of its handlers once, glibc's waits: a second worker's must find one, or the process ends under the others."""
    for _ in range(5):
        lost = exits_of_two()
        assert lost == [], lost
    lost = exits_of_two(lambda process: process.kill())
    assert any(says.startswith("event 2: []") for says in lost), f"a process that ends under the others isn't noticed: {lost}"


# ── bad input ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_crash_in_an_empty_root_is_reported():
    """Without /proc the file can't be read again: where it happened is told, without names."""
    global BOOTSTRAP
    BOOTSTRAP = [*EMULATOR, str(CRASHING)]
    with empty_root() as (here, command):
        report = crash("segv", command[-1], command[:-1])
        assert report["errorMessage"].startswith("SIGSEGV at address 0x0"), report
        named = [frame for frame in report["stackTrace"] if "write_nowhere" in frame]
        print(report["stackTrace"])
        assert len(report["stackTrace"]) > 3 and (EMULATOR or not named), report


def test_the_other_architectures_file_is_told():
    other = PACKAGES / OTHER / "bootstrap" if not EMULATOR else FILE
    arch, here = (OTHER, ARCH) if not EMULATOR else (ARCH, OTHER)
    with contextlib.suppress(OSError):
        subprocess.run([other], env={}, capture_output=True, timeout=20)
        print(f"binfmt_misc names an emulator: {arch}'s files run here, and there is nothing to tell")
        return
    outcome, answer = invoke("echo-raw", [other])
    for says in (f"it is built for {arch}, and this machine is {here}", f"./dev package {here}"):
        assert outcome == "not_started" and says in str(answer), (outcome, answer)


def test_by_hand_it_says_what_to_do():
    done = run(*BOOTSTRAP, status=1)
    assert "AWS_LAMBDA_RUNTIME_API is not set" in done.stdout + done.stderr and "latch-local invoke" in done.stdout + done.stderr, done.stdout + done.stderr


# ── under other circumstances ─────────────────────────────────────────────────────────────────────────────────────────


def test_languages_and_time_zones():
    for environment in ({"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"}, {"LC_ALL": "de_DE@euro", "TZ": ":/nowhere"},
                        {"LANGUAGE": "x" * 5000, "TZ": "XYZ-99:99"}):
        play(["/usr/bin/env", *(f"{name}={value}" for name, value in environment.items()), *BOOTSTRAP])


def test_with_lambdas_variables_alone():
    """Nothing of a shell's: no PATH, no HOME, no LANG."""
    os.environ.clear()
    with Function(BOOTSTRAP, "api", {"_HANDLER": "api"}) as shop:
        kind, _, body = shop.invoke((ROOT / "events/api-product-rest.json").read_bytes())
    assert kind == "response" and json.loads(body)["statusCode"] == 200, body


def test_a_tight_umask_and_few_descriptors():
    play(["/bin/sh", "-c", 'umask 777 && cd / && ulimit -n 64 && ulimit -c 0 && exec "$@"', "sh", *BOOTSTRAP])
    with dynamodb() as port:
        play(["/bin/sh", "-c", 'umask 777 && ulimit -n 16 && exec "$@"', "sh", *BOOTSTRAP], at(f"http://127.0.0.1:{port}"))


def test_in_little_address_space_natively():
    """An arena reserves LATCH_ARENA_MB of addresses, 128 unless it is set; what is reserved takes no memory."""
    def within(mib):
        return ["/bin/sh", "-c", f'ulimit -v {mib << 10} && exec "$@"', "sh", *BOOTSTRAP]

    for mib, more in ((192, {}), (64, {"LATCH_ARENA_MB": "16"})):
        with served() as (root, front):
            play(within(mib), at(f"https://localhost:{front.at}", AWS_CA_BUNDLE=str(root), **more))
    outcome, answer = invoke("sweep-schedule-1", within(128))
    assert outcome == "init_failed" and "lower LATCH_ARENA_MB" in str(answer), (outcome, answer)


def main():
    test = globals().get("test_" + sys.argv[4])
    if test is None:
        sys.exit(f"package.py has no test_{sys.argv[4]}")
    test()


if __name__ == "__main__":
    main()
