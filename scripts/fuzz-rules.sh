#!/usr/bin/env bash
# Random rules, as in the tests, but many more of them.
#   scripts/fuzz-rules.sh database CASES    rules put to sets of leads, by a real MongoDB and by the evaluator
#   scripts/fuzz-rules.sh json SECONDS      anything at all as rule, query and lead, in memory
# RULES_SEED=… repeats a run: every run prints its seed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
  echo "fuzz-rules: $*" >&2
  exit 2
}

kind=${1:-}
amount=${2:-}
[[ $amount =~ ^[1-9][0-9]{0,8}$ ]] || die "expected a number, got '$amount'"
case $kind in
  database)
    export RULES_CASES=$amount
    test='^IntegrationTests\.RulesAgreement/theDatabaseFindsWhomTheEvaluatorAccepts'
    ;;
  json)
    export RULES_JSON_SECONDS=$amount
    test='^CRMCoreTests\.RulesJSONFuzz/'
    ;;
  *) die "expected database or json, got '$kind'" ;;
esac

scripts/doctor.sh --quiet
MINICRM_MONGOD=$(scripts/mongod.sh)
export MINICRM_MONGOD
# Optimised, since a million cases take their time; the tests look into their targets, and into failpoints. No release
# build is to have those, so this one lies elsewhere.
export MINICRM_FAILPOINTS=1
options=(-c release --scratch-path .build/fuzz -Xswiftc -enable-testing)
swift build "${options[@]}" --build-tests
exec swift test "${options[@]}" --skip-build --filter "$test"
