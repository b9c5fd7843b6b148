// Functions on AWS's runtime for Node.js: echo answers with its event, stream streams as many bytes as the event says.
const BLOCK_BYTES = 65536;

export const echo = async (event) => event;

export const stream = awslambda.streamifyResponse(async (event, out) => {
  const block = Buffer.from(Uint8Array.from({ length: BLOCK_BYTES }, (_, i) => 33 + (i % 64)));
  for (let left = event.bytes; left > 0; left -= BLOCK_BYTES) {
    const kept = out.write(left < BLOCK_BYTES ? block.subarray(0, left) : block);
    if (!kept) await new Promise((done) => out.once("drain", done));
  }
  out.end();
  await new Promise((done) => out.once("finish", done));
});
