#!/usr/bin/env python3
"""tls_servers.py RELEASE PACKAGES ARCH TEST [EMULATOR…] - what is deployed makes a call of the store over TLS, with every kind of server that
AWS, a company's proxy or its private CA may be, and with those it must refuse; package.py's every_kind_of_server_is_spoken_to has the
groups, and the ciphers with RSA. Each test_… below is one entry of ctest, as there; each row of it is a server, a certificate made for it,
and a process that calls it.
"""
import contextlib, pathlib, socket, ssl, subprocess, sys, threading, time

import package, tls
from package import BOOTSTRAP, ROOT, at, cannot_run, dynamodb, folder, invoke
from tls import openssl

NODE = ROOT / "build/tools/sdk/bin/node" # whose OpenSSL has the hybrid groups, which the system's may not


# ── keys and certificates ─────────────────────────────────────────────────────────────────────────────────────────────

KEYS = {**{f"RSA-{bits}": ("RSA", f"rsa_keygen_bits:{bits}") for bits in (1024, 2048, 3072, 4096)}, "RSA-PSS": ("RSA-PSS", "rsa_keygen_bits:2048"),
        **{curve: ("EC", f"ec_paramgen_curve:{curve}") for curve in ("P-256", "P-384", "P-521", "brainpoolP256r1", "brainpoolP384r1")},
        "Ed25519": ("ED25519", None), "Ed448": ("ED448", None)}
CA = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash")
LEAF = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature,keyEncipherment", "extendedKeyUsage=serverAuth")
PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")


class Certificate:
    def __init__(self, pem, key, signer):
        self.pem, self.key, self.signer = pem, key, signer

    def chain(self):
        """The certificates that signed it, and those that signed them, without the root."""
        found, one = [], self.signer
        while one and one.signer:
            found.append(one)
            one = one.signer
        return found


class Makers:
    """Of keys and certificates, in a folder. A key of a kind is made once for each use, and one of RSA once: that takes long."""

    def __init__(self, here):
        self.here, self.count, self.known = here, 0, {}

    def path(self, suffix):
        self.count += 1
        return self.here / f"{self.count}{suffix}"

    def key(self, kind, use):
        use = None if kind.startswith("RSA") else use
        if (kind, use) not in self.known:
            algorithm, option = KEYS[kind]
            self.known[kind, use] = path = self.path(".key")
            openssl("genpkey", "-algorithm", algorithm, *(["-pkeyopt", option] if option else []), "-out", path)
        return self.known[kind, use]

    def config(self, name, extensions):
        path, sections = self.path(".cnf"), [part for part in extensions if part.startswith("[")]
        path.write_text("\n".join(["[req]", "distinguished_name=dn", "prompt=no", "[dn]", f"CN={name}", "[ext]",
                                   *(part for part in extensions if part not in sections), *sections, ""]))
        return path

    def certificate(self, name, kind, signer, extensions, digest="sha256", options=(), use=None, dates=None):
        """One that `signer` signed, or that it signed itself. dates: from when until when, as YYYYMMDD, where that isn't now."""
        key, pem, config = self.key(kind, use or name), self.path(".pem"), self.config(name, extensions)
        who = ["-CA", signer.pem, "-CAkey", signer.key] if signer else []
        if dates:
            self.sign_for(dates, key, pem, config, signer)
        else:
            openssl("req", "-x509", "-new", "-config", config, "-extensions", "ext", "-key", key, *who, "-days", 2, f"-{digest}", *options, "-out", pem)
        return Certificate(pem, key, signer)

    def sign_for(self, dates, key, pem, config, signer):
        request, index = self.path(".csr"), self.path(".index")
        openssl("req", "-new", "-config", config, "-key", key, "-out", request)
        index.write_text("")
        with config.open("a") as more:
            more.write(f"[ca]\ndefault_ca=ours\n[ours]\ndatabase={index}\nnew_certs_dir={self.here}\nrand_serial=yes\npolicy=any\n[any]\ncommonName=supplied\n")
        start, end = (f"{day}000000Z" for day in dates)
        openssl("ca", "-batch", "-notext", "-config", config, "-extensions", "ext", "-md", "sha256", "-in", request, "-out", pem, "-cert", signer.pem,
                "-keyfile", signer.key, "-startdate", start, "-enddate", end)

    def root(self, kind="P-256", name="root", extensions=CA, **more):
        """The same one for the same words."""
        words = (kind, name, extensions, *more.items())
        if words not in self.known:
            self.known[words] = self.certificate(name, kind, None, extensions, **more)
        return self.known[words]

    def middle(self, signer, kind="P-256", name="middle", extensions=CA, **more):
        return self.certificate(name, kind, signer, extensions, **more)

    def leaf(self, signer=None, kind="P-256", names="DNS:localhost", extensions=LEAF, **more):
        san = (f"subjectAltName={names}",) if names else ()
        return self.certificate("leaf", kind, signer or self.root(), (*extensions, *san), **more)

    def bundle(self, *parts):
        path = self.path(".bundle.pem")
        path.write_bytes(b"".join(part.pem.read_bytes() if isinstance(part, Certificate) else part for part in parts))
        return path


