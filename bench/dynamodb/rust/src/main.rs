// The AWS SDK for Rust on a single-threaded runtime: peer first|loop COUNT. See ../run.py.
use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{types::AttributeValue, Client};
use std::time::Instant;

async fn put(client: &Client, n: usize, text: &str) {
    let answer = client
        .put_item()
        .table_name("latch")
        .item("pk", AttributeValue::S(format!("BENCH#{n}")))
        .item("sk", AttributeValue::S("BENCH".into()))
        .item("count", AttributeValue::N(n.to_string()))
        .item("state", AttributeValue::S("open".into()))
        .item("text", AttributeValue::S(text.into()))
        .send()
        .await;
    if let Err(e) = answer {
        eprintln!("PutItem: {e:?}");
        std::process::exit(2);
    }
}

fn cpu_us() -> i64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let us = |t: libc::timeval| t.tv_sec * 1_000_000 + t.tv_usec;
    us(usage.ru_utime) + us(usage.ru_stime)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let count: usize = args.get(2).and_then(|n| n.parse().ok()).unwrap_or(1);
    let text = "x".repeat(200);
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = Client::new(&config);
    if args.get(1).map(String::as_str) == Some("first") {
        put(&client, 0, &text).await;
        println!("first");
        return;
    }
    for n in 0..500 {
        put(&client, n, &text).await;
    }
    let mut took: Vec<u64> = Vec::with_capacity(count);
    let before = cpu_us();
    for n in 0..count {
        let from = Instant::now();
        put(&client, n, &text).await;
        took.push(from.elapsed().as_nanos() as u64);
    }
    let cpu = cpu_us() - before;
    took.sort_unstable();
    println!(
        "{{\"cpu_us\":{:.2},\"p50_us\":{:.2},\"p99_us\":{:.2}}}",
        cpu as f64 / count as f64,
        took[count / 2] as f64 / 1000.0,
        took[count * 99 / 100] as f64 / 1000.0
    );
}
