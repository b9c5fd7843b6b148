// judge.mjs URL - what AWS's SDK for JavaScript (v3), its document client included, is answered by the DynamoDB endpoint at URL: every
// operation, one line of JSON a call. Two endpoints that behave alike print the same text: see judge.py. NODE_MODULES says where the SDK is.
import { createRequire } from "node:module";
import { randomBytes } from "node:crypto";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const sdk = require("@aws-sdk/client-dynamodb");
const doc = require("@aws-sdk/lib-dynamodb");

const url = process.argv[2];
const prefix = `judge-${randomBytes(4).toString("hex")}-`;
const options = { endpoint: url, region: "eu-west-1", credentials: { accessKeyId: "judge", secretAccessKey: "judge" }, maxAttempts: 1 };
const client = new sdk.DynamoDBClient(options);
const documents = doc.DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const exact = doc.DynamoDBDocumentClient.from(new sdk.DynamoDBClient(options), { unmarshallOptions: { wrapNumbers: true } });
const [people, orders, big] = ["people", "orders", "big"].map((name) => prefix + name);
let count = 0;

// ── the transcript ──

const sorted = (list) => [...list].sort((a, b) => { const [x, y] = [JSON.stringify(a), JSON.stringify(b)]; return x < y ? -1 : x > y ? 1 : 0; });

function plain(value, unordered) {
  if (value === undefined || value === null || typeof value === "boolean" || typeof value === "number") return value ?? null;
  if (typeof value === "bigint") return { bigint: value.toString() };
  if (typeof value === "string") return value.replaceAll(prefix, "");
  if (value instanceof Date) return "<time>";
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (value instanceof Set) return { set: sorted([...value].map((v) => plain(v))) };
  if (value instanceof doc.NumberValue || value?.constructor?.name === "NumberValueImpl") return { number: value.value };
  if (Array.isArray(value)) {
    const items = value.map((v) => plain(v, unordered));
    return unordered && items.every((v) => typeof v === "object") ? sorted(items) : items;
  }
  const out = {};
  for (const name of Object.keys(value).sort())
    if (name !== "$metadata" && value[name] !== undefined) out[name.replaceAll(prefix, "")] = plain(value[name], unordered);
  const [only] = Object.keys(out);
  if (Object.keys(out).length === 1 && ["SS", "NS", "BS"].includes(only) && Array.isArray(out[only])) out[only] = sorted(out[only]);
  return out;
}

function refusal(e) {
  const { name, message, $metadata, $fault, $response, $service, $retryable, Message, __type, ...rest } = e;
  return { name, message: e.message, class: e.constructor.name, fault: $fault, status: $metadata?.httpStatusCode, ...rest };
}

/** Calls it and prints what came of it; returns the answer, or {} where it failed. */
async function call(label, work, unordered = false) {
  const line = { call: `${String(++count).padStart(3, "0")} ${label}` };
  let answer = {};
  try {
    answer = (await work()) ?? {};
    line.answer = plain(answer, unordered);
  } catch (e) {
    line[e.$metadata?.httpStatusCode ? "refused" : "failed"] = e.$metadata?.httpStatusCode ? plain(refusal(e)) : e.name;
  }
  console.log(JSON.stringify(line));
  return answer;
}

const send = (label, Command, input, unordered) => call(label, () => client.send(new Command(input)), unordered);
const ask = (label, Command, input, unordered) => call(label, () => documents.send(new Command(input)), unordered);

async function pages(iterator) {
  const out = [];
  for await (const page of iterator) out.push(page);
  return out;
}

const S = (s) => ({ S: s }), N = (n) => ({ N: String(n) }), B = (...bytes) => ({ B: Uint8Array.from(bytes) });
const names = (...list) => Object.fromEntries(list.map((n) => [`#${n}`, n]));

// ── tables ──

const attributes = (types) => Object.entries(types).map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType }));
const keys = (partition, sort) => [{ AttributeName: partition, KeyType: "HASH" }, ...(sort ? [{ AttributeName: sort, KeyType: "RANGE" }] : [])];
const table = (TableName, types, partition, sort, more) =>
  ({ TableName, AttributeDefinitions: attributes(types), KeySchema: keys(partition, sort), BillingMode: "PAY_PER_REQUEST", ...more });

