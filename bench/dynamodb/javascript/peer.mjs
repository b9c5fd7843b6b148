// The AWS SDK for JavaScript v3: node peer.mjs first|loop COUNT.
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';

const [, , mode, countText] = process.argv;
const count = Number(countText ?? 1);
const text = 'x'.repeat(200);
const client = new DynamoDBClient({});

const put = (n) =>
  client.send(
    new PutItemCommand({
      TableName: 'latch',
      Item: {
        pk: { S: `BENCH#${n}` },
        sk: { S: 'BENCH' },
        count: { N: String(n) },
        state: { S: 'open' },
        text: { S: text },
      },
    }),
  );

if (mode === 'first') {
  await put(0);
  process.stdout.write('first\n');
} else {
  for (let n = 0; n < 500; n++) await put(n);
  const took = new Float64Array(count);
  const before = process.cpuUsage();
  for (let n = 0; n < count; n++) {
    const from = process.hrtime.bigint();
    await put(n);
    took[n] = Number(process.hrtime.bigint() - from) / 1000;
  }
  const { user, system } = process.cpuUsage(before);
  took.sort();
  const at = (share) => Number(took[Math.floor(count * share)].toFixed(2));
  console.log(JSON.stringify({ cpu_us: Number(((user + system) / count).toFixed(2)), p50_us: at(0.5), p99_us: at(0.99) }));
}
client.destroy();
