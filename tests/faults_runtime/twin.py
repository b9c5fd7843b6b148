"""twin.py - a function's process that does well with every fault of latch-local's Runtime API, and, as argv[1] says, one thing badly.

sound: nothing · twice: posts each outcome again · exits: ends at a 410 · stays: asks for more after a 500 · lingers: ends 1.5 s after one ·
mixed-up: answers with the event before
"""
import http.client, json, os, sys, time

HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
BASE = "/2018-06-01/runtime/invocation/"
FLAW = sys.argv[1]
before = b"{}"
connection = None


def ask(method, path, body=None):
    """Its status, headers and body, however often that takes."""
    global connection
    while True:
        try:
            if connection is None: connection = http.client.HTTPConnection(HOST, int(PORT), timeout=20)
            connection.request(method, BASE + path, body)
            answer = connection.getresponse()
            if not {"content-length", "transfer-encoding"} & {name.lower() for name in answer.headers}: # http.client takes half a head for one
                raise http.client.IncompleteRead(b"")
            return answer.status, answer.headers, answer.read()
        except (http.client.HTTPException, OSError):
            connection = None
            time.sleep(0.005)


def mourn():
    if FLAW == "lingers": time.sleep(1.5)
    if FLAW != "stays": os._exit(1)


while True:
    status, headers, event = ask("GET", "next")
    if status == 500: mourn()
    if status != 200:
        time.sleep(0.005)
        continue
    request = headers.get("Lambda-Runtime-Aws-Request-Id")
    if request is None: os._exit(0)
    answer, before = before if FLAW == "mixed-up" else event, event
    fails = event.startswith(b'{"fail"')
    what, body = ("error", b'{"errorType":"Twin","errorMessage":"as asked"}') if fails else ("response", answer)
    for _ in range(2 if FLAW == "twice" else 1):
        status = ask("POST", f"{request}/{what}", body)[0]
        if status == 500: mourn()
        if status == 410 and FLAW == "exits": os._exit(1)