async function makeTables() {
  await send("create", sdk.CreateTableCommand, table(people, { id: "S" }, "id"));
  await send("create.indexes", sdk.CreateTableCommand, table(orders, { who: "S", at: "N", shop: "S", cost: "N" }, "who", "at", {
    GlobalSecondaryIndexes: [{ IndexName: "by-shop", KeySchema: keys("shop", "cost"), Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["note"] } }],
    LocalSecondaryIndexes: [{ IndexName: "by-cost", KeySchema: keys("who", "cost"), Projection: { ProjectionType: "ALL" } }],
  }));
  await send("create.units", sdk.CreateTableCommand, table(big, { pk: "B" }, "pk", undefined, { BillingMode: undefined, ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 2 } }));
  for (const TableName of [people, orders, big])
    await call("wait", async () => (await sdk.waitUntilTableExists({ client, maxWaitTime: 20, minDelay: 1 }, { TableName })).state);
  await send("create.again", sdk.CreateTableCommand, table(people, { id: "S" }, "id"));
  await send("create.unused", sdk.CreateTableCommand, table(`${prefix}x`, { id: "S", b: "S" }, "id"));
  await send("create.local-hash", sdk.CreateTableCommand, table(`${prefix}x`, { id: "S" }, "id", undefined, {
    LocalSecondaryIndexes: [{ IndexName: "own", KeySchema: keys("id"), Projection: { ProjectionType: "ALL" } }] }));
  await send("describe", sdk.DescribeTableCommand, { TableName: orders });
  await send("describe.missing", sdk.DescribeTableCommand, { TableName: `${prefix}none` });
  await send("list", sdk.ListTablesCommand, { ExclusiveStartTableName: `${prefix}a`, Limit: 2 });
  await call("list.pages", async () =>
    (await pages(sdk.paginateListTables({ client, pageSize: 2 }, {}))).flatMap((p) => p.TableNames).filter((n) => n.startsWith(prefix)));
  await send("ttl.describe", sdk.DescribeTimeToLiveCommand, { TableName: people });
  const ttl = (Enabled, AttributeName = "ttl") => ({ TableName: people, TimeToLiveSpecification: { Enabled, AttributeName } });
  await send("ttl.on", sdk.UpdateTimeToLiveCommand, ttl(true));
  await send("ttl.again", sdk.UpdateTimeToLiveCommand, ttl(true));
  await send("ttl.described", sdk.DescribeTimeToLiveCommand, { TableName: people });
  await send("ttl.off", sdk.UpdateTimeToLiveCommand, ttl(false));
  await send("limits", sdk.DescribeLimitsCommand, {});
  await send("unknown", sdk.ListBackupsCommand, {});
}

async function updateTables() {
  await send("table.protect", sdk.UpdateTableCommand, { TableName: big, DeletionProtectionEnabled: true });
  await send("table.protected", sdk.DeleteTableCommand, { TableName: big });
  await send("table.unprotect", sdk.UpdateTableCommand, { TableName: big, DeletionProtectionEnabled: false });
  await send("table.units", sdk.UpdateTableCommand, { TableName: big, ProvisionedThroughput: { ReadCapacityUnits: 3, WriteCapacityUnits: 3 } });
  await send("table.on-demand", sdk.UpdateTableCommand, { TableName: big, BillingMode: "PAY_PER_REQUEST" });
  await send("table.nothing", sdk.UpdateTableCommand, { TableName: big });
}

// ── the client: attribute values as they are on the wire ──

const all = {
  id: S("all"), text: S("grüße, 世界 \u0001\"\\ 😀"), empty: S(""), n: N("-12.50"), big: N("12345678901234567890123456789012345678"), b: B(0, 255, 16),
  none: { NULL: true }, yes: { BOOL: true }, no: { BOOL: false }, ss: { SS: ["b", "a"] }, ns: { NS: ["3", "1.0"] }, bs: { BS: [Uint8Array.of(2), Uint8Array.of(1)] },
  l: { L: [S("x"), N(1), { L: [] }, { M: { deep: S("v") } }] }, m: { M: { a: N(1), b: { L: [N(1), N(2)] } } },
};

