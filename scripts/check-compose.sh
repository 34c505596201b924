#!/usr/bin/env bash
# Validates docker-compose.yml with the best checker at hand, and says which: the docker compose plugin; else the
# Compose specification's JSON schema (check-jsonschema, fetched into .cache); else the YAML syntax alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The file asks for its secrets; a check has none.
export RECEIPT_WEBHOOK_SECRET=${RECEIPT_WEBHOOK_SECRET:-whsec_Y2hlY2s=} JWT_SECRET=${JWT_SECRET:-check}

if docker compose version >/dev/null 2>&1; then
  docker compose --profile '*' config --quiet
  echo "compose: valid (docker compose config)"
  exit 0
fi

checker=.cache/check-jsonschema
if [[ ! -d $checker ]]; then
  rm -rf "$checker.new"
  if python3 -m pip --quiet --disable-pip-version-check install --target "$checker.new" check-jsonschema==0.39.0 \
    >/dev/null 2>&1; then mv "$checker.new" "$checker"; fi
fi
if [[ -d $checker ]]; then
  PYTHONPATH=$checker python3 -m check_jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
  echo "compose: valid (Compose specification's schema; no docker compose plugin here for a full check)"
elif python3 -c 'import yaml' 2>/dev/null; then
  python3 -c 'import sys, yaml; yaml.safe_load(open("docker-compose.yml"))'
  echo "compose: YAML in order (neither the docker compose plugin nor check-jsonschema is to be had: no schema check)"
else
  echo "compose: NOT checked (no docker compose plugin, no check-jsonschema, no PyYAML)"
fi
