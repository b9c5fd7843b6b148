"""A DynamoDB between a function and a store: it keeps what was asked, refuses what a policy doesn't allow, and loses what it is told to."""
import http.client, http.server, json, threading, time, urllib.parse

from iam import rights_of


class Lost(Exception):
    pass


class Recorder:
    """Use it as a context manager. `allows`: (action, table) -> bool; `lose`: number of a request -> "before" or "after" it was applied."""

    def __init__(self, upstream, allows=None, lose=None, delay_s=0):
        self.upstream, self.allows, self.lose, self.delay_s = urllib.parse.urlsplit(upstream).netloc, allows, lose or {}, delay_s
        self.requests, self.connections, self.denied, self.lock = [], 0, [], threading.Lock()
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                with recorder.lock:
                    recorder.connections += 1

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status, headers, answer = recorder.answer(self.headers, body)
                except Lost:
                    self.close_connection = True
                    return
                head = "".join(f"{name}: {value}\r\n" for name, value in headers)
                self.wfile.write(f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, headers, body):
        operation, request = headers["X-Amz-Target"].rsplit(".", 1)[1], json.loads(body)
        needs = rights_of(operation, request)
        with self.lock:
            number = len(self.requests)
            self.requests.append((operation, needs))
        denied = sorted(need for need in needs if self.allows and not self.allows(*need))
        if denied:
            self.denied += denied
            message = f"User: arn:aws:sts::123456789012:assumed-role/f is not authorized to perform: {denied[0][0]} on resource: {denied[0][1]} " \
                      "because no identity-based policy allows the action"
            return 400, [], json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": message}).encode()
        time.sleep(self.delay_s)
        if self.lose.get(number) == "before":
            raise Lost
        answer = self.forward(headers, body)
        if self.lose.get(number) == "after":
            raise Lost
        return answer

    def forward(self, headers, body):
        connection = http.client.HTTPConnection(self.upstream, timeout=20)
        connection.request("POST", "/", body, {name: value for name, value in headers.items() if name.lower() != "host"})
        response = connection.getresponse()
        answer = response.read()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in ("content-length", "connection")]
        connection.close()
        return response.status, kept, answer

    def rights(self):
        return set().union(*(needs for _, needs in self.requests)) if self.requests else set()
