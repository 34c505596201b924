#!/usr/bin/env bash
# Requests made up from the served OpenAPI document, valid and spoilt, against a running stack; every answer is held
# against the document by every check that schemathesis has. Fails on any failure and on any 5xx.
#
#   scripts/fuzz-api.sh [N]     N requests or some more (2000); SEED=… repeats a run
#
# PHASES=coverage runs the systematic cases of each parameter instead: tens of thousands of requests, however large N is.
# What schemathesis has to be told about this API is in Tests/api, each with its reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} != --against-the-stack ]]; then
  scripts/api-tools.sh >/dev/null
  exec scripts/api-stack.sh "$0" --against-the-stack "${1:-2000}"
fi

wanted=$2
seed=${SEED:-$RANDOM$RANDOM}
operations=$(curl -sS "$BASE_URL/api/v1/openapi.json" | jq '[.paths[] | length] | add')

# Answers of the gateway so far, by a pattern of their status. Its health checks and metrics are not counted.
answers() { # STATUS
  curl -sS "$BASE_URL/metrics" | awk -v status="$1" '
    /^minicrm_http_requests_total/ && !/route="\/(health|ready|metrics)"/ && $0 ~ "status=\"" status { sum += $2 }
    END { printf "%d\n", sum }'
}

phases=${PHASES:-examples,fuzzing,stateful}
# Some operations are done before they have had their share.
share=$((wanted * 5 / 4 / operations + 1))
export HYPOTHESIS_STORAGE_DIRECTORY=.cache/hypothesis
began=$(date +%s)
code=0
.cache/api-tools/bin/st --config-file Tests/api/schemathesis.toml run "$BASE_URL/api/v1/openapi.json" \
  --checks all --phases "$phases" --max-examples "$share" --seed "$seed" \
  --header "Authorization: Bearer $MINICRM_KEY" --no-color --warnings off || code=$?

made=$(answers "[1-5]")
broken=$(answers 5)
echo "fuzz-api: $made requests to $operations operations in $(($(date +%s) - began)) s, seed $seed, $broken answered 5xx"
if ((broken)); then code=1; fi
exit "$code"
