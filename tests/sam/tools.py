"""SAM's commands, as a user calls them, and what they are given: a home, keys that open nothing, and this machine's Docker engine."""
import contextlib, json, os, pathlib, re, signal, socket, subprocess, time, urllib.error, urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAM = ROOT / "build/tools/sam/bin"
REGION, KEYS = "us-east-1", {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
TABLE = "Table" # the template's resource, which its functions are given as LATCH_TABLE
ARCH = {"x86_64": "x86_64", "aarch64": "arm64"}[os.uname().machine] # functions run as this; the other one is only built
IMAGE = f"public.ecr.aws/lambda/provided:al2023-{ARCH}"


class Died(Exception):
    pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def function_of(event):
    """The function that an event is for: its name begins with the handler's, and handlers are named as functions are."""
    return event.split("-")[0].capitalize()


class World:
    """A scratch folder, a database, and SAM with both."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.url_file = self.folder / "dynamodb-local"
        self.built = self.folder / "build"
        self.url = None
        for name in ("home", "tmp"):
            (self.folder / name).mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCH_", "SAM_", "_"))}
        # STS is asked for an account by every command, for 10 s where there is none: this end of it refuses at once
        self.environment = {**kept, **KEYS, "HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp"), "AWS_REGION": REGION,
                            "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1",
                            "AWS_EC2_METADATA_DISABLED": "true", "SAM_CLI_TELEMETRY": "0", "SAM_CLI_CHECK_VERSION": "0",
                            "PATH": f"{SAM}:{os.environ['PATH']}"}

    def run(self, *words, timeout=300, environment=None):
        return subprocess.run([str(w) for w in words], cwd=ROOT, env={**self.environment, **(environment or {})}, capture_output=True,
                              text=True, timeout=timeout, stdin=subprocess.DEVNULL)

    # ── DynamoDB Local ──

    def start_database(self):
        done = subprocess.run([ROOT / "tools/dynamodb-local", "start", self.url_file], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Died(f"DynamoDB Local does not start:\n{done.stderr}")
        self.url = self.url_file.read_text().strip()

    def stop_database(self):
        subprocess.run([ROOT / "tools/dynamodb-local", "stop", self.url_file])

    def make_table(self, name):
        return self.run(ROOT / "build/release/latch", "table", "create", name, environment={"AWS_ENDPOINT_URL_DYNAMODB": self.url})

    def client(self, service, url):
        import boto3
        from botocore.config import Config # here, so that the sentences of what is missing need no SDK
        return boto3.client(service, endpoint_url=url, region_name=REGION, aws_access_key_id="local", aws_secret_access_key="local",
                            config=Config(retries={"max_attempts": 0}, read_timeout=60))

    def table(self, name):
        return Table(self.client("dynamodb", self.url), name)

    # ── functions ──

    def options(self, table):
        """What every `sam local` is given: the template that sam build left, and where the functions find DynamoDB and the table. Without
        --env-vars a function's table is called as the template's resource is."""
        port = self.url.rsplit(":", 1)[1]
        words = ["--template", self.built / "template.yaml", "--region", REGION, "--skip-pull-image", "--add-host", "host.docker.internal:host-gateway",
                 "--parameter-overrides", f"Architecture={ARCH}", f"DynamoDBEndpoint=http://host.docker.internal:{port}"]
        if table != TABLE:
            variables = self.folder / f"variables-{table}.json"
            variables.write_text(json.dumps({"Parameters": {"LATCH_TABLE": table}}))
            words += ["--env-vars", variables]
        return words

    def invoke(self, function, event, table):
        """`sam local invoke`, which exits with 0 whatever happens: what it printed, and what the function logged."""
        done = self.run("sam", "local", "invoke", function, "--event", event, *self.options(table), timeout=120)
        return done.stdout.strip(), done.stderr

    @contextlib.contextmanager
    def service(self, kind, table):
        """`sam local start-api` or `start-lambda`: its address, once it answers."""
        port, log = free_port(), self.folder / f"{kind}.log"
        with open(log, "wb") as out:
            process = subprocess.Popen(["sam", "local", kind, "--port", str(port), "--warm-containers", "EAGER", *map(str, self.options(table))],
                                       cwd=ROOT, env=self.environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            self.await_port(process, port, log)
            yield Service(f"http://127.0.0.1:{port}", log)
        finally:
            process.terminate() # it takes its containers with it
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def await_port(self, process, port, log):
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if process.poll() is not None:
                raise Died(f"SAM ended before it listened:\n{log.read_text()[-2000:]}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.2)
        raise Died(f"SAM did not listen within two minutes:\n{log.read_text()[-2000:]}")

    # ── the engine ──

    def docker(self, *words):
        return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=120)

    def containers(self):
        """SAM's, of what was built here; others' are left alone."""
        found = []
        for function in self.built.glob("*/"):
            found += self.docker("ps", "--all", "--quiet", "--filter", "label=sam.cli.container.type", "--filter", f"volume={function}").stdout.split()
        return sorted(set(found))

    def remove_containers(self):
        left = self.containers()
        if left:
            self.docker("rm", "--force", "--volumes", *left)


class Table:
    """What is stored, item by item, by another library than ours."""

    def __init__(self, client, name):
        self.client, self.name = client, name

    @staticmethod
    def plain(item):
        """Attributes by their values: numbers as int, null as None."""
        values = {}
        for name, typed in item.items():
            (kind, value), = typed.items()
            values[name] = int(value) if kind == "N" else None if kind == "NULL" else value
        return values

    def get(self, pk, sk):
        found = self.client.get_item(TableName=self.name, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True).get("Item")
        return None if found is None else self.plain(found)

    def set(self, pk, sk, **attributes):
        """Numbers and texts into an item, which is made where it isn't there."""
        names = {f"#{n}": name for n, name in enumerate(attributes)}
        values = {f":{n}": {"N": str(v)} if isinstance(v, int) else {"S": v} for n, v in enumerate(attributes.values())}
        self.client.update_item(TableName=self.name, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ExpressionAttributeNames=names,
                                ExpressionAttributeValues=values, UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in range(len(attributes))))

    def delete(self, pk, sk):
        self.client.delete_item(TableName=self.name, Key={"pk": {"S": pk}, "sk": {"S": sk}})

    def keys(self):
        pages = self.client.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        return sorted(item["pk"]["S"] for page in pages for item in page["Items"])

    def warm_up(self):
        """A Java that has just started takes seconds for an answer, longer than a function waits: until ten in a row came soon, or two minutes."""
        until, soon = time.monotonic() + 120, 0
        while soon < 10 and time.monotonic() < until:
            before = time.monotonic()
            self.set("WARM", "WARM", value=1)
            self.get("WARM", "WARM")
            with contextlib.suppress(self.client.exceptions.ConditionalCheckFailedException):
                self.client.update_item(TableName=self.name, Key={"pk": {"S": "WARM"}, "sk": {"S": "WARM"}}, UpdateExpression="SET #v = if_not_exists(#v, :v) + :v",
                                        ConditionExpression="attribute_not_exists(#v) OR (#v > :v AND #v < :v)", ExpressionAttributeNames={"#v": "value"},
                                        ExpressionAttributeValues={":v": {"N": "1"}}, ReturnValuesOnConditionCheckFailure="ALL_OLD")
            self.delete("WARM", "WARM")
            soon = soon + 1 if time.monotonic() - before < 0.2 else 0


class Service:
    def __init__(self, url, log):
        self.url, self.log = url, log

    def said(self):
        return self.log.read_text(errors="replace")

    def call(self, method, path, body=None, **headers):
        """Status, headers, and the body as JSON where it is."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **{n.replace("_", "-"): v for n, v in headers.items()}},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, names, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, names, text = error.code, error.headers, error.read()
        with contextlib.suppress(ValueError):
            text = json.loads(text)
        return status, names, text


def functions_of(template):
    """The logical ids of a template's functions, as they stand in the file."""
    return re.findall(r"^  (\w+):\n    Type: AWS::Serverless::Function\b", pathlib.Path(template).read_text(), re.M)
