#!/usr/bin/env bash
# Makes a Python client from the served OpenAPI document and does the main job with it: what somebody gets who trusts the
# document. Fails when a client cannot be made of all of it, or when an answer does not fit the client.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} != --against-the-stack ]]; then
  scripts/api-tools.sh >/dev/null
  exec scripts/api-stack.sh "$0" --against-the-stack
fi

tools=$PWD/.cache/api-tools/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl -sS "$BASE_URL/api/v1/openapi.json" -o "$work/openapi.json"
# A warning is a part of the document that the client would lack.
PATH=$tools:$PATH openapi-python-client generate --path "$work/openapi.json" --meta none \
  --output-path "$work/minicrm_client" --config Tests/api/client.yaml --fail-on-warning
modules=$(find "$work/minicrm_client/api" -name '*.py' ! -name '__init__.py' | wc -l)
operations=$(jq '[.paths[] | length] | add' "$work/openapi.json")
((modules == operations)) || { echo "check-client: $modules of $operations operations have a function" >&2; exit 1; }
PYTHONPATH=$work "$tools/python" Tests/api/main_job.py
