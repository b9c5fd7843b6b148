#!/usr/bin/env python3
"""The page of `latch-local serve` at /_latch.

page.py http BUILD        what it answers, and to whom
page.py browser BUILD     in headless Chromium, by the WebDriver protocol: leaves BUILD/latch-page.png
page.py screenshot BUILD BOOTSTRAP FILE   the shop, for the documents
"""
import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

TEMPLATE = """
Globals: {Function: {Timeout: 20}}
Resources:
  Shop:
    Type: AWS::Serverless::Function
    Properties:
      Handler: shop
      Events: {A: {Type: HttpApi, Properties: {Path: '/{proxy+}', Method: ANY}}}
"""
EVIL = "<script>window.hacked=1</script><img src=x onerror=window.hacked=2>"


def fail(text):
    sys.exit("page.py: " + text)


def check(ok, text):
    if not ok:
        raise AssertionError(text)


def until(what, text, seconds=20):
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("never: " + text)
        time.sleep(0.02)


# ── latch-local ──────────────────────────────────────────────────────────────


class Serve:
    """`latch-local serve` in a folder of its own, stopped by its pid."""

    def __init__(self, command, folder, env=None):
        self.folder = folder
        self.err = open(os.path.join(folder, "err"), "w+")
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=self.err, text=True, env={**os.environ, **(env or {})})
        first = self.process.stdout.readline()
        if not first.startswith("latch-local serves http://"):
            raise AssertionError("it didn't start: " + first + self.errors())
        self.port = int(first.strip().rsplit(":", 1)[1])
        self.lines = [first]
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def errors(self):
        self.err.seek(0)
        return self.err.read()

    def stop(self):
        self.process.terminate()
        status = self.process.wait(timeout=20)
        text = self.errors()
        self.err.close()
        check(status == 0 and "Sanitizer" not in text and "runtime error" not in text, f"it ended with {status}: {text}")

    def ask(self, path, method="GET", body=None, headers=None, host=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        body = body.encode() if body is not None else None
        c.putrequest(method, path, skip_host=True)
        for name, value in {"Host": host if host is not None else f"127.0.0.1:{self.port}", **(headers or {})}.items():
            if value:
                c.putheader(name, value)
        if body is not None:
            c.putheader("Content-Length", str(len(body)))
        c.endheaders()
        if body is not None:
            c.send(body)
        answer = c.getresponse()
        text = answer.read().decode()
        c.close()
        return answer, text

    def status(self, *args, **kwargs):
        return self.ask(*args, **kwargs)[0].status


@contextlib.contextmanager
def serving(build, *options, template=TEMPLATE, program=None, env=None):
    folder = tempfile.mkdtemp(prefix="latch-page-")
    try:
        if template:
            with open(os.path.join(folder, "template.yaml"), "w") as f:
                f.write(template)
        program = program or os.path.join(build, "tests/tools/fake_bootstrap")
        serve = Serve([os.path.join(build, "latch-local"), "serve", "--port", "0", *options, "--", program], folder, env)
        try:
            yield serve
        except BaseException:
            serve.process.kill()
            serve.process.wait()
            raise
        serve.stop()
    finally:
        shutil.rmtree(folder)


class Events:
    """A reader of /_latch/events."""

    def __init__(self, serve):
        self.socket = socket.create_connection(("127.0.0.1", serve.port), timeout=20)
        self.socket.sendall(f"GET /_latch/events HTTP/1.1\r\nHost: localhost:{serve.port}\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass
        self.text = b""
        self.run = None

    def piece(self):
        size = int(self.file.readline(), 16)
        data = self.file.read(size)
        self.file.readline()
        check(size > 0, "the events ended")
        self.text += data

    def next(self):
        """The next summary."""
        while True:
            while b"\n\n" not in self.text:
                self.piece()
            event, self.text = self.text.split(b"\n\n", 1)
            lines = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
            if lines.get(b"event") == b"run":
                self.run = lines[b"data"].decode()
            elif b"data" in lines:
                return json.loads(lines[b"data"])

    def close(self):
        self.file.close()
        self.socket.close()


# ── what it answers, and to whom ─────────────────────────────────────────────


def files_are_its_own(serve):
    for path, kind in [("/_latch", "text/html"), ("/_latch/", "text/html"), ("/_latch/page.css", "text/css"), ("/_latch/page.js", "text/javascript")]:
        answer, text = serve.ask(path)
        check(answer.status == 200 and answer.getheader("Content-Type").startswith(kind), path)
        check(answer.getheader("X-Content-Type-Options") == "nosniff", path)
        check("default-src 'none'" in answer.getheader("Content-Security-Policy"), path)
        outside = [u for u in re.findall(r"""(?:src|href|url|import|fetch|EventSource)\s*[=(]\s*["']?([^"')\s>]+)""", text) if not u.startswith("/_latch") and u != "data:,"]
        check(not outside and not re.search(r"[a-z]+://|[\"'(]//", text), f"{path} leads out: {outside}")
    text = serve.ask("/_latch/page.js")[1]
    check("innerHTML" not in text and "insertAdjacentHTML" not in text and "document.write" not in text, "text becomes HTML somewhere")
    check(serve.status("/_latch/nothing") == 404, "nothing is nothing")
    check(serve.status("/_latch", "POST", "") == 405, "it is no form")
    answer, text = serve.ask("/_latch", "HEAD")
    check(answer.status == 200 and text == "", "HEAD")
    check(serve.status("/_latches") == 200, "another path is the functions'")


def only_this_machine_is_answered(serve):
    port = serve.port
    rows = [(f"127.0.0.1:{port}", 200), ("127.0.0.1", 200), (f"localhost:{port}", 200), ("LOCALHOST", 200), (f"127.9.9.9:{port}", 200), (f"[::1]:{port}", 200)]
    rows += [("evil.example", 403), (f"evil.example:{port}", 403), ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403), ("10.0.0.1", 403), ("[::2]", 403), ("x" * 300, 403), ("", 403)]
    for host, status in rows:
        got = serve.status("/_latch", host=host)
        check(got == status, f"Host {host[:40]}: {got}")
    for site, status in [("cross-site", 403), ("same-origin", 200), ("same-site", 200), ("none", 200)]:
        for path in ["/_latch", "/_latch/page.js", "/_latch/invocations/1"]:
            got = serve.status(path, headers={"Sec-Fetch-Site": site})
            check(got == status or (got == 404 and status == 200), f"{path} from {site}: {got}")


def only_the_page_plays_again(serve):
    here = f"http://127.0.0.1:{serve.port}"
    serve.ask("/played?x=1", "POST", "a body")
    one = newest(serve)
    path = f"/_latch/again/{one['id']}"
    rows = [({}, 403), ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Origin": here + "0"}, 403), ({"Origin": here.replace("http", "https")}, 403)]
    rows += [({"Origin": here, "Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403), ({"Sec-Fetch-Site": "none"}, 403)]
    rows += [({"Origin": here}, 202), ({"Sec-Fetch-Site": "same-origin"}, 202), ({"Origin": here, "Sec-Fetch-Site": "same-origin"}, 202)]
    for headers, status in rows:
        got = serve.status(path, "POST", "", headers)
        check(got == status, f"again with {headers}: {got}, want {status}")
    check(serve.status(path) == 405, "a GET changes nothing")
    for bad in ["0", "99999999", "", "1x", "-1", "999999999999999999999999"]:
        check(serve.status("/_latch/again/" + bad, "POST", "", {"Origin": here}) == 404, bad)
    again = until(lambda: (lambda s: s["outcome"] == "answered" and s["id"] == one["id"] + 3 and s)(newest(serve)), "three more")
    check(again["title"] == "POST /played?x=1", again["title"])
    first, second = whole(serve, one["id"]), whole(serve, again["id"])
    check(first["event"] == second["event"] and first["answer"] == second["answer"], "it is the same event")
    check("again" in "".join(until(lambda: [x for x in serve.lines if "again" in x], "a line")), "said in its log")


def whole(serve, number):
    answer, text = serve.ask(f"/_latch/invocations/{number}")
    check(answer.status == 200, f"invocation {number}: {answer.status}")
    return json.loads(text)


def snapshot(serve):
    """All summaries there are, by their numbers."""
    events, found = Events(serve), {}
    try:
        serve.ask("/mark")
        while True:
            s = events.next()
            found[s["id"]] = s
            if s["title"] == "GET /mark" and s["outcome"] == "answered" and s["id"] == max(found):
                del found[s["id"]]
                return found
    finally:
        events.close()


def newest(serve):
    events = Events(serve)
    try:
        events.socket.settimeout(0.3)
        last = {}
        with contextlib.suppress(TimeoutError, socket.timeout):
            while True:
                s = events.next()
                if s["id"] >= last.get("id", 0):
                    last = s
        return last
    finally:
        events.close()


def tells_as_it_happens(serve):
    events = Events(serve)
    threading.Thread(target=lambda: serve.ask("/slow?@log+@wait-for-go"), daemon=True).start()
    seen = []
    while not seen or seen[-1]["outcome"] == "running":
        s = events.next()
        open(os.path.join(serve.folder, "go"), "w").close()
        if s["title"].startswith("GET /slow"):
            seen.append(s)
    check(seen[0]["outcome"] == "running" and "status" not in seen[0], f"first {seen[0]}")
    last = seen[-1]
    check(last["outcome"] == "answered" and last["status"] == 200 and last["duration_ms"] > 0 and not last["failed"], f"last {last}")
    check(last["init_ms"] > 0, "the first one is a cold start")
    check("to standard output\n" in whole(serve, last["id"])["log"], "its log")
    check(events.run, "which run it is")
    events.close()
    outcomes = [("@fail", 502, "error"), ("@crash", 502, "process ended"), ("@garbage", 502, "bad answer"), ("@teapot", 418, "answered"), ("@too-large", 502, "too large")]
    for word, status, outcome in outcomes:
        serve.ask("/x?" + word)
        s = newest(serve)
        check((s["status"], s["outcome"], s["failed"]) == (status, outcome, status == 502), f"{word}: {s}")


def shows_bytes_of_any_kind(serve):
    serve.ask("/x?" + "a" * 300, "POST", "\x00\x7f\u20ac" + EVIL)
    d = whole(serve, newest(serve)["id"])
    check(len(d["title"]) == len("POST ") + 200, "a title is cut")
    check(EVIL in json.loads(d["event"])["body"], "the event as it was")
    serve.ask("/x?@garbage")
    check(whole(serve, newest(serve)["id"])["answer"] == "\ufffd\ufffd{", "bytes that are no text")


def keeps_no_more_than_it_says(serve):
    for i in range(230):
        serve.ask(f"/n/{i}")
    found = snapshot(serve)
    check(len(found) == 200, f"{len(found)} were kept")
    first = min(found)  # the mark has taken its place since
    check(serve.status(f"/_latch/invocations/{first + 1}") == 200 and serve.status(f"/_latch/invocations/{first}") == 404, "the oldest are gone")
    body = "b" * (100 * 1024)
    serve.ask("/big", "POST", body, {"Content-Type": "text/plain"})
    d = whole(serve, newest(serve)["id"])
    check(len(d["event"]) == 64 * 1024 and d["event_cut_of"] > len(body), "a big event is cut")
    check(len(d["answer"]) == 64 * 1024 and d["answer_cut_of"] > len(body), "a big answer too")
    serve.ask("/x?@long-line")
    d = whole(serve, newest(serve)["id"])
    check(len(d["log"]) < 17 * 1024 and "bytes are left out" in d["log"], f"a long log is cut: {len(d['log'])}")
    for i in range(8):  # 5 MB each: 32 MB are kept
        serve.ask(f"/huge/{i}", "POST", "h" * (5 * 1024 * 1024), {"Content-Type": "text/plain"})
    kept = len(snapshot(serve))
    check(3 <= kept <= 7, f"{kept} of 8 big ones")


def readers_are_counted(serve):
    readers = [Events(serve) for _ in range(16)]
    check(all(r.status == 200 for r in readers), "16 pages")
    check(Events(serve).status == 503, "a 17th")
    readers.pop().close()
    check(until(lambda: Events(serve).status == 200, "its place is free again"), "")
    for r in readers:
        r.close()


def own_addresses():
    """An address of this machine that isn't loopback: none where it has no network. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
        s.connect(("192.0.2.1", 9))
        return [s.getsockname()[0]]
    return []


def test_http(build):
    for test in [files_are_its_own, only_this_machine_is_answered, only_the_page_plays_again, tells_as_it_happens, shows_bytes_of_any_kind, keeps_no_more_than_it_says, readers_are_counted]:
        print("  " + test.__name__, flush=True)
        with serving(build) as serve:
            check("invocations, as they come: http://127.0.0.1:" in "".join(until(lambda: [x for x in serve.lines if "/_latch" in x], "the page is named")), "")
            test(serve)
    with serving(build, "--no-page") as serve:
        answer, text = serve.ask("/_latch")
        check(answer.status == 200 and json.loads(text)["rawPath"] == "/_latch", "--no-page: a route as any other")
        check("/_latch" not in "".join(serve.lines[:-1]), "and not named")
    with serving(build, "--host", "0.0.0.0") as serve:
        until(lambda: "for this machine alone" in "".join(serve.lines), "it is said whom the page is for")
        check(serve.status("/_latch") == 200, "this machine")
        for address in own_addresses():
            c = http.client.HTTPConnection(address, serve.port, timeout=20)
            c.request("GET", "/_latch", headers={"Host": "localhost"})
            check(c.getresponse().status == 403, "another address of this machine is another machine's way in")
            c.close()


# ── the browser ──────────────────────────────────────────────────────────────


class Browser:
    def __init__(self, size="1400,800"):
        self.profile = tempfile.mkdtemp(prefix="latch-chromium-")
        chromium = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])), None)
        driver = shutil.which("chromedriver") or shutil.which("chromedriver", path=os.environ.get("CHROMEWEBDRIVER", ""))
        if not chromium or not driver:
            fail("a Chromium and its chromedriver are wanted: tools/deps browser installs them")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.driver = subprocess.Popen([driver, f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.session = None
        until(self.is_up, "chromedriver is up")
        flags = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", f"--window-size={size}", f"--user-data-dir={self.profile}"]
        options = {"binary": chromium, "args": flags}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def is_up(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.call("GET", "/status")["ready"]

    def call(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = c.getresponse()
        value = json.loads(answer.read())["value"]
        c.close()
        if answer.status != 200:
            raise AssertionError(f"{method} {path}: {value.get('error')}: {value.get('message')}")
        return value

    def do(self, method, path, body=None):
        return self.call(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self.do("POST", "/url", {"url": url})

    def run(self, script, *args):
        return self.do("POST", "/execute/sync", {"script": script, "args": list(args)})

    def devtools(self, command, **params):
        return self.do("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def complaints(self):
        return [e for e in self.do("POST", "/se/log", {"type": "browser"}) if e["level"] != "INFO"]

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.do("GET", "/screenshot")))

    def press(self, key):
        self.do("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    def stop(self):
        with contextlib.suppress(Exception):
            self.do("DELETE", "")
        self.driver.terminate()
        self.driver.wait(timeout=20)
        shutil.rmtree(self.profile, ignore_errors=True)


@contextlib.contextmanager
def browsing(*args):
    browser = Browser(*args)
    try:
        yield browser
    finally:
        browser.stop()


ROWS = "return [...document.querySelectorAll('#rows tr')].map(r => [...r.cells].map(c => c.innerText))"
CLICK = "const b = [...document.querySelectorAll('button')].find(b => b.innerText.includes(arguments[0])); b.focus(); b.click()"
DETAILS = "return document.querySelector('#details').hidden ? '' : document.querySelector('#details').innerText"
INTRUDERS = "return document.querySelectorAll('#rows script, #rows img, #details script, #details img').length + (window.hacked || 0)"
# WCAG 2.1: the contrast of each piece of text with what is behind it.
CONTRAST = """
const light = (c) => c.map((x) => x / 255).map((x) => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4).reduce((sum, x, i) => sum + x * [.2126, .7152, .0722][i], 0);
const rgb = (s) => s.match(/[\\d.]+/g).map(Number);
const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
const poor = [];
for (const e of document.querySelectorAll('body *')) {
  if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue;
  const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e)), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < 4.5) poor.push(`${e.tagName} ${e.className} "${e.textContent.slice(0, 30)}" ${ratio.toFixed(2)}`);
}
return poor;
"""


def rows_of(browser):
    return browser.run(ROWS)


def lists_and_marks(serve, browser):
    for path in ["/first", "/x?@fail", "/x?@crash", "/after?@teapot"]:
        serve.ask(path)
    browser.open(f"http://127.0.0.1:{serve.port}/_latch")
    rows = until(lambda: (lambda r: len(r) == 4 and r)(rows_of(browser)), "four rows")
    check([r[2] for r in rows] == ["GET /after?@teapot", "GET /x?@crash", "GET /x?@fail", "GET /first"], f"newest first: {rows}")
    check("418" in rows[0][3] and "cold" in rows[0][3], f"after a crash the start is cold: {rows[0]}")
    check("502 process ended" in rows[1][3] and "cold" not in rows[1][3], f"a crash: {rows[1]}")
    check("502 error" in rows[2][3] and "CardDeclined" in rows[2][6], f"an error: {rows[2]}")
    check("200" in rows[3][3] and "cold" in rows[3][3] and " ms" in rows[3][4], f"the first: {rows[3]}")
    check(browser.run("return document.querySelector('#state').innerText") == "live", "it is live")
    serve.ask("/live")
    until(lambda: rows_of(browser)[0][2] == "GET /live", "a row that comes while one looks")


def shows_one(serve, browser):
    serve.ask("/json?@log", "POST", '{"n":12345678901234567890,"s":"' + EVIL + '"}', {"Content-Type": "application/json"})
    until(lambda: rows_of(browser)[0][2] == "POST /json?@log", "its row")
    browser.run(CLICK, "POST /json")
    text = until(lambda: browser.run(DETAILS), "details")
    for part in ['  "rawPath": "/json",', "12345678901234567890", "to standard output\n", "to standard error, in two pieces\n", "Play again"]:
        check(part in text, f"{part} is not in {text}")
    check(browser.run(INTRUDERS) == 0, "what was sent became HTML")
    browser.run("document.querySelector('#details pre').innerHTML = arguments[0]", EVIL)
    check(browser.run(INTRUDERS) > 0, "the check above sees nothing")
    check(browser.run("return window.hacked || 0") == 0, "and even so nothing is run: the policy forbids it")
    check(len(browser.complaints()) > 0, "which Chromium says")


def shows_a_stream(build, browser):
    template = "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {FunctionUrlConfig: {InvokeMode: RESPONSE_STREAM}}}}"
    with serving(build, template=template) as serve:
        open(os.path.join(serve.folder, "more"), "w").close()
        check(serve.ask("/x?@stream")[1] == "first;second;", "it is streamed")
        browser.open(f"http://127.0.0.1:{serve.port}/_latch")
        rows = until(lambda: rows_of(browser), "its row")
        check("201" in rows[0][3] and "bytes streamed" in rows[0][6], f"a stream: {rows[0]}")
        browser.run(CLICK, "GET /x")
        text = until(lambda: browser.run(DETAILS), "details")
        check('"X-Kind": "stream"' in text and "Body\nfirst;second;\n" in text, f"head and body: {text}")


def plays_again(serve, browser):
    before = len(rows_of(browser))
    browser.run(CLICK, "GET /first")
    until(lambda: '"rawPath": "/first"' in browser.run(DETAILS), "the one that is played")
    browser.run(CLICK, "Play again")
    rows = until(lambda: (lambda r: len(r) == before + 1 and "200" in r[0][3] and r)(rows_of(browser)), "one more")
    check(rows[0][2] == "GET /first", f"the same again: {rows[0]}")
    check(browser.run("return document.querySelector('#rows tr').className") == "chosen", "it is shown")
    check(browser.complaints() == [], "without complaints")


def is_usable_by_keyboard(browser):
    browser.press("\ue00c")  # Escape
    check(browser.run(DETAILS) == "", "Escape closes")
    check(browser.run("return document.activeElement.tagName + document.activeElement.getAttribute('aria-expanded')") == "BUTTONfalse", "the focus is on the row's button")
    browser.press("\ue007")  # Enter
    until(lambda: browser.run(DETAILS), "Enter opens")
    check(browser.run("return document.activeElement.getAttribute('aria-expanded')") == "true", "and says so")
    check(browser.run("return [...document.querySelectorAll('th')].every(h => h.scope === 'col')"), "headers have a scope")
    check(browser.run("return document.documentElement.lang") == "en", "its language is said")


def is_readable(browser):
    for scheme in ["light", "dark"]:
        browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        poor = browser.run(CONTRAST)
        check(poor == [], f"{scheme}: contrast under 4.5: {poor}")
        ground = browser.run("return getComputedStyle(document.body).backgroundColor")
        check(("255, 255, 255" in ground) == (scheme == "light"), f"{scheme}: {ground}")
    browser.run("document.querySelector('#details').style.color = '#777'")
    check(browser.run(CONTRAST) != [], "the check above sees nothing")


def is_bounded(serve, browser):
    for i in range(205):
        serve.ask(f"/n/{i}")
    rows = until(lambda: (lambda r: r[0][2] == "GET /n/204" and r)(rows_of(browser)), "the last one")
    check(len(rows) == 200, f"{len(rows)} rows")


def begins_anew(build, browser):
    """Another latch-local on the same port: what the page shows is no longer there."""
    with serving(build) as serve:
        port = serve.port
        serve.ask("/old")
        browser.open(f"http://127.0.0.1:{port}/_latch")
        until(lambda: len(rows_of(browser)) == 1, "one row")
    until(lambda: "doesn't answer" in browser.run("return document.querySelector('#state').innerText.replace('does not', \"doesn't\")"), "it is said that it is gone")
    with serving(build, "--port", str(port)) as serve:
        serve.ask("/new")
        rows = until(lambda: (lambda r: len(r) == 1 and r[0][2] == "GET /new" and r)(rows_of(browser)), "only the new one")
        check(rows[0][2] == "GET /new", "")


def test_browser(build):
    with browsing() as browser:
        with serving(build) as serve:
            lists_and_marks(serve, browser)
            shows_one(serve, browser)
            plays_again(serve, browser)
            browser.screenshot(os.path.join(build, "latch-page.png"))
            is_usable_by_keyboard(browser)
            is_readable(browser)
            is_bounded(serve, browser)
        begins_anew(build, browser)
        shows_a_stream(build, browser)


# ── the picture in the documents ─────────────────────────────────────────────


def take_screenshot(build, bootstrap, out):
    template = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../template.yaml")
    order = '{"sku":"tea","qty":2}'
    js = {"Content-Type": "application/json"}
    env = {"LATCH_STORE": "embedded"}
    with serving(build, "--template", template, "--env", "DYNAMODB_ENABLE_LOGGING=true", template=None, program=bootstrap, env=env) as serve, browsing("1400,1050") as browser:
        serve.ask("/categories/all")
        serve.ask("/products/tea")
        serve.ask("/products/no-such")
        serve.ask("/login", "POST", '{"user":"ann","password":"guess"}', js)
        serve.ask("/checkout", "POST", order, {**js, "Idempotency-Key": "k-1"})
        serve.ask("/checkout", "POST", order, {**js, "Idempotency-Key": "k-1"})
        serve.ask("/checkout", "POST", '{"sku":"tea","qty":3}', {**js, "Idempotency-Key": "k-1"})
        serve.ask("/dashboard")
        serve.ask("/_url/Export/export/all")
        browser.open(f"http://127.0.0.1:{serve.port}/_latch")
        until(lambda: len(rows_of(browser)) == 9, "its rows")
        browser.run("const b = [...document.querySelectorAll('#rows button')].filter(b => b.innerText.includes('checkout')); b[b.length - 1].click()")
        until(lambda: "receipt" in browser.run(DETAILS), "the order")
        browser.screenshot(out)
    print(f"{out}: {os.path.getsize(out)} bytes")


def main():
    words = sys.argv[1:]
    if words[:1] == ["http"] and len(words) == 2:
        test_http(os.path.abspath(words[1]))
    elif words[:1] == ["browser"] and len(words) == 2:
        test_browser(os.path.abspath(words[1]))
    elif words[:1] == ["screenshot"] and len(words) == 4:
        take_screenshot(*[os.path.abspath(w) for w in words[1:]])
    else:
        fail(__doc__)


main()
