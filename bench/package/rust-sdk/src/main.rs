// A function that counts an attempt in DynamoDB by AWS's SDK for Rust: one UpdateItem an invocation, its client made at start.
use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_sdk_dynamodb::Client;
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn count(client: &Client, event: Value) -> Result<Value, Error> {
    let user = event["user"].as_str().ok_or("the event has no user")?;
    let answer = client
        .update_item()
        .table_name("latch")
        .key("pk", AttributeValue::S(format!("ATTEMPT#login#{user}")))
        .key("sk", AttributeValue::S("ATTEMPT".into()))
        .update_expression("SET #attempts = if_not_exists(#attempts, :zero) + :one, #last = :id")
        .condition_expression("attribute_not_exists(#attempts) OR #attempts < :max")
        .expression_attribute_names("#attempts", "attempts")
        .expression_attribute_names("#last", "last")
        .expression_attribute_values(":zero", AttributeValue::N("0".into()))
        .expression_attribute_values(":one", AttributeValue::N("1".into()))
        .expression_attribute_values(":max", AttributeValue::N("3".into()))
        .expression_attribute_values(":id", AttributeValue::S("0b6e0a4e-5d1c-4f4c-9d0e-0d8f6f1f2a3b".into()))
        .return_values(ReturnValue::AllNew)
        .send()
        .await?;
    let used = answer.attributes().and_then(|item| item.get("attempts")).and_then(|n| n.as_n().ok()).ok_or("no attempts")?;
    Ok(json!({"statusCode": 401, "body": format!("attempt {used}")}))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = Client::new(&config);
    run(service_fn(|event: LambdaEvent<Value>| count(&client, event.payload))).await
}
