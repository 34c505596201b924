#!/usr/bin/env bash
# Builds everything and runs every test: units, integration (real MongoDB, embedded broker; real Kafka too when
# KAFKA_HOME is set) and end to end (the built processes). Arguments go to `swift test`, as in --filter Integration.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/doctor.sh --quiet
MINICRM_MONGOD=$(scripts/mongod.sh)
export MINICRM_MONGOD

echo "MongoDB: ${MONGODB_URI:-$MINICRM_MONGOD}"
echo "broker: embedded (librdkafka mock cluster)${KAFKA_HOME:+, and Apache Kafka at $KAFKA_HOME}"
swift build --build-tests
exec swift test --skip-build "$@"
