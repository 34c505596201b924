#!/usr/bin/env bash
# Builds everything but the tests for release, and prints the directory the executables are in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift build --configuration release >&2
bin=$(swift build --configuration release --show-bin-path)
scripts/check-failpoints.sh "$bin" >&2
echo "$bin"
