"""Certificates of a test's own, and HTTPS in front of a plain server: whom a packaged executable trusts is tried with these."""
import contextlib, select, socket, ssl, subprocess, threading


def openssl(*arguments, **options):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60, **options)


def make_root(folder, name):
    """A root of that name in folder/NAME.pem, its key beside it."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj", f"/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")
    return folder / f"{name}.pem"


KEYS = {"RSA 2048": ["rsa:2048"], "RSA 4096": ["rsa:4096"], "RSA-PSS": ["rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"], "Ed25519": ["ed25519"],
        **{curve: ["ec", "-pkeyopt", f"ec_paramgen_curve:{curve}"] for curve in ("P-256", "P-384", "P-521")}}


def sign_itself(folder, kind, host):
    """A certificate for `host` with a key of that kind, which is its own root, and the key, in one file."""
    both = folder / f"{kind}.pem"
    openssl("req", "-x509", "-newkey", *KEYS[kind], "-nodes", "-days", 2, "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
            "-keyout", folder / "key", "-out", folder / "certificate")
    both.write_text((folder / "certificate").read_text() + (folder / "key").read_text())
    return both


def issue(folder, root, name, host, expired=False):
    """A certificate for `host` that `root` signed, and its key, in one file."""
    request, certificate, key = folder / f"{name}.csr", folder / f"{name}.crt", folder / f"{name}.key"
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
            "-out", request)
    (folder / "openssl.cnf").write_text(f"""[ca]
default_ca = ours
[ours]
dir = {folder}
database = {folder}/{name}.index
new_certs_dir = {folder}
default_md = sha256
policy = any
rand_serial = yes
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:{host}
extendedKeyUsage = serverAuth
""")
    (folder / f"{name}.index").write_text("")
    when = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] if expired else ["-days", "1"]
    openssl("ca", "-batch", "-notext", "-config", folder / "openssl.cnf", "-in", request, "-out", certificate, "-cert", root,
            "-keyfile", root.with_suffix(".key"), *when)
    both = folder / f"{name}.both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    return both


class Front:
    """Listens on loopback for TLS (certificate given), or for CONNECT (none given), and hands everything on to `port`. `heard`: the bytes
    that clients sent inside. `newest`, `ciphers` (of TLS 1.2) and `curve`: the only ones it has."""

    def __init__(self, port, certificate=None, newest=None, ciphers=None, curve=None):
        self.port, self.listener, self.handshakes, self.heard, self.asked = port, socket.create_server(("127.0.0.1", 0)), 0, 0, []
        self.at = self.listener.getsockname()[1]
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
            if newest:
                self.context.maximum_version = newest
            if ciphers:
                self.context.set_ciphers(ciphers)
            if curve and curve != "X25519":  # which older Pythons don't know by name; it is what their OpenSSL takes where it may choose
                self.context.set_ecdh_curve(curve)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, sock):
        with contextlib.suppress(OSError), sock, socket.create_connection(("127.0.0.1", self.port)) as behind:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
                self.handshakes += 1
            else:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += sock.recv(4096)
                self.asked.append(head.split(b"\r\n")[0].decode())
                sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with sock:
                self.pump(sock, behind)

    def pump(self, client, behind):
        while True:
            pending = self.context and client.pending()
            ready = [client] if pending else select.select([client, behind], [], [], 30)[0]
            for source in ready:
                data = source.recv(65536)
                self.heard += len(data) if source is client else 0
                (behind if source is client else client).sendall(data)
                if not data:
                    return
            if not ready:
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
