"""peer.py URL CASE COUNT - AWS Lambda Powertools for Python, as peer.mjs does."""
import json
import os
import resource
import sys

import boto3
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function

url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = boto3.client("dynamodb", endpoint_url=url, region_name=os.environ["AWS_REGION"], aws_access_key_id="peer", aws_secret_access_key="peer")


class Context:
    def get_remaining_time_in_millis(self):
        return 60000


config = IdempotencyConfig(event_key_jmespath="id")
config.register_lambda_context(Context())


@idempotent_function(data_keyword_argument="event", config=config, key_prefix="bench-python",
                     persistence_store=DynamoDBPersistenceLayer(table_name="powertools", boto3_client=client))
def work(event):
    return {"receipt": "r-1", "cents": 900}


cases = {"once, first": lambda i: work(event={"id": f"k-{i}"}), "once, replayed": lambda i: work(event={"id": "done"})}
for i in range(100):
    cases[name](100000 + i)
print("ready", flush=True)
sys.stdin.readline()
start = resource.getrusage(resource.RUSAGE_SELF)
for i in range(count):
    cases[name](i)
end = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu_us": (end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime) * 1e6 / count}), flush=True)
