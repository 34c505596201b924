#!/usr/bin/env bash
# Builds everything and runs every test: units, the wrappers, integration (real MongoDB, embedded broker; real Kafka too
# when KAFKA_HOME is set) and end to end (the built processes). Arguments go to one `swift test`, as in --filter Kafka.
#
# Without arguments the targets run one after another: leak tests watch the memory of their process, and stacks share two
# cores better in turn.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/doctor.sh --quiet
MINICRM_MONGOD=$(scripts/mongod.sh)
export MINICRM_MONGOD

echo "MongoDB: ${MONGODB_URI:-$MINICRM_MONGOD}"
echo "broker: embedded (librdkafka mock cluster)${KAFKA_HOME:+, and Apache Kafka at $KAFKA_HOME}"
swift build --build-tests
if (($#)); then exec swift test --skip-build "$@"; fi

failed=()
run() { # NAME ARGUMENTS…
  local name=$1
  shift
  echo "== $name"
  # Passing tests are counted in the closing line; what is shown is what went wrong. A target without tests is a failure.
  swift test --skip-build "$@" 2>&1 | awk '
    /Test run with [1-9]/ { print; fflush(); ran = 1; next }
    /^(◇|✔|↳|Test (Suite|Case) )/ || /Executed 0 tests/ { next }
    { print; fflush() }
    END { exit !ran }' || failed+=("$name")
}

# Whatever is not named below is a unit test, so that a new target cannot be forgotten here.
run "units" --skip '^(Kafka|Mongo|HTTP|Integration|EndToEnd)Tests\.'
for wrapper in Kafka Mongo HTTP; do run "$wrapper" --filter "^${wrapper}Tests\\."; done
run "integration" --filter '^IntegrationTests\.'
run "end to end" --no-parallel --filter '^EndToEndTests\.'

script() { # NAME COMMAND…
  local name=$1
  shift
  echo "== $name"
  "$@" || failed+=("$name")
}
# A run whose seed is its own each time, and is printed.
script "made-up requests" scripts/fuzz-api.sh 1200
script "generated client" scripts/check-client.sh

chaos() { # NAME ARGUMENTS…
  local name=$1
  shift
  echo "== $name"
  STACK_DIR=$(mktemp -d)
  export STACK_DIR
  if "$(swift build --show-bin-path)/devstack" chaos "$@"; then
    rm -rf "$STACK_DIR"
  else
    failed+=("$name")
    echo "what it left is in $STACK_DIR"
  fi
  unset STACK_DIR
}
chaos "chaos selftest" --selftest --seed 1
chaos "chaos" --seed 1 --rounds 1 --storm 25

if ((${#failed[@]})); then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
echo "every test passed"
