// peer.mjs URL CASE COUNT - the npm libraries, one of whose calls is done some times to warm up, then, once a line came, COUNT times: a line with
// the CPU of one. Stores are as their packages make them; tables are there.
import { createInterface } from "node:readline";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import * as toolkit from "@http-client-toolkit/store-dynamodb";
import * as sagas from "@saga-bus/store-dynamodb";
import { IdempotencyConfig, makeIdempotent } from "@aws-lambda-powertools/idempotency";
import { DynamoDBPersistenceLayer } from "@aws-lambda-powertools/idempotency/dynamodb";

const [url, name, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const WARM_UPS = 100, ELSEWHERE = 100_000;
const client = new DynamoDBClient({ endpoint: url, region: process.env.AWS_REGION, credentials: { accessKeyId: "peer", secretAccessKey: "peer" } });
const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const shared = { client: documents, tableName: "toolkit" };
const value = { title: "a value of the usual size", cents: 1250, tea: true };
const key = (i) => `k-${i}`;

function onlyIf(ok, what) {
  if (!ok) throw new Error(what);
}

const cache = new toolkit.DynamoDBCacheStore(shared);
const dedupe = new toolkit.DynamoDBDedupeStore(shared);
const rate = (limit, windowMs) => new toolkit.DynamoDBRateLimitStore({ ...shared, defaultConfig: { limit, windowMs } });
const granted = rate(60, 60_000), refused = rate(20, 3_600_000);
const store = new sagas.DynamoDBSagaStore({ client: documents, tableName: "sagas" });
const config = new IdempotencyConfig({ eventKeyJmesPath: "id" });
const once = makeIdempotent(async () => ({ receipt: "r-1", cents: 900 }), {
  persistenceStore: new DynamoDBPersistenceLayer({ tableName: "powertools", awsSdkV3Client: client }), config, keyPrefix: "bench" });

function saga(i, version) {
  const at = new Date();
  return { ...value, correlationId: key(i),
    metadata: { sagaId: key(i), version, createdAt: at, updatedAt: at, isCompleted: false, archivedAt: null, timeoutMs: null, timeoutExpiresAt: null } };
}
const insert = (i) => store.insert("bench", key(i), saga(i, 0));
let version = 0;

const set = (i) => cache.set(key(i % 16), value, 300);
const cases = {
  "cache.get": [set, async (i) => onlyIf(await cache.get(key(i % 16)), "a miss")],
  "cache.set": [null, set],
  "cache.set tagged": [null, (i) => cache.setWithTags(key(i % 16), value, 300, ["red", "blue"])],
  "cache.delete": [set, (i) => cache.delete(key(i))],
  "dedupe.register": [null, async (i) => onlyIf((await dedupe.registerOrJoin(key(i))).isOwner, "no owner")],
  "dedupe.join": [() => dedupe.registerOrJoin("joined"), async () => onlyIf(!(await dedupe.registerOrJoin("joined")).isOwner, "an owner")],
  "dedupe.register, complete": [null, async (i) => { await dedupe.registerOrJoin(key(i)); await dedupe.complete(key(i), value); }],
  "rate.acquire, granted": [null, async (i) => onlyIf(await granted.acquire(key(Math.floor(i / 50))), "refused")],
  "rate.acquire, refused": [() => refused.acquire("k"), async () => onlyIf(!(await refused.acquire("k")), "granted")],
  "once, first": [null, (i) => once({ id: key(i) })],
  "once, replayed": [null, () => once({ id: "done" })],
  "saga.insert": [null, insert],
  "saga.get": [insert, async (i) => onlyIf(await store.getById("bench", key(i % WARM_UPS)), "no saga")],
  "saga.update": [insert, async () => { await store.update("bench", saga(0, version + 1), version); version += 1; }],
};

const [before, call] = cases[name];
for (let i = 0; before && i < WARM_UPS; i++) await before(i);
for (let i = 0; i < WARM_UPS; i++) await call(ELSEWHERE + i);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
console.log("ready");
await lines.next();
const from = process.cpuUsage();
for (let i = 0; i < count; i++) await call(i);
const { user, system } = process.cpuUsage(from);
console.log(JSON.stringify({ cpu_us: (user + system) / count }));
process.exit(0);
