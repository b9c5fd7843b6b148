// peer.mjs URL - the npm libraries, driven by lines of JSON. Two calls:
//   {"do": "new", "as": "c", "class": "Cache", "options": {…}}     a store on the endpoint at URL; or "class": "Once", a function made idempotent
//   {"do": "call", "on": "c", "method": "get", "args": […]}        a method of it
// Answers: {"id", "result"} or {"id", "error": {"name", "message", …}}. What JSON hasn't: {"$undefined": true}, {"$date": "…"}, {"$map": [[k, v]]}.
// Calls are begun in order and answered when they are done: one that waits keeps no other.
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import * as toolkit from "@http-client-toolkit/store-dynamodb";
import * as sagas from "@saga-bus/store-dynamodb";
import { IdempotencyConfig, makeIdempotent } from "@aws-lambda-powertools/idempotency";
import { DynamoDBPersistenceLayer } from "@aws-lambda-powertools/idempotency/dynamodb";

const client = new DynamoDBClient({
  endpoint: process.argv[2], region: process.env.AWS_REGION, credentials: { accessKeyId: "peer", secretAccessKey: "peer" } });
const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const objects = new Map();

function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== "object") return value;
  if (value.$undefined) return undefined;
  if (value.$date) return new Date(value.$date);
  if (value.$map) return new Map(value.$map.map(([k, v]) => [k, decode(v)]));
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, decode(v)]));
}

function encode(value) {
  if (value === undefined) return { $undefined: true };
  if (value instanceof Date) return { $date: value.toISOString() };
  if (Array.isArray(value)) return value.map(encode);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => [k, encode(v)]));
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A function made idempotent: run(event, work, leftMs) tells whether it did the work, and what came of it. */
class Once {
  constructor({ table, prefix, layer, ...config }) {
    this.persistenceStore = new DynamoDBPersistenceLayer({ tableName: table, awsSdkV3Client: client, ...layer });
    Object.assign(this, { prefix, config });
  }

  async run(event, { result, sleepMs = 0, until, fail }, leftMs = 60_000) {
    let did = false;
    const config = new IdempotencyConfig(this.config);
    config.registerLambdaContext({ getRemainingTimeInMillis: () => leftMs });
    const work = makeIdempotent(async () => {
      did = true;
      await sleep(sleepMs);
      for (const end = Date.now() + 30_000; until && !existsSync(until) && Date.now() < end;) await sleep(5);
      if (fail) throw new Error(fail);
      return result;
    }, { persistenceStore: this.persistenceStore, config, keyPrefix: this.prefix });
    const response = await work(event);
    return { did, response };
  }
}

const classes = {
  Cache: (options) => new toolkit.DynamoDBCacheStore({ client, ...options }),
  Dedupe: (options) => new toolkit.DynamoDBDedupeStore({ client, ...options }),
  RateLimit: (options) => new toolkit.DynamoDBRateLimitStore({ client, ...options }),
  Adaptive: (options) => new toolkit.DynamoDBAdaptiveRateLimitStore({ client, ...options }),
  Saga: (options) => new sagas.DynamoDBSagaStore({ client: documents, ...options }),
  Once: (options) => new Once(options),
};

const calls = {
  new({ as, class: name, options = {} }) {
    objects.set(as, classes[name](decode(options)));
  },
  call({ on, method, args = [] }) {
    return objects.get(on)[method](...decode(args));
  },
  createSagaTable({ table }) {
    return sagas.createTable(client, sagas.getTableSchema(table));
  },
  schema() {
    return toolkit.TABLE_SCHEMA;
  },
};

async function answer(line) {
  const { id = null, do: name, ...more } = JSON.parse(line);
  try {
    return { id, result: encode(await calls[name](more)) };
  } catch (e) {
    return { id, error: { ...encode({ ...e }), name: e.name, class: e.constructor.name, message: e.message } };
  }
}

for await (const line of createInterface({ input: process.stdin })) answer(line).then((a) => process.stdout.write(`${JSON.stringify(a)}\n`));
process.exit(0); // stores may have timers left