async function items() {
  const key = (id) => ({ TableName: people, Key: { id: S(id) } });
  const put = (label, Item, more) => send(`put.${label}`, sdk.PutItemCommand, { TableName: people, Item, ...more });
  await put("all", all);
  await send("get.all", sdk.GetItemCommand, { ...key("all"), ConsistentRead: true });
  await send("get.none", sdk.GetItemCommand, key("none"));
  await send("get.some", sdk.GetItemCommand, { ...key("all"), ProjectionExpression: "#m.b[0], l[3].deep, #text", ExpressionAttributeNames: names("m", "text"), ReturnConsumedCapacity: "TOTAL" });
  await put("old", { id: S("all"), n: N(1) }, { ReturnValues: "ALL_OLD" });
  await put("condition", { id: S("all") }, { ConditionExpression: "attribute_not_exists(id)", ReturnValuesOnConditionCheckFailure: "ALL_OLD" });
  await put("no-key", { n: N(1) });
  await put("key-type", { id: N(1) });
  await put("set-empty", { id: S("x"), s: { SS: [] } });
  await put("number", { id: S("x"), n: N("1".repeat(39)) });
  await put("large", { id: S("x"), v: S("v".repeat(409600)) });
  await put("two-types", { id: S("x"), v: { S: "a", N: "1" } });
  await put("no-type", { id: S("x"), v: {} });
  await put("syntax", { id: S("x") }, { ConditionExpression: "a = = :a" });
  await put("unused", { id: S("x") }, { ConditionExpression: "attribute_exists(a)", ExpressionAttributeValues: { ":a": N(1) } });
  await put("missing", { id: S("x") }, { TableName: `${prefix}none` });
  const update = (label, UpdateExpression, values, more) =>
    send(`update.${label}`, sdk.UpdateItemCommand, { ...key("u"), UpdateExpression, ExpressionAttributeValues: values, ReturnValues: "ALL_NEW", ...more });
  await update("set", "SET a = :a, l = :l, m = :m", { ":a": N(1), ":l": { L: [N(1), N(2)] }, ":m": { M: { x: N(1) } } });
  await update("plus", "SET a = a + :a, b = if_not_exists(b, :a), l = list_append(l, :l)", { ":a": N("0.5"), ":l": { L: [S("z")] } }, { ReturnValues: "UPDATED_NEW" });
  await update("path", "SET m.y = :a, l[0] = :a REMOVE m.x, l[1]", { ":a": S("new") });
  await update("add", "ADD n :n, ss :ss", { ":n": N(5), ":ss": { SS: ["a", "b"] } });
  await update("delete", "DELETE ss :ss", { ":ss": { SS: ["a"] } }, { ReturnValues: "UPDATED_OLD" });
  await update("condition", "SET a = :a", { ":a": N(1) }, { ConditionExpression: "attribute_exists(gone)", ReturnValuesOnConditionCheckFailure: "ALL_OLD" });
  await update("overlap", "SET m.y = :a, m = :a", { ":a": N(1) });
  await update("key", "SET id = :a", { ":a": S("x") });
  await update("type", "SET a = m + :a", { ":a": N(1) });
  await update("reserved", "SET status = :a", { ":a": N(1) });
  await update("no-path", "SET nowhere.x = :a", { ":a": N(1) });
  await send("delete.condition", sdk.DeleteItemCommand, { ...key("u"), ConditionExpression: "a < :a", ExpressionAttributeValues: { ":a": N(0) } });
  await send("delete.old", sdk.DeleteItemCommand, { ...key("u"), ReturnValues: "ALL_OLD" });
  await send("delete.key", sdk.DeleteItemCommand, { TableName: people, Key: { other: S("x") } });
}

const conditions = [
  "#n = :five", "#n <> :five", "#n < :five", "#n <= :five", "#n > :three", "#n >= :three", "#n BETWEEN :three AND :five", "#n IN (:three, :five)", "begins_with(#s, :te)",
  "contains(#s, :te)", "contains(#ss, :text)", "contains(#l, :five)", "size(#s) = :four", "size(#l) > :three", "attribute_exists(#m.#n)", "attribute_not_exists(#m.#s)",
  "attribute_type(#n, :typeN)", "NOT #n = :five", "#n = :three OR #s = :text", "#n = :five AND (#s = :te OR #s = :text)", "#l[0] = :five", "#n = #m.#n", "#s > :te", "#ss = :set",
];

