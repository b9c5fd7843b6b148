"""fake_runtime.py - a function's process on raw sockets, as a test's own script wants it: what latch-local's Runtime API is tried with.

Header names of answers are in lower case. A status of 0: the connection was cut before an answer.
"""
import base64, json, os, pathlib, signal, socket, sys, threading, time

API = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
RUNTIME, EXTENSION = "/2018-06-01/runtime/", "/2020-01-01/extension/"
STREAMING = {"Lambda-Runtime-Function-Response-Mode": "streaming"}
TRAILERS = "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
HTTP = "application/vnd.awslambda.http-integration-response"


class Client:
    """One kept connection."""

    def __init__(self):
        self.socket = socket.create_connection((API[0], int(API[1])))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def send(self, method, path, headers=(), body=b""):
        lines = "".join(f"{k}: {v}\r\n" for k, v in dict(headers).items())
        length = "" if "Transfer-Encoding" in dict(headers) else f"Content-Length: {len(body)}\r\n"
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: api\r\n{lines}{length}\r\n".encode() + body)

    def chunk(self, data):
        self.socket.sendall(b"%x\r\n" % len(data) + data + b"\r\n")

    def receive(self):
        while b"\r\n\r\n" not in self.rest:
            got = self.socket.recv(1 << 20)
            if not got: return 0, {}, b""
            self.rest += got
        head, _, rest = self.rest.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        length = int(fields.get("content-length", "0"))
        while len(rest) < length:
            rest += self.socket.recv(1 << 20)
        self.rest = rest[length:]
        return int(lines[0].split(" ")[1]), fields, rest[:length]

    def ask(self, method, path, headers=(), body=b""):
        self.send(method, path, headers, body)
        return self.receive()

    def next(self):
        status, fields, body = self.ask("GET", RUNTIME + "invocation/next")
        assert status == 200, (status, body)
        return fields["lambda-runtime-aws-request-id"], fields, body

    def post(self, id, body, what="response", headers=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", f"{RUNTIME}invocation/{id}/{what}", headers, body)[0]

    def begin_stream(self, id, headers=()):
        more = {"Transfer-Encoding": "chunked", "Trailer": TRAILERS, **STREAMING, **dict(headers)}
        self.send("POST", f"{RUNTIME}invocation/{id}/response", more)

    def end_stream(self, trailers=()):
        self.socket.sendall(b"0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in dict(trailers).items()).encode() + b"\r\n")
        return self.receive()[0]


def error_trailers(type, error):
    return {"Lambda-Runtime-Function-Error-Type": type,
            "Lambda-Runtime-Function-Error-Body": base64.b64encode(json.dumps(error).encode()).decode()}


def register(name="internal", events=()):
    client = Client()
    status, fields, _ = client.ask("POST", EXTENSION + "register", {"Lambda-Extension-Name": name}, json.dumps({"events": list(events)}).encode())
    assert status == 200, status
    return client, fields["lambda-extension-identifier"]


def each_event(work):
    """A decorator: runs work(client, id, fields, event) of each event that comes, in as many threads as Lambda says, each with its client."""
    def serve():
        c = Client()
        while True: work(c, *c.next())
    threads = [threading.Thread(target=serve) for _ in range(int(os.environ["AWS_LAMBDA_MAX_CONCURRENCY"]))]
    for thread in threads: thread.start()
    for thread in threads: thread.join()


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode()) # in one piece, whatever other threads say
