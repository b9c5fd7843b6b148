#!/usr/bin/env bash
# run.sh TOPIC [NAME] - the models of a topic (a folder here); with NAME those whose name has it, with the shortest trace of each breach.
set -euo pipefail
cd "$(dirname "$0")"
go=../../build/tools/go-command
[ -x "$go" ] || {
  echo "there is no Go in build/tools: tools/deps go puts one there" >&2
  exit 1
}
topic=${1:?usage: run.sh TOPIC [NAME]}
shift
exec "$go" run "./$topic" "$@"