async function conditionals() {
  const values = { ":three": N(3), ":four": N(4), ":five": N(5), ":te": S("te"), ":text": S("text"), ":typeN": S("N"), ":set": { SS: ["text", "a"] } };
  const Item = { id: S("c"), n: N("5.0"), s: S("text"), ss: { SS: ["a", "text"] }, l: { L: [N(5), S("x"), N(1)] }, m: { M: { n: N(5) } } };
  await send("condition.item", sdk.PutItemCommand, { TableName: people, Item });
  for (const condition of conditions) {
    const used = (word, all) => Object.fromEntries(Object.entries(all).filter(([n]) => condition.match(word)?.includes(n)));
    await send(`if ${condition}`, sdk.PutItemCommand, {
      TableName: people, Item, ConditionExpression: condition, ExpressionAttributeNames: used(/#\w+/g, names("n", "s", "ss", "l", "m")),
      ...(condition.includes(":") && { ExpressionAttributeValues: used(/:\w+/g, values) }) });
  }
}

// ── the document client: JavaScript's own values ──

async function documentItems() {
  const key = (id) => ({ TableName: people, Key: { id } });
  const item = {
    id: "doc", text: "t", empty: "", n: 1.5, whole: 9007199254740991, huge: 12345678901234567890n, no: false, none: null, gone: undefined, b: Uint8Array.of(1, 2), ss: new Set(["b", "a"]),
    ns: new Set([2, 1]), bs: new Set([Uint8Array.of(9)]), l: [1, "x", [null, { deep: [] }]], m: { a: { b: { c: 1 } }, e: {} },
  };
  await ask("doc.put", doc.PutCommand, { TableName: people, Item: item });
  await call("doc.get", () => exact.send(new doc.GetCommand(key("doc"))));
  await ask("doc.get.some", doc.GetCommand, { ...key("doc"), ProjectionExpression: "l[2][1], m.a.b" });
  await ask("doc.get.none", doc.GetCommand, key("none"));
  await ask("doc.update", doc.UpdateCommand, { ...key("doc2"), UpdateExpression: "SET #m = :m, l = list_append(if_not_exists(l, :none), :l) ADD n :n",
    ExpressionAttributeNames: names("m"), ExpressionAttributeValues: { ":m": { a: [1, { b: new Set(["x"]) }] }, ":none": [], ":l": ["a", 2], ":n": 3 }, ReturnValues: "ALL_NEW" });
  await ask("doc.condition", doc.UpdateCommand, { ...key("doc2"), UpdateExpression: "ADD n :n", ConditionExpression: "n > :max", ExpressionAttributeValues: { ":n": 1, ":max": 10 },
    ReturnValuesOnConditionCheckFailure: "ALL_OLD" });
  await ask("doc.delete", doc.DeleteCommand, { ...key("doc2"), ReturnValues: "ALL_OLD" });
  await ask("doc.key-type", doc.GetCommand, key(1));
  await ask("doc.key-more", doc.GetCommand, { TableName: people, Key: { id: "doc", n: 1 } });
  await ask("doc.key-empty", doc.PutCommand, { TableName: people, Item: { id: "" } });
  await ask("doc.replace", doc.PutCommand, { TableName: people, Item: { id: "doc", n: 2 }, ConditionExpression: "n = :n AND contains(ss, :a)", ExpressionAttributeValues: { ":n": 1.5, ":a": "a" }, ReturnValues: "ALL_OLD" });
  await ask("doc.empty-set", doc.PutCommand, { TableName: people, Item: { id: "x", s: new Set() } });
  await ask("doc.map-class", doc.PutCommand, { TableName: people, Item: { id: "x", s: new Map([["a", 1]]) } });
}

async function several() {
  const order = (i) => ({ who: `p${i % 3}`, at: i, cost: ((i * 7) % 11) + 1, shop: `s${i % 2}`, note: `note ${i}`, extra: { i } });
  const list = Array.from({ length: 25 }, (_, i) => order(i));
  const puts = list.map((Item) => ({ PutRequest: { Item } }));
  await ask("batch.write", doc.BatchWriteCommand, { RequestItems: { [orders]: puts } });
  await ask("batch.mixed", doc.BatchWriteCommand, { RequestItems: { [orders]: [{ DeleteRequest: { Key: { who: "p0", at: 24 } } }], [people]: [{ PutRequest: { Item: { id: "batch" } } }] } });
  await ask("batch.too-many", doc.BatchWriteCommand, { RequestItems: { [orders]: [...puts, puts[0]] } });
  await ask("batch.twice", doc.BatchWriteCommand, { RequestItems: { [orders]: [puts[0], puts[0]] } });
  const keysOf = (n) => Array.from({ length: n }, (_, i) => ({ who: `p${i % 3}`, at: i }));
  await ask("batch.get", doc.BatchGetCommand, { RequestItems: { [orders]: { Keys: keysOf(30), ProjectionExpression: "who, #at, cost", ExpressionAttributeNames: names("at") }, [people]: { Keys: [{ id: "batch" }] } } }, true);
  await ask("batch.get.twice", doc.BatchGetCommand, { RequestItems: { [orders]: { Keys: [...keysOf(1), ...keysOf(1)] } } });
  await ask("batch.get.too-many", doc.BatchGetCommand, { RequestItems: { [orders]: { Keys: keysOf(101) } } });
  await ask("batch.get.missing", doc.BatchGetCommand, { RequestItems: { [`${prefix}none`]: { Keys: keysOf(1) } } });

  const query = (label, KeyConditionExpression, values, more, unordered) =>
    ask(`query.${label}`, doc.QueryCommand, { TableName: orders, KeyConditionExpression, ExpressionAttributeValues: values,
      ...(KeyConditionExpression.includes("#at") && { ExpressionAttributeNames: names("at") }), ...more }, unordered);
  await query("all", "who = :w", { ":w": "p0" });
  await query("back", "who = :w", { ":w": "p0" }, { ScanIndexForward: false, Limit: 3 });
  for (const op of ["=", "<", "<=", ">", ">="]) await query(op, `who = :w AND #at ${op} :a`, { ":w": "p0", ":a": 9 });
  await query("between", "who = :w AND #at BETWEEN :a AND :b", { ":w": "p1", ":a": 4, ":b": 13 });
  await query("filter", "who = :w", { ":w": "p1", ":t": 5 }, { FilterExpression: "cost > :t", Limit: 4 });
  await query("count", "who = :w", { ":w": "p1" }, { Select: "COUNT" });
  await query("index", "shop = :s AND cost > :t", { ":s": "s0", ":t": 6 }, { IndexName: "by-shop" }, true);
  await query("local", "who = :w AND cost BETWEEN :a AND :b", { ":w": "p0", ":a": 2, ":b": 9 }, { IndexName: "by-cost", ConsistentRead: true }, true);
  await query("units", "who = :w", { ":w": "p2" }, { ReturnConsumedCapacity: "TOTAL", Limit: 2 });
  await query("strong-index", "shop = :s", { ":s": "s0" }, { IndexName: "by-shop", ConsistentRead: true });
  await query("no-hash", "cost = :t", { ":t": 1 });
  await query("type", "who = :w", { ":w": 1 });
  await query("filter-key", "who = :w", { ":w": "p0" }, { FilterExpression: "who <> :w" });
  await call("query.pages", async () =>
    (await pages(doc.paginateQuery({ client: documents, pageSize: 3 }, { TableName: orders, KeyConditionExpression: "who = :w", ExpressionAttributeValues: { ":w": "p2" } })))
      .map((p) => [p.Items.map((i) => i.at), p.LastEvaluatedKey]));
  await call("query.pages.wire", async () =>
    (await pages(sdk.paginateQuery({ client, pageSize: 4 }, { TableName: orders, KeyConditionExpression: "who = :w", ExpressionAttributeValues: { ":w": S("p1") } }))).map((p) => p.Count));
  await ask("scan", doc.ScanCommand, { TableName: orders }, true);
  await ask("scan.filter", doc.ScanCommand, { TableName: orders, FilterExpression: "cost IN (:a, :b) OR extra.i = :c", ExpressionAttributeValues: { ":a": 1, ":b": 2, ":c": 7 } }, true);
  await ask("scan.index", doc.ScanCommand, { TableName: orders, IndexName: "by-shop" }, true);
  await call("scan.pages", async () => (await pages(doc.paginateScan({ client: documents, pageSize: 5 }, { TableName: orders }))).flatMap((p) => p.Items), true);
  await call("scan.segments", async () => (await Promise.all([0, 1, 2].map((Segment) => documents.send(new doc.ScanCommand({ TableName: orders, Segment, TotalSegments: 3 })))))
    .flatMap((p) => p.Items), true);
  await ask("scan.count", doc.ScanCommand, { TableName: orders, Select: "COUNT" });
  await ask("scan.limit", doc.ScanCommand, { TableName: orders, Limit: 0 });
  await ask("scan.missing", doc.ScanCommand, { TableName: `${prefix}none` });
  await ask("scan.start", doc.ScanCommand, { TableName: orders, ExclusiveStartKey: { who: "p0" } });
  await ask("scan.segment", doc.ScanCommand, { TableName: orders, Segment: 3, TotalSegments: 3 });
}

async function transactions() {
  const put = (id, more) => ({ Put: { TableName: people, Item: { id, v: 1 }, ...more } });
  const free = { ConditionExpression: "attribute_not_exists(id)" };
  const write = (label, TransactItems, more) => ask(`transact.${label}`, doc.TransactWriteCommand, { TransactItems, ...more });
  await write("all", [put("t1", free), { Update: { TableName: people, Key: { id: "t2" }, UpdateExpression: "ADD v :v", ExpressionAttributeValues: { ":v": 2 } } },
    { Delete: { TableName: people, Key: { id: "batch" } } }, { ConditionCheck: { TableName: people, Key: { id: "none" }, ...free } }]);
  await write("cancelled", [put("t3"), put("t1", { ...free, ReturnValuesOnConditionCheckFailure: "ALL_OLD" }), put("t2", free)]);
  await ask("transact.not-made", doc.GetCommand, { TableName: people, Key: { id: "t3" } });
  await write("twice", [put("t4"), put("t4")]);
  await write("token", [put("t5")], { ClientRequestToken: `${prefix}token` });
  await write("token-again", [put("t5")], { ClientRequestToken: `${prefix}token` });
  await write("token-other", [put("t6")], { ClientRequestToken: `${prefix}token` });
  await write("too-many", Array.from({ length: 101 }, (_, i) => put(`m${i}`)));
  await write("missing", [{ Put: { TableName: `${prefix}none`, Item: { id: "x" } } }]);
  const get = (id, more) => ({ Get: { TableName: people, Key: { id }, ...more } });
  await ask("transact.get", doc.TransactGetCommand, { TransactItems: [get("t1"), get("none"), get("t2", { ProjectionExpression: "v" }), { Get: { TableName: orders, Key: { who: "p0", at: 0 } } }] });
  await write("unfit", [put("t7"), { Update: { TableName: people, Key: { id: "t1" }, UpdateExpression: "SET v = v + :x", ExpressionAttributeValues: { ":x": "x" } } }]);
  await ask("transact.get.twice", doc.TransactGetCommand, { TransactItems: [get("t1"), get("t1")] });
  await ask("transact.get.missing", doc.TransactGetCommand, { TransactItems: [{ Get: { TableName: `${prefix}none`, Key: { id: "x" } } }] });
}

async function many() {
  const ids = Array.from({ length: 60 }, (_, i) => `many${i}`);
  await call("many.put", async () => (await Promise.all(ids.map((id) => documents.send(new doc.PutCommand({ TableName: people, Item: { id } }))))).length);
  await call("many.count", async () => {
    const increment = () => documents.send(new doc.UpdateCommand({ TableName: people, Key: { id: "count" }, UpdateExpression: "ADD n :one", ExpressionAttributeValues: { ":one": 1 }, ReturnValues: "UPDATED_NEW" }));
    return (await Promise.all(ids.map(increment))).map((a) => a.Attributes.n).sort((a, b) => a - b);
  });
  await call("many.win", async () => {
    const claim = () => documents.send(new doc.PutCommand({ TableName: people, Item: { id: "claim" }, ConditionExpression: "attribute_not_exists(id)" }));
    return (await Promise.allSettled(ids.map(claim))).filter((a) => a.status === "fulfilled").length;
  });
  const bytes = Uint8Array.from({ length: 300000 }, (_, i) => i % 256);
  await send("large.put", sdk.PutItemCommand, { TableName: big, Item: { pk: B(1, 2), v: { B: bytes } } });
  await call("large.get", async () => Buffer.compare((await client.send(new sdk.GetItemCommand({ TableName: big, Key: { pk: B(1, 2) } }))).Item.v.B, bytes));
}

async function dropTables() {
  for (const TableName of [people, orders, big]) {
    await call("drop", async () => (await client.send(new sdk.DeleteTableCommand({ TableName }))).TableDescription.TableName);
    await call("drop.wait", async () => (await sdk.waitUntilTableNotExists({ client, maxWaitTime: 20, minDelay: 1 }, { TableName })).state);
  }
  await send("drop.again", sdk.DeleteTableCommand, { TableName: people });
}

try {
  for (const part of [makeTables, items, conditionals, documentItems, several, transactions, many, updateTables]) await part();
} finally {
  await dropTables();
}
