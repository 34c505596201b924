#!/usr/bin/env bash
# Kills a stack of its own in every way, and judges it by the vendor's ledger (docs/chaos.md). Arguments go to
# `devstack chaos`. KAFKA_HOME names an Apache Kafka to run on; some scenarios need one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/doctor.sh --quiet
MINICRM_MONGOD=$(scripts/mongod.sh)
export MINICRM_MONGOD
# A debug build has the failpoints.
swift build >&2
exec "$(swift build --show-bin-path)/devstack" chaos "$@"
