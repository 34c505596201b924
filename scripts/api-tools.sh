#!/usr/bin/env bash
# Makes .cache/api-tools, a virtual environment with what Tests/api/requirements.txt names, and prints its directory.
# Idempotent: it is made anew only when the requirements have changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

directory=$PWD/.cache/api-tools
wanted=$(sha256sum <Tests/api/requirements.txt)
if [[ ! -x $directory/bin/st || $(cat "$directory/requirements.sha256" 2>/dev/null || true) != "$wanted" ]]; then
  rm -rf "$directory"
  mkdir -p .cache
  echo "api-tools: installing schemathesis and openapi-python-client into .cache/api-tools" >&2
  python3 -m venv "$directory" >&2
  "$directory/bin/pip" --quiet --disable-pip-version-check install --requirement Tests/api/requirements.txt >&2
  echo "$wanted" >"$directory/requirements.sha256"
fi
echo "$directory"
