#!/usr/bin/env bash
# Runs `devstack` with the arguments given, after preparing what it needs (packages, mongod, a release build).
# `down` and `status` need nothing but what `up` has built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
  down | status)
    [[ -x .build/release/devstack ]] || { echo "stack: nothing is built here, so nothing was started" >&2; exit 1; }
    exec .build/release/devstack "$@"
    ;;
esac

scripts/doctor.sh
MINICRM_MONGOD=$(scripts/mongod.sh)
export MINICRM_MONGOD
bin=$(scripts/release.sh)
exec "$bin/devstack" "$@"
