"""What the benches of DynamoDB clients share: the endpoint that answers at once (dynamodb/stub.c), over HTTP or TLS."""
import os
import subprocess
import sys


def say(text):
    print(text, file=sys.stderr, flush=True)


def check(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout[-2000:]}")


class Stub:
    def __init__(self, program, scratch, tls):
        self.ca = scratch / "ca.pem"
        arguments = [str(scratch / "server.pem"), str(scratch / "server.key")] if tls else []
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        port = int(self.process.stdout.readline())
        self.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)

    def environment(self, scratch):
        """All that a client needs to find it, and nothing of the shell's own."""
        return {
            "PATH": os.environ["PATH"], "HOME": str(scratch), "AWS_ENDPOINT_URL_DYNAMODB": self.url, "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true", "LATCH_TABLE": "latch", "AWS_CA_BUNDLE": str(self.ca), "SSL_CERT_FILE": str(self.ca),
        }


def make_certificates(scratch):
    """A root and a certificate of it for localhost."""
    def openssl(*arguments):
        check(["openssl", *map(str, arguments)])

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj", "/CN=bench root",
            "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", scratch / "ca.key", "-out", scratch / "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout",
            scratch / "server.key", "-out", scratch / "server.csr")
    (scratch / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", scratch / "server.csr", "-CA", scratch / "ca.pem", "-CAkey", scratch / "ca.key", "-CAcreateserial",
            "-days", 2, "-extfile", scratch / "ext", "-out", scratch / "server.pem")
