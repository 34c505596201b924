#!/usr/bin/env bash
# The benchmark: release build, real processes, real MongoDB; real Kafka when KAFKA_HOME or KAFKA_BROKERS is set, else
# the embedded broker. N leads (100000); PROFILE=1 samples the processes with perf. Arguments go to minicrm-bench.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/doctor.sh
MINICRM_MONGOD=$(scripts/mongod.sh)
export MINICRM_MONGOD
bin=$(scripts/release.sh)
exec "$bin/minicrm-bench" "$@"
