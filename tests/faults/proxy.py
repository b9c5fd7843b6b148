"""A DynamoDB endpoint that misbehaves: it passes requests on to a real one, and does to some of them what `plan` says. It counts what it
accepts: connections are counted here, never by the client."""
import http.client, json, pathlib, socket, struct, sys, threading, time, zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from service import Connection

PASS = "pass"
CLOSE = "close"                # answers, and closes the connection without a word
CLOSE_HEADER = "close header"  # answers with Connection: close, and closes
RESET_BEFORE = "reset before"  # resets when it has read the request; not applied
RESET_AFTER = "reset after"    # applied; half of the answer, then a reset
CUT = "cut"                    # applied; half of the body, then the end
STALL = "stall"                # applied, and never answered
STALL_BEFORE = "stall before"  # neither applied nor answered
FAIL = "500"                   # not applied
FAIL_APPLIED = "500 applied"   # applied, and answered with 500
THROTTLE = "throttle"          # 400, not applied
WRONG_CRC = "wrong crc"        # applied; the answer's checksum isn't its body's
HTML = "html"                  # applied; 200 and a web page


class Proxy:
    """plan(number, operation) of the n-th request, counted from 0, is one of the above."""

    def __init__(self, upstream, plan=lambda number, operation: PASS):
        self.host, _, port = upstream.removeprefix("http://").rstrip("/").partition(":")
        self.port, self.plan = int(port), plan
        self.accepted, self.requests, self.slow, self.done, self.operations = 0, 0, 0, {}, []
        self.lock = threading.Lock()
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        with self.lock:
            for sock in self.open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
                self.open.add(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def next_action(self, operation):
        with self.lock:
            action = self.plan(self.requests, operation)
            self.requests += 1
            self.done[action] = self.done.get(action, 0) + 1
            self.operations.append((operation, action))
            return action

    def serve(self, sock):
        connection, upstream = Connection(sock), http.client.HTTPConnection(self.host, self.port)
        try:
            while True:
                method, path, headers, body = connection.request()
                if method != "POST":  # the look at the connection while the process starts
                    connection.answer(200, [("Content-Type", "text/plain"), ("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()))], b"healthy")
                    continue
                operation = headers["x-amz-target"].rpartition(".")[2]
                action, begin = self.next_action(operation), time.monotonic()
                goes_on = self.act(action, connection, upstream, path, headers, body)
                with self.lock:
                    self.slow += time.monotonic() - begin > 0.5  # a busy machine: a try may have timed out
                if not goes_on:
                    return
        except (ConnectionError, OSError):
            pass
        finally:
            upstream.close()
            sock.close()
            with self.lock:
                self.open.discard(sock)

    def act(self, action, connection, upstream, path, headers, body):
        """False: the connection is over."""
        if action == RESET_BEFORE:
            return reset(connection)
        if action == FAIL:
            return say(connection, 500, "InternalServerError", "Internal server error")
        if action == THROTTLE:
            return say(connection, 400, "ThrottlingException", "Rate exceeded")
        if action == STALL_BEFORE:
            return wait_for_the_end(connection)
        status, kept, answer = ask(upstream, path, headers, body)
        if action == STALL:
            return wait_for_the_end(connection)
        if action == FAIL_APPLIED:
            return say(connection, 500, "InternalServerError", "Internal server error")
        if action in (RESET_AFTER, CUT):
            half = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(answer) + 10) + answer[: len(answer) // 2]
            connection.sock.sendall(half)
            return reset(connection) if action == RESET_AFTER else False
        if action == WRONG_CRC:
            kept = [(name, value if name.lower() != "x-amz-crc32" else str(zlib.crc32(answer) ^ 1)) for name, value in kept]
        if action == HTML:
            connection.answer(200, [("Content-Type", "text/html")], b"<html>proxy</html>")
            return True
        if action == CLOSE_HEADER:
            kept.append(("Connection", "close"))
        connection.answer(status, kept, answer)
        return action not in (CLOSE, CLOSE_HEADER)


def ask(upstream, path, headers, body):
    upstream.request("POST", path, body, {name: value for name, value in headers.items() if name not in ("connection", "content-length")})
    answer = upstream.getresponse()
    kept = [(name, value) for name, value in answer.getheaders() if name.lower() in ("content-type", "x-amz-crc32", "x-amzn-requestid", "date")]
    return answer.status, kept, answer.read()


def say(connection, status, name, message):
    connection.answer(status, [("Content-Type", "application/x-amz-json-1.0")],
                      json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": message}).encode())
    return True


def reset(connection):
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def wait_for_the_end(connection):
    """Until the client gives up."""
    connection.sock.settimeout(30)
    try:
        while connection.sock.recv(4096):
            pass
    except OSError:
        pass
    return False
