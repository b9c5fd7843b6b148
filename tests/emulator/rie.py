"""AWS's emulator of the Runtime API (aws-lambda-rie of the SAM CLI), in its two modes: plain, one event at a time, and managed instances,
several at once (AWS_LAMBDA_MAX_CONCURRENCY). In the second it starts /var/task/bootstrap and nothing else: a private mount of /var has one
there that runs ours, in a namespace of its own, which wants root or user namespaces."""
import concurrent.futures, json, os, pathlib, platform, shlex, signal, socket, subprocess, tempfile, time, urllib.error, urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program():
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return next(ROOT.glob(f"build/tools/sam/lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"))


def free_ports(count):
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def children_of(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text().split()]
        except OSError: # it has ended since
            continue
        for child in children:
            found += [child, *children_of(child)]
    return found


class Emulator:
    """It and the function that it starts, which is `command` (its words) with `handler`. Use it as a context manager: whatever happens, all of
    its processes are gone afterwards. Of the environment the function gets what is not a setting of Lambda's or Latch's, and `variables`."""

    def __init__(self, command, handler, at_once=1, timeout_s=None, **variables):
        self.command, self.handler, self.at_once = [str(word) for word in command], handler, at_once
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "_"))}
        self.environment = {**inherited, "_HANDLER": handler, "AWS_LAMBDA_FUNCTION_NAME": handler, **variables}
        if timeout_s is not None:
            self.environment["AWS_LAMBDA_FUNCTION_TIMEOUT"] = str(timeout_s)
        if at_once > 1:
            self.environment["AWS_LAMBDA_MAX_CONCURRENCY"] = str(at_once)

    def words(self):
        self.port, runtime = free_ports(2)
        words = [str(program()), "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}", "--runtime-api-address", f"127.0.0.1:{runtime}"]
        if self.at_once == 1:
            return [*words, *self.command, self.handler]
        script = f"#!/bin/sh\nexec {shlex.join(self.command)}\n"
        inside = f"mount -t tmpfs none /var && mkdir /var/task && printf %s {shlex.quote(script)} >/var/task/bootstrap && chmod 755 /var/task/bootstrap && exec {shlex.join(words)}"
        return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", inside]

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.words(), env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True)
        try:
            self.await_port()
        except BaseException:
            self.__exit__(True)
            raise
        return self

    def await_port(self):
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until, "the emulator did not start"
                time.sleep(0.02)

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP) # else it may start another function for the one that is killed
            for pid in [*children_of(self.process.pid), self.process.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait()
        if kind is not None:
            print(self.said()[-3000:])
        self.log.close()

    def said(self):
        """What it and the function wrote. By pread: where the file is read is where they write."""
        return os.pread(self.log.fileno(), os.fstat(self.log.fileno()).st_size, 0).decode(errors="replace")

    def await_word(self, word, seconds=10):
        until = time.monotonic() + seconds
        while word not in self.said():
            assert time.monotonic() < until, f"{word!r} was never said"
            time.sleep(0.02)

    def invoke(self, event, **headers):
        """(status, body) of one invocation. Several at once: where no worker has asked for an event yet, the emulator doesn't wait for one."""
        until = time.monotonic() + 20
        while True:
            status, body = self.invoke_once(event, **headers)
            if b"Runtime.Unavailable" not in body or time.monotonic() > until:
                return status, body
            time.sleep(0.01)

    def invoke_once(self, event, **headers):
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def at_the_same_time(self, events):
        with concurrent.futures.ThreadPoolExecutor(len(events)) as pool:
            return list(pool.map(self.invoke, events))
