#!/bin/sh
# Every model; with an argument those whose name has it, with the shortest trace of each breach.
set -eu
cd "$(dirname "$0")"
exec go run . "$@"
