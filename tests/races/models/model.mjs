// model.mjs RACE [--OPTION VALUE]… - a worker as races_worker is, of the npm libraries: the same calls, the same journal (see worker.h).
// compare.py puts it beside what tools/deps peers installs: node looks for what is imported there.
import { appendFileSync } from "node:fs";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { DynamoDBDedupeStore, DynamoDBRateLimitStore } from "@http-client-toolkit/store-dynamodb";
import { DynamoDBSagaStore } from "@saga-bus/store-dynamodb";

const [race, ...words] = process.argv.slice(2);
const o = { calls: 1, "lease-ms": 300, limit: 5, seed: 1 };
for (let i = 0; i < words.length; i += 2) o[words[i].slice(2)] = isNaN(words[i + 1]) ? words[i + 1] : Number(words[i + 1]);
const table = process.env.LATCH_TABLE;
const client = new DynamoDBClient({ endpoint: process.env.AWS_ENDPOINT_URL_DYNAMODB, region: process.env.AWS_REGION,
  credentials: { accessKeyId: "local", secretAccessKey: "local" } });

const now = () => Number(process.hrtime.bigint() / 1000n); // CLOCK_MONOTONIC, as the others read it
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const roll = (sides) => Math.floor(Math.random() * sides);
const note = (e) => appendFileSync(o.journal, `${JSON.stringify({ p: process.pid, ...e })}\n`);

/** As dedupe-overrun: owned, settled, now and then after its deadline. A job whose time is over is noticed by who asks whether it is in progress. */
function dedupe() {
  const store = new DynamoDBDedupeStore({ client, tableName: table, jobTimeoutMs: o["lease-ms"] });
  return async () => {
    const t0 = now();
    const { jobId, isOwner } = await store.registerOrJoin("k0");
    note({ e: "join", k: 0, status: isOwner ? "OK" : "Busy", id: jobId, lease: o["lease-ms"], result: 0, rerun: 1, t0, t1: now() });
    if (!isOwner) {
      if (roll(4) === 0) await store.isInProgress("k0");
      return pause(roll(3));
    }
    await pause(1);
    if (roll(8) === 0) await pause(o["lease-ms"] + roll(600));
    const fails = roll(8) !== 0;
    note({ e: "ends", k: 0, id: jobId, fails, t: now() });
    await (fails ? store.fail("k0", new Error("it failed")) : store.complete("k0", { id: jobId }));
    note({ e: "ended", k: 0, id: jobId, fails, status: "OK", maybe: 0, t: now() });
  };
}

/** As rate-moved: the limit is lowered and raised every 700 ms. */
function rate() {
  const open = (limit) => new DynamoDBRateLimitStore({ client, tableName: table, defaultConfig: { limit, windowMs: 1000 } });
  const limits = [o.limit, Math.floor(o.limit / 2)], stores = limits.map(open);
  return async () => {
    const t0 = now(), at = Math.floor(t0 / 700000) % 2;
    let status = "Error";
    try {
      status = (await stores[at].acquire("k0")) ? "OK" : "Limited";
    } catch (e) {
      if (!e.name.startsWith("Transaction")) throw e;
    }
    note({ e: "rate", k: 0, status, maybe: 0, limit: limits[at], bound: o.limit, window: 1000, exact: 1, t0, t1: now() });
    await pause(roll(8));
  };
}

function saga() {
  const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const store = new DynamoDBSagaStore({ client: documents, tableName: table });
  const state = (version) => ({ by: o.seed, metadata: { sagaId: "k0", version, isCompleted: false, createdAt: new Date(), updatedAt: new Date() } });
  return async () => {
    const seen = await store.getById("race", "k0"), version = seen ? seen.metadata.version + 1 : 0, t0 = now();
    let status = "OK";
    note({ e: "updating", k: 0, version });
    try {
      if (seen) await store.update("race", state(version), version - 1);
      else await store.insert("race", "k0", state(0));
    } catch (e) {
      if (!/Conditional|Concurrency/.test(e.name)) throw e;
      status = "Conflict";
    }
    note({ e: "saga", k: 0, status, maybe: 0, version, t0, t1: now() });
  };
}

const one = { "dedupe-overrun": dedupe, "rate-moved": rate, saga }[race]();
for (let i = 0; i < o.calls; i++) await one();
note({ e: "bye", calls: o.calls });
process.exit(0); // stores may have timers left
