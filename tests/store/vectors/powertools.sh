#!/bin/sh
# Writes powertools.tsv anew: each line of powertools.jsonl, its hash in Python's manner and in TypeScript's, as the libraries themselves make it.
#
#   PYTHONPATH=<where> NODE_PATH=<where>/node_modules ./powertools.sh
#
# after  pip install --target <where> aws-lambda-powertools==3.37.0 jmespath boto3
# and    npm install --prefix <where> @aws-lambda-powertools/idempotency@2.35.0 @aws-sdk/client-dynamodb @aws-sdk/lib-dynamodb
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 powertools.py <powertools.jsonl >"$scratch/python"
cp powertools.js "$scratch/" # import finds packages beside the file, not in NODE_PATH
ln -s "$NODE_PATH" "$scratch/node_modules"
node "$scratch/powertools.js" <powertools.jsonl >"$scratch/typescript"
paste powertools.jsonl "$scratch/python" "$scratch/typescript" >powertools.tsv
