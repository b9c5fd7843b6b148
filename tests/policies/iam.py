"""What a template's functions may do: (action, ARN) pairs, out of what AWS SAM's own translator makes of it."""
import copy, fnmatch, os, re

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
from samcli.yamlhelper import yaml_parse
from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform

ACCOUNT = "123456789012"
ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:us-east-1:{account}:table/{id}",
    "AWS::SQS::Queue": "arn:aws:sqs:us-east-1:{account}:{id}",
    "AWS::Logs::LogGroup": "arn:aws:logs:us-east-1:{account}:log-group:{id}:*",
    "AWS::SNS::Topic": "arn:aws:sns:us-east-1:{account}:{id}",
}
LOG_ACTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}
# "Configuring an Amazon SQS queue for use with Lambda", AWS Lambda developer guide: what the execution role needs.
QUEUE_ACTIONS = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}


class NoPolicies(ManagedPolicyLoader):
    def __init__(self):
        pass

    def load(self):
        return {}


def read(path):
    return yaml_parse(path.read_text(encoding="utf-8"))


def listed(value):
    return value if isinstance(value, list) else [value]


class Stack:
    """What CloudFormation would be given."""

    def __init__(self, template):
        template = copy.deepcopy(template)
        for resource in template["Resources"].values():  # `sam package` would have put it there
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = "s3://bucket/key"
        template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
        defaults = {name: parameter.get("Default", "") for name, parameter in template.get("Parameters", {}).items()}
        self.resources = transform(template, defaults, NoPolicies())["Resources"]

    def of_type(self, kind):
        return {name: resource for name, resource in self.resources.items() if resource["Type"] == kind}

    def arn(self, name):
        kind = self.resources[name]["Type"]
        if kind not in ARNS:
            raise AssertionError(f"a policy has the ARN of {name}, and this test doesn't know that of {kind}")
        return ARNS[kind].format(account=ACCOUNT, id=name)

    def text(self, value):
        """A policy's resource as text. What isn't understood is an error, so that nothing is overlooked."""
        if isinstance(value, str):
            return value
        (function, argument), = value.items()
        if function == "Fn::GetAtt":
            name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
            if attribute == "Arn":
                return self.arn(name)
        if function == "Fn::Sub" and isinstance(argument, str):
            return re.sub(r"\$\{(\w+)\.Arn\}", lambda found: self.arn(found[1]), argument)
        raise AssertionError(f"a policy has a resource that this test doesn't understand: {value}")

    def role_of(self, function):
        role = self.resources[function]["Properties"]["Role"]
        (kind, argument), = role.items()
        assert kind == "Fn::GetAtt", role
        return (argument if isinstance(argument, list) else argument.split("."))[0]

    def allowed(self, function):
        """Every (action, resource) that the function's role has, as it is written there."""
        role, pairs = self.resources[self.role_of(function)]["Properties"], set()
        for managed in role.get("ManagedPolicyArns", []):
            pairs.add((f"all of {str(managed).rsplit('/', 1)[-1].rstrip(chr(39) + '}]')}", "*"))
        for policy in role.get("Policies", []):
            for statement in listed(policy["PolicyDocument"]["Statement"]):
                known = set(statement) <= {"Sid", "Effect", "Action", "Resource"} and statement["Effect"] == "Allow"
                assert known, f"{function}: a statement that this test doesn't understand: {statement}"
                pairs |= {(action, self.text(resource)) for action in listed(statement["Action"]) for resource in listed(statement["Resource"])}
        return pairs

    def needed_of_lambda(self, function):
        """What Lambda does in the function's name: its log, the queues that it is given."""
        properties, pairs = self.resources[function]["Properties"], set()
        group = properties.get("LoggingConfig", {}).get("LogGroup")
        assert group is not None, f"{function} has no log group of its own: its log would never end"
        pairs |= {(action, self.arn(group["Ref"])) for action in LOG_ACTIONS}
        for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values():
            if mapping["Properties"]["FunctionName"] == {"Ref": function}:
                pairs |= {(action, self.text(mapping["Properties"]["EventSourceArn"])) for action in QUEUE_ACTIONS}
        return pairs


def covers(pattern, pair):
    return all(fnmatch.fnmatchcase(b, a.replace("[", "[[]")) for a, b in zip(pattern, pair))


def compare(allowed, needed):
    """(too much, too little): rights that aren't needed word for word, needs that no right covers."""
    return sorted(allowed - needed), sorted(pair for pair in needed if not any(covers(pattern, pair) for pattern in allowed))


# ── what a request needs ──────────────────────────────────────────────────────────────────────────────────────────────

PARTS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem"}


def rights_of(operation, request):
    """(IAM action, table or table/index) pairs of a DynamoDB request. A transaction needs those of its parts, and none of its own."""
    if operation in ("TransactWriteItems", "TransactGetItems"):
        return {(f"dynamodb:{PARTS[kind]}", part["TableName"]) for item in request["TransactItems"] for kind, part in item.items()}
    if operation in ("BatchGetItem", "BatchWriteItem"):
        return {(f"dynamodb:{operation}", table) for table in request["RequestItems"]}
    index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
    return {(f"dynamodb:{operation}", request.get("TableName", "*") + index)}
