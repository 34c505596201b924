#!/usr/bin/env bash
# Everything that can be said about a change without running it. Warnings as errors is in Package.swift.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/doctor.sh --quiet

swift format lint --strict --parallel --recursive Package.swift Sources Tests
echo "swift format: clean"
scripts/check-imports.sh
scripts/check-failpoints.sh
mapfile -t shell_scripts < <(grep -rlE '^#!.*\b(ba)?sh\b' scripts .ci deploy)
shellcheck "${shell_scripts[@]}"
echo "shellcheck: ${#shell_scripts[@]} scripts clean"
scripts/check-compose.sh
