"""The Lambda service's side of the Runtime API on plain sockets: a second implementation, beside latch-local and AWS's emulator."""
import os, queue, signal, socket, subprocess, threading, time, uuid


class Connection:
    def __init__(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.buffer = sock, b""

    def fill(self):
        more = self.sock.recv(1 << 20)
        if not more:
            raise ConnectionError("the function closed its connection")
        self.buffer += more

    def request(self):
        """(method, path, headers, body) of the next request."""
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            return method, path, headers, self.chunks()
        length = int(headers.get("content-length", "0"))
        while len(self.buffer) < length:
            self.fill()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return method, path, headers, body

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def chunks(self):
        """A streamed body without its framing; its trailers are in self.trailers."""
        body, self.trailers = b"", {}
        while size := int(self.line(), 16):
            while len(self.buffer) < size + 2:
                self.fill()
            body, self.buffer = body + self.buffer[:size], self.buffer[size + 2:]
        while line := self.line().decode("latin-1"):
            name, _, value = line.partition(":")
            self.trailers[name.strip().lower()] = value.strip()
        return body

    def answer(self, status, headers=(), body=b""):
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.sock.sendall(f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


class Function:
    """A bootstrap (its path, or a command with arguments) and the service it polls. Use it as a context manager: whatever happens, the process is gone afterwards."""

    def __init__(self, bootstrap, handler, environment=None, timeout_s=10):
        self.timeout_s = timeout_s
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "_"))}
        inherited.update(AWS_LAMBDA_RUNTIME_API="127.0.0.1:%d" % self.listener.getsockname()[1], AWS_LAMBDA_FUNCTION_NAME=handler,
                         AWS_REGION="us-east-1", _HANDLER=handler, SHOP_PASSWORD="opensesame")
        inherited.update(environment or {})
        self.process = subprocess.Popen([bootstrap] if isinstance(bootstrap, str) else bootstrap, env=inherited, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.output = b""
        self.connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.drain()
        self.process.stdout.close()
        if self.connection:
            self.connection.sock.close()
        self.listener.close()

    def drain(self):
        try:
            self.output += self.process.stdout.read() or b""
        except ValueError:
            pass

    def next_request(self):
        while True:
            if self.connection is None:
                self.connection = Connection(self.listener.accept()[0])
                self.connection.sock.settimeout(20)
            try:
                return self.connection.request()
            except ConnectionError:
                self.connection.sock.close()
                self.connection = None

    def invoke(self, event, headers=()):
        """Answers /next with the event; returns ("response" or "error", headers, body)."""
        method, path, _, _ = self.next_request()
        assert (method, path) == ("GET", "/2018-06-01/runtime/invocation/next"), (method, path)
        request_id = str(uuid.uuid4())
        self.connection.answer(200, [("Lambda-Runtime-Aws-Request-Id", request_id), ("Content-Type", "application/json"),
                                     ("Lambda-Runtime-Deadline-Ms", int((time.time() + self.timeout_s) * 1000)),
                                     ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f"),
                                     *headers], event)
        method, path, reply_headers, body = self.next_request()
        prefix = f"/2018-06-01/runtime/invocation/{request_id}/"
        assert method == "POST" and path.startswith(prefix), (method, path)
        self.connection.answer(202, body=b'{"status":"OK"}')
        return path[len(prefix):], reply_headers, body

    def rss_anon_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


class Crowd:
    """The service of a function with several workers: it hands out `events`, one to whoever asks, and keeps what came of each."""

    def __init__(self, events, timeout_s=10):
        self.timeout_s = timeout_s
        self.waiting = queue.SimpleQueue()
        for i, event in enumerate(events):
            self.waiting.put((i, event))
        self.outcomes = [[] for _ in events]  # of each event: (kind, body)
        self.one_came = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        try:
            while True:
                threading.Thread(target=self.serve, args=[Connection(self.listener.accept()[0])], daemon=True).start()
        except OSError:
            return

    def serve(self, connection):
        try:
            while True:
                method, path, _, body = connection.request()
                if method == "GET":
                    self.hand_out(connection)
                else:
                    *_, i, kind = path.split("/")
                    self.outcomes[int(i)].append((kind, body))
                    connection.answer(202, body=b'{"status":"OK"}')
                    self.one_came.set()
        except OSError:
            connection.sock.close()

    def hand_out(self, connection):
        """Who asks when all are handed out waits for as long as the test's process lives."""
        i, event = self.waiting.get()
        connection.answer(200, [("Lambda-Runtime-Aws-Request-Id", i), ("Content-Type", "application/json"),
                                ("Lambda-Runtime-Deadline-Ms", int((time.time() + self.timeout_s) * 1000)),
                                ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f")], event)

    def run(self, command, handler, workers, when_one_came=None):
        """(how the process ended, what it wrote); `when_one_came` is called with it as soon as there is an outcome."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "_"))}
        environment.update(AWS_LAMBDA_RUNTIME_API=self.address, AWS_LAMBDA_MAX_CONCURRENCY=str(workers), _HANDLER=handler)
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            if when_one_came and self.one_came.wait(20):
                when_one_came(process)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
        return process.returncode, said
