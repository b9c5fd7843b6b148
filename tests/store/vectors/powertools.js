// One line of JSON in, its hash out: as @aws-lambda-powertools/idempotency makes a key of an event. For powertools.sh.
const readline = require('node:readline');

(async () => {
  process.env.AWS_LAMBDA_FUNCTION_NAME = 'f';
  process.env.POWERTOOLS_DEV = 'true';
  const { BasePersistenceLayer } = await import('@aws-lambda-powertools/idempotency/persistence');
  console.warn = () => {};
  class Layer extends BasePersistenceLayer {
    hash(data) {
      return this.getHashedIdempotencyKey(data).slice('f#'.length);
    }
    async _deleteRecord() {}
    async _getRecord() {}
    async _putRecord() {}
    async _updateRecord() {}
  }
  const layer = new Layer();
  const { IdempotencyConfig } = await import('@aws-lambda-powertools/idempotency');
  layer.configure({ config: new IdempotencyConfig({}) });
  for await (const line of readline.createInterface({ input: process.stdin })) console.log(layer.hash(JSON.parse(line)));
})();
