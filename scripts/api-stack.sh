#!/usr/bin/env bash
# Runs a command beside a stack of its own that asks everybody for a credential, on free ports, and stops the stack.
#
#   scripts/api-stack.sh COMMAND…
#
# The command finds BASE_URL, RECEIPT_WEBHOOK_SECRET and what else `devstack` tells its clients in its environment, and
# MINICRM_KEY, an admin's API key, with its id in MINICRM_KEY_ID.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Its own servers in any case: what is stored here is nobody's to keep. The embedded broker is up at once.
unset MONGODB_URI KAFKA_BROKERS KAFKA_HOME
scripts/doctor.sh --quiet
MINICRM_MONGOD=$(scripts/mongod.sh)
export MINICRM_MONGOD
# A debug build traps on what a release build lets pass.
swift build >&2
bin=$(swift build --show-bin-path)

STACK_DIR=$(mktemp -d)
export STACK_DIR
bootstrap=$(head -c 32 /dev/urandom | base64 | tr -d '\n')
JWT_SECRET=$(head -c 48 /dev/urandom | base64 | tr -d '\n')
export AUTH_MODE=required HOST=127.0.0.1 BOOTSTRAP_ADMIN_KEY=$bootstrap JWT_SECRET
# Nobody is to be turned away for asking often: 0 is no limit.
export API_RATE_PER_MINUTE=0 API_RATE_PER_ADDRESS=0 WEBHOOK_RATE_PER_ADDRESS=0 DLQ_REPLAY_PER_MINUTE=1000000

stop() {
  "$bin/devstack" down >>"$STACK_DIR/devstack.log" 2>&1 || cat "$STACK_DIR/devstack.log" >&2
}
trap stop EXIT

# Ports that are free now, below those that the kernel gives to outgoing connections.
mapfile -t ports < <(python3 - <<'PYTHON'
import random, socket
ports = []
while len(ports) < 8:
    port = random.randint(10_000, 30_000)
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
    if port not in ports:
        ports.append(port)
print("\n".join(map(str, ports)))
PYTHON
)
export PORT=${ports[0]} VENDOR_PORT=${ports[1]} EXPANDER_PORT=${ports[2]} SEND_WORKER_PORT=${ports[3]}
export AGGREGATOR_PORT=${ports[4]} INGEST_WORKER_PORT=${ports[5]} MONGOD_PORT=${ports[6]} KAFKA_PORT=${ports[7]}
"$bin/devstack" up --detach >"$STACK_DIR/devstack.log" 2>&1 || { cat "$STACK_DIR/devstack.log" >&2; exit 1; }
# shellcheck disable=SC1091  # devstack writes it.
source "$STACK_DIR/env"

made=$(curl -sS --fail-with-body "$BASE_URL/api/v1/api-keys" -H "Authorization: Bearer $bootstrap" \
  -H 'content-type: application/json' -d '{"name":"api tests","role":"admin"}')
MINICRM_KEY=$(jq -r .data.key <<<"$made")
MINICRM_KEY_ID=$(jq -r .data._id <<<"$made")
export MINICRM_KEY MINICRM_KEY_ID

code=0
"$@" || code=$?
if ((code)); then
  for log in "$STACK_DIR"/logs/*.log; do
    grep -H '"level":"error"' "$log" | tail -5 >&2 || true
  done
  echo "what the stack left is in $STACK_DIR" >&2
  exit "$code"
fi
stop
trap - EXIT
rm -rf "$STACK_DIR"