# ── servers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def free_port(address):
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
        return one.getsockname()[1]


class Server:
    """`openssl s_server` in front of a plain server: what it decrypts goes there, what comes back is encrypted. heard: the bytes inside."""

    def __init__(self, makers, behind, leaf, options, chain, address):
        self.at, self.heard, self.behind = free_port(address), 0, socket.create_connection(("127.0.0.1", behind))
        sent = leaf.chain() if chain is None else chain
        host = f"[{address}]" if ":" in address else address
        command = ["openssl", "s_server", "-quiet", "-accept", f"{host}:{self.at}", "-cert", leaf.pem, "-key", leaf.key, *options]
        command += ["-cert_chain", makers.bundle(*sent)] if sent else []
        self.log = makers.path(".log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self.threads = [threading.Thread(target=way, daemon=True) for way in (self.to_behind, self.from_behind)]
        for thread in self.threads:
            thread.start()
        try:
            self.wait(address)
        except BaseException:
            self.__exit__()
            raise

    def wait(self, address):
        """Until it listens: whoever connects, and says nothing, does no harm."""
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection((address, self.at)):
                return
            assert self.process.poll() is None and time.monotonic() < until, "openssl s_server: " + self.log.read_text()
            time.sleep(0.002)

    def to_behind(self):
        with contextlib.suppress(OSError, ValueError):
            while data := self.process.stdout.read1(65536):
                self.heard += len(data)
                self.behind.sendall(data)

    def from_behind(self):
        with contextlib.suppress(OSError, ValueError):
            while data := self.behind.recv(65536):
                self.process.stdin.write(data)
                self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(20)
        with contextlib.suppress(OSError):
            self.behind.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(20)
        self.behind.close()
        self.process.stdout.close()
        with contextlib.suppress(OSError):
            self.process.stdin.close()


class Row:
    """A server: its certificate (of `root`, unless the bundle is another), options of s_server, and the name by which it is called.
    says: what the refusal must have in it; None: it is spoken to."""

    def __init__(self, name, leaf, *options, bundle=None, host="localhost", address="127.0.0.1", chain=None, says=None):
        self.name, self.leaf, self.options, self.host, self.address = name, leaf, options, host, address
        self.bundle, self.chain, self.says = bundle, chain, says


def top(leaf):
    return top(leaf.signer) if leaf.signer else leaf


def fault(makers, behind, row):
    """What isn't as the row says, or None."""
    bundle = row.bundle or makers.bundle(top(row.leaf))
    with Server(makers, behind, row.leaf, row.options, row.chain, row.address) as server:
        outcome, answer = invoke("sweep-schedule-1", BOOTSTRAP, at(f"https://{row.host}:{server.at}", AWS_CA_BUNDLE=str(bundle)))
        heard = server.heard
    if row.says is None:
        return None if outcome == "answered" and heard > 500 else f"{row.name}: {outcome}: {answer} ({heard} bytes heard)"
    if heard > 0 or outcome == "answered":
        return f"{row.name}: {heard} bytes were said to whom it mustn't trust ({outcome})"
    return None if row.says in str(answer) else f"{row.name}: it doesn't say {row.says!r}: {answer}"


def faults(rows_of):
    """Of the rows that rows_of(makers) yields."""
    with folder() as here, dynamodb() as behind:
        makers = Makers(here)
        began, rows = time.monotonic(), list(rows_of(makers))
        made = time.monotonic()
        found = [wrong for row in rows if (wrong := fault(makers, behind, row))]
        print(f"{len(rows)} rows in {time.monotonic() - made:.1f} s, certificates in {made - began:.1f} s")
    return found


def none_of(found):
    assert found == [], "\n" + "\n".join(found)


# ── what is spoken to ─────────────────────────────────────────────────────────────────────────────────────────────────


def keys_and_signatures(m):
    for kind in ("RSA-2048", "RSA-3072", "RSA-4096", "P-256", "P-384", "P-521", "Ed25519", "brainpoolP256r1", "brainpoolP384r1"):
        root = m.root(kind)
        yield Row(f"leaf and root {kind}", m.leaf(root, kind if not kind.startswith("brainpool") else "P-256"))
    for digest in ("sha256", "sha384", "sha512"):
        for kind in ("RSA-2048", "P-384"):
            yield Row(f"{kind} with {digest}", m.leaf(m.middle(m.root(kind), kind, digest=digest), digest=digest))
        root = m.root("RSA-2048", name="PSS root", digest=digest, options=PSS)
        middle = m.middle(root, "RSA-2048", digest=digest, options=PSS)
        yield Row(f"RSA-PSS signatures with {digest}", m.leaf(middle, "RSA-2048", digest=digest, options=PSS))
    yield Row("keys for RSA-PSS alone", m.leaf(m.root("RSA-PSS"), "RSA-PSS"))
    yield Row("a root that signed itself with SHA-1", m.leaf(m.root("RSA-2048", name="old", digest="sha1")))
    yield Row("RSA below ECDSA", m.leaf(m.root("P-384"), "RSA-2048"))


def test_tls_keys_and_signatures():
    none_of(faults(keys_and_signatures))


def suites_and_groups(m):
    rsa, ec = m.leaf(m.root(), "RSA-2048"), m.leaf()
    for suite in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"):
        yield Row(f"TLS 1.2 ECDHE-ECDSA-{suite}", ec, "-tls1_2", "-cipher", f"ECDHE-ECDSA-{suite}")
    for suite in ("ECDHE-RSA-AES256-SHA384", "AES256-GCM-SHA384", "AES256-SHA256", "AES128-SHA"):
        yield Row(f"an old proxy's {suite}", rsa, "-tls1_2", "-cipher", suite)
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
        yield Row(suite, ec, "-tls1_3", "-ciphersuites", suite)
    for algorithm in ("RSA+SHA256", "RSA+SHA512", "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"):
        yield Row(f"a handshake signed with {algorithm}", rsa, "-tls1_2", "-sigalgs", algorithm)
    yield Row("one that asks for a client's certificate, and does without", ec, "-verify", "1")
    yield Row("small records", ec, "-max_send_frag", "512", "-split_send_frag", "512")
    yield Row("one without tickets", rsa, "-tls1_2", "-no_ticket")


def test_tls_suites_and_groups():
    none_of(faults(suites_and_groups))


HYBRID = """
const [cert, key, group, behind] = process.argv.slice(1), fs = require('fs'), net = require('net');
const options = { cert: fs.readFileSync(cert), key: fs.readFileSync(key), ecdhCurve: group, minVersion: 'TLSv1.3' };
const server = require('tls').createServer(options, (client) => {
  const there = net.connect(+behind, '127.0.0.1');
  client.on('error', () => there.destroy()).pipe(there).on('error', () => client.destroy()).pipe(client);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


def test_tls_hybrid_group():
    """Of ML-KEM and a curve: a server that has nothing else."""
    if not NODE.exists():
        cannot_run("the test's Node is missing: tools/deps sdk")
    with folder() as here, dynamodb() as behind:
        makers = Makers(here)
        leaf = makers.leaf()
        server = subprocess.Popen([NODE, "-e", HYBRID, leaf.pem, leaf.key, "X25519MLKEM768", str(behind)], stdout=subprocess.PIPE, text=True)
        try:
            url = f"https://localhost:{int(server.stdout.readline())}"
            outcome, answer = invoke("sweep-schedule-1", BOOTSTRAP, at(url, AWS_CA_BUNDLE=str(leaf.signer.pem)))
            assert outcome == "answered", (outcome, answer)
        finally:
            server.kill()
            server.wait(20)
            server.stdout.close()


# What CAs write into certificates besides: none of it is ours to judge.
USUAL = ("authorityInfoAccess=OCSP;URI:http://ocsp.example,caIssuers;URI:http://ca.example/ca.cer", "crlDistributionPoints=URI:http://crl.example/ca.crl",
         "authorityKeyIdentifier=keyid", "subjectKeyIdentifier=hash", "nsCertType=server", "nsComment=made by a test", "tlsfeature=status_request",
         "1.3.6.1.4.1.11129.2.4.2=ASN1:FORMAT:HEX,OCTETSTRING:04020000", "1.3.6.1.4.1.311.20.2=ASN1:UTF8:WebServer", "certificatePolicies=2.23.140.1.2.1,@policy",
         "issuerAltName=email:ca@example.com", "privateKeyUsagePeriod=ASN1:SEQUENCE:period", "[period]\nfrom=IMPLICIT:0,GENTIME:20200101000000Z",
         "[policy]\npolicyIdentifier=1.3.5.8\nCPS.1=http://cps.example\nuserNotice.1=@notice\n[notice]\nexplicitText=UTF8:a notice")
CONSTRAINED = (*CA, "policyConstraints=critical,requireExplicitPolicy:3,inhibitPolicyMapping:0", "inhibitAnyPolicy=critical,1",
               "certificatePolicies=critical,1.3.5.8", "policyMappings=1.3.5.8:1.3.5.9")
PERMITTED = (*CA, "nameConstraints=critical,permitted;DNS:localhost,permitted;IP:127.0.0.0/255.0.0.0,excluded;email:example.com")


def chains_and_names(m):
    root = m.root("RSA-2048")
    two = m.middle(m.middle(root, "P-384", name="first"), name="second")
    four = m.leaf(two)
    yield Row("a chain of four", four)
    yield Row("a chain of four, with its root", four, chain=[*four.chain(), root])
    yield Row("a chain in another order, with a stranger", four, chain=[m.root(name="stranger"), *reversed(four.chain())])
    yield Row("a bundle with the last but one alone", four, bundle=two.pem)
    yield Row("a chain that the bundle completes", four, chain=[], bundle=m.bundle(root, *four.chain()))
    yield Row("a crossed root, of which the bundle has the new one", m.leaf(m.root()), chain=[m.middle(root, name="root", use="root")])
    yield Row("constraints of names, kept", m.leaf(m.middle(m.root(), extensions=PERMITTED)))
    yield Row("constraints of addresses, kept", m.leaf(m.middle(m.root(), extensions=PERMITTED), names="IP:127.0.0.1"), host="127.0.0.1")
    yield Row("policies, critical", m.leaf(m.middle(m.root(), extensions=CONSTRAINED), extensions=(*LEAF, "certificatePolicies=critical,1.3.5.8")))
    yield Row("what CAs write besides", m.leaf(m.middle(m.root()), extensions=(*LEAF, *USUAL)))
    wild = m.leaf(names="DNS:*.eu.localhost")
    yield Row("a wildcard", wild, host="dynamodb.eu.localhost")
    yield Row("a name in capitals", m.leaf(names="DNS:Dynamo.LOCALHOST"), host="dynamo.localhost")
    yield Row("the last of a hundred names", m.leaf(names=",".join(f"DNS:h{i}.example" for i in range(99)) + ",DNS:localhost"))
    yield Row("an address", m.leaf(names="DNS:elsewhere.example,IP:127.0.0.1"), host="127.0.0.1")
    if socket.has_ipv6:
        with contextlib.suppress(OSError):
            free_port("::1")
            yield Row("an address of IPv6", m.leaf(names="IP:::1"), host="[::1]", address="::1")
    yield Row("a common name alone", m.certificate("localhost", "P-256", m.root(), LEAF))


def test_tls_chains_and_names():
    none_of(faults(chains_and_names))


def bundles(m):
    leaf, root, other = m.leaf(), m.root(), m.root(name="other")
    pem, nl = root.pem.read_bytes(), b"\n"
    many = [m.certificate(f"root {i}", "P-256", None, CA, use="many") for i in range(150)]
    comments = [part for i, one in enumerate(many) for part in (f"\n# Issuer: CN=root {i} O=Ünlimited\n# Label: \"root {i}\"\n".encode(), one)]
    trusted = m.path(".trusted")
    openssl("x509", "-in", other.pem, "-trustout", "-addtrust", "serverAuth", "-setalias", "other", "-out", trusted)
    ours = m.path(".trusted")
    openssl("x509", "-in", root.pem, "-trustout", "-addtrust", "serverAuth", "-out", ours)
    text = subprocess.run(["openssl", "x509", "-in", root.pem, "-text"], check=True, capture_output=True).stdout
    unknown = b"-----BEGIN SOMETHING-----\nAAAA\n-----END SOMETHING-----\n"
    for name, bundle in (
            ("150 roots with comments, ours last", m.bundle(*comments, root)), ("150 roots, ours first, and twice", m.bundle(root, *many, root)),
            ("CRLF", m.bundle((other.pem.read_bytes() + pem).replace(nl, b"\r\n"))),
            ("a mark of UTF-8, a comment, and no line's end", m.bundle(b"\xef\xbb\xbf# roots\n", pem.rstrip())),
            ("spaces at the ends of lines", m.bundle(pem.replace(nl, b"  \n"))), ("OpenSSL's text before it", m.bundle(text)),
            ("a TRUSTED CERTIFICATE before ours", m.bundle(trusted.read_bytes(), root)), ("ours as a TRUSTED CERTIFICATE", m.bundle(ours.read_bytes())),
            ("lines of anything between", m.bundle(other, b"-- garbage --\n\xff\xfe=\x00=\n" + b"x" * 3000 + nl, root)),
            ("something else in PEM between", m.bundle(other, unknown, root)), ("a key before ours", m.bundle(other.key.read_bytes(), root)),
            ("an X509 CERTIFICATE", m.bundle(pem.replace(b" CERTIFICATE", b" X509 CERTIFICATE")))):
        yield Row(name, leaf, bundle=bundle)
    broken = pem.replace(pem.splitlines()[3], b"!" * 64)
    yield Row("a certificate that is broken, before ours", leaf, bundle=m.bundle(broken, root), says="no certificates that can be read")
    yield Row("an empty bundle", leaf, bundle=m.bundle(b""), says="no certificates that can be read")
    yield Row("150 roots without ours", leaf, bundle=m.bundle(*comments), says="unknown CA")
    yield Row("a bundle that distrusts ours", leaf, bundle=m.bundle(distrusted(m, root)), says="the certificate is refused")


def distrusted(m, root):
    path = m.path(".trusted")
    openssl("x509", "-in", root.pem, "-trustout", "-addreject", "serverAuth", "-out", path)
    return path.read_bytes()


def test_tls_bundles():
    none_of(faults(bundles))


class Parting(tls.Front):
    """Says farewell after each answer, so that the next request comes over another connection. resumed: whether it was of a session known."""

    def __init__(self, port, leaf, version):
        self.resumed, both = [], leaf.pem.with_suffix(".both.pem")
        both.write_bytes(leaf.pem.read_bytes() + leaf.key.read_bytes())
        super().__init__(port, both)
        self.context.minimum_version = self.context.maximum_version = version

    def pump(self, client, behind):
        self.resumed.append(client.session_reused)
        ask = self.message(client)
        self.heard += len(ask)
        behind.sendall(ask)
        client.sendall(self.message(behind).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        client.unwrap()

    @staticmethod
    def message(source):
        text = b""
        while b"\r\n\r\n" not in text:
            text += source.recv(65536)
        head, _, body = text.partition(b"\r\n\r\n")
        length = next((int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += source.recv(65536)
        return head + b"\r\n\r\n" + body


def test_tls_sessions_are_resumed():
    with folder() as here:
        leaf = Makers(here).leaf()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with dynamodb() as behind, Parting(behind, leaf, version) as front:
                package.play(BOOTSTRAP, at(f"https://localhost:{front.at}", AWS_CA_BUNDLE=str(leaf.signer.pem)))
                full = front.resumed.count(False)
                assert len(front.resumed) > 20 and full <= 5 < front.resumed.count(True), (version, front.resumed) # a full one for each function


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────────


def refusals(m):
    root, refused, small = m.root(), "the certificate is refused", ("-cipher", "DEFAULT@SECLEVEL=0")
    rsa = m.root("RSA-2048")
    for what, dates, says in (("expired", ("20200101", "20200102"), "has expired"), ("not valid yet", ("20980101", "20990101"), "is not valid yet")):
        yield Row(f"a leaf that is {what}", m.leaf(dates=dates), says=says)
        yield Row(f"one between that is {what}", m.leaf(m.middle(root, dates=dates)), says=says)
    for host, names in (("a.b.eu.localhost", "DNS:*.eu.localhost"), ("eu.localhost", "DNS:*.eu.localhost"), ("localhost", "DNS:*"),
                        ("127.0.0.1", "DNS:127.0.0.1"), ("127.0.0.1", "IP:127.0.0.2,DNS:localhost"), ("localhost", "IP:127.0.0.1"),
                        ("localhost", "email:localhost@localhost,URI:https://localhost")):
        leaf = m.leaf(names=names)
        if names.startswith("email"): # libcurl takes the common name where no name is of a host: not this one
            leaf = m.certificate("elsewhere.example", "P-256", root, (*LEAF, f"subjectAltName={names}"))
        yield Row(f"{host} with {names}", leaf, host=host, says="wrong host")
    beside = m.certificate("localhost", "P-256", root, (*LEAF, "subjectAltName=DNS:elsewhere.example"))
    alone = m.certificate("localhost", "P-256", None, (*LEAF, "subjectAltName=DNS:localhost"))
    strange = m.leaf(m.root(name="stranger"))
    yield Row("a common name beside other names", beside, says="wrong host")
    yield Row("signed by itself", alone, bundle=root.pem, says="unknown CA")
    yield Row("a chain with a root that isn't ours", strange, bundle=root.pem, chain=[strange.signer], says="unknown CA")
    yield Row("a root of the same name and another key", m.leaf(m.root(use="impostor")), bundle=root.pem, says="unknown CA")
    yield Row("without the one between", m.leaf(m.middle(root)), chain=[], says="unknown CA")
    yield Row("a leaf signed with SHA-1", m.leaf(rsa, digest="sha1"), *small, says="too weak")
    yield Row("one between signed with SHA-1", m.leaf(m.middle(rsa, digest="sha1")), *small, says="too weak")
    yield Row("a leaf signed with SHA-1 and ECDSA", m.leaf(digest="sha1"), *small, says="too weak")
    yield Row("a leaf signed with MD5", m.leaf(rsa, digest="md5"), *small, says="too weak")
    yield Row("a leaf's RSA-1024", m.leaf(root, "RSA-1024"), *small, says="too weak")
    yield Row("a root's RSA-1024", m.leaf(m.root("RSA-1024")), *small, says="too weak")
    yield Row("a CA that is none", m.leaf(m.middle(root, extensions=("basicConstraints=critical,CA:FALSE",))), says=refused)
    yield Row("a leaf that signs", m.leaf(m.leaf()), says="unknown CA")
    only_lists = m.middle(root, extensions=("basicConstraints=critical,CA:TRUE", "keyUsage=critical,cRLSign"))
    yield Row("a CA that may not sign certificates", m.leaf(only_lists), says=refused)
    short = m.middle(root, extensions=("basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign"), name="short")
    yield Row("a chain that is longer than allowed", m.leaf(m.middle(short)), says=refused)
    yield Row("a client's certificate", m.leaf(extensions=(*LEAF[:2], "extendedKeyUsage=clientAuth")), says=refused)
    outside = m.middle(root, extensions=(*CA, "nameConstraints=critical,permitted;DNS:example.com"))
    yield Row("a name that isn't permitted", m.leaf(outside), says=refused)
    yield Row("a name that is excluded", m.leaf(m.middle(root, extensions=(*CA, "nameConstraints=critical,excluded;DNS:localhost"))), says=refused)
    for_proxies = (*LEAF, "proxyCertInfo=critical,language:id-ppl-anyLanguage")
    yield Row("a proxy's certificate", m.certificate("localhost", "P-256", root, for_proxies), says="TLS with localhost")
    yield Row("an extension nobody knows, critical", m.leaf(extensions=(*LEAF, "1.2.3.4.5=critical,ASN1:NULL")), says=refused)
    yield Row("a signature that was changed", changed(m), says="signature failure")
    yield Row("a root of Ed448, which is left out", m.leaf(m.root("Ed448")), says="the handshake failed")
    yield Row("TLS 1.0", m.leaf(rsa, "RSA-2048"), "-tls1", *small, says="no TLS 1.2 or later")
    yield Row("TLS 1.1", m.leaf(rsa, "RSA-2048"), "-tls1_1", *small, says="no TLS 1.2 or later")
    yield Row("one that wants a client's certificate", m.leaf(), "-tls1_2", "-Verify", "1", says="the handshake failed")


def changed(m):
    """A leaf whose last byte, which is of the signature, is another."""
    leaf = m.leaf()
    der = bytearray(ssl.PEM_cert_to_DER_cert(leaf.pem.read_text()))
    der[-1] ^= 1
    leaf.pem.write_text(ssl.DER_cert_to_PEM_cert(bytes(der)))
    return leaf


def test_tls_refusals():
    none_of(faults(refusals))


def twins(m):
    """Each row is wrong: of a server with another root, and of what is trusted and shouldn't be."""
    yield Row("another root", m.leaf(m.root(name="stranger")), bundle=m.root().pem)
    yield Row("another key of the same root", m.leaf(m.root(use="impostor")), bundle=m.root().pem)
    yield Row("a server without the suite", m.leaf(), "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
    yield Row("refused", m.leaf(), says="unknown CA")
    yield Row("another reason", m.leaf(), bundle=m.root(name="stranger").pem, says="has expired")


def test_tls_broken_twins_are_reported():
    found = faults(twins)
    told = ("another root: failed", "another key of the same root: failed", "a server without the suite: failed", "refused: ", "another reason: it doesn't say")
    assert len(found) == len(told) and all(text.startswith(says) for text, says in zip(found, told)), found


def main():
    test = globals().get("test_" + sys.argv[4])
    if test is None:
        sys.exit(f"tls_servers.py has no test_{sys.argv[4]}")
    test()


if __name__ == "__main__":
    main()
