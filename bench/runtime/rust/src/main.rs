// Functions on AWS's runtime for Rust: echo answers with its event, stream streams as many bytes as the event says.
use bytes::Bytes;
use lambda_runtime::streaming::{channel, Body, Response};
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::Value;

const BLOCK_BYTES: usize = 65536;

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}

async fn stream(event: LambdaEvent<Value>) -> Result<Response<Body>, Error> {
    let mut left = event.payload["bytes"].as_u64().ok_or("bytes is no number")? as usize;
    let block = Bytes::from((0..BLOCK_BYTES).map(|i| b'!' + (i % 64) as u8).collect::<Vec<u8>>());
    let (mut out, body) = channel();
    tokio::spawn(async move {
        while left > 0 {
            let n = left.min(BLOCK_BYTES);
            if out.send_data(block.slice(..n)).await.is_err() {
                return;
            }
            left -= n;
        }
    });
    Ok(Response::from(body))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match std::env::var("_HANDLER").as_deref() {
        Ok("stream") => run(service_fn(stream)).await,
        _ => run(service_fn(echo)).await,
    }
}
