"""One line of JSON in, its hash out: as aws-lambda-powertools for Python makes a key of an event. For powertools.sh."""
import json
import sys

from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer


class Layer(BasePersistenceLayer):
    def _get_record(self, idempotency_key): ...
    def _put_record(self, data_record): ...
    def _update_record(self, data_record): ...
    def _delete_record(self, data_record): ...


layer = Layer()
for line in sys.stdin.buffer:
    print(layer._generate_hash(json.loads(line)))
