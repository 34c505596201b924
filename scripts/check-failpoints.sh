#!/usr/bin/env bash
# Every failpoint lies somewhere, and a release build has none: the call is empty there and leaves no trace of itself.
# With a directory of executables as argument, these are looked at instead (scripts/release.sh does that).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
  echo "check-failpoints: $*" >&2
  exit 1
}

# What a build with failpoints contains: the symbols of the arming code, the words of a process that dies, a fault's name. The
# name of the source file alone stands in every build's debug information.
traces='15FailpointArming|killed at failpoint|commit-before-effect'

if (($#)); then
  [[ ${MINICRM_FAILPOINTS:-} == 1 ]] && exit 0
  for name in api-gateway job-expander send-worker receipt-aggregator ingest-worker vendor-sim; do
    [[ -x $1/$name ]] || die "$1 has no $name"
    ! grep -qaE "$traces" "$1/$name" || die "$1/$name contains failpoints"
  done
  echo "failpoints: none in $1"
  exit 0
fi

points=$(sed -n '/^public enum Failpoint/,/^}/s/^ *case //p' Sources/Runtime/Failpoint.swift | tr -d ' ' | tr ',' '\n')
[[ -n $points ]] || die "no points found in Sources/Runtime/Failpoint.swift"
for point in $points; do
  grep -rqE --include='*.swift' "failpoint\(\.$point\)" Sources --exclude-dir=Runtime || die "$point lies nowhere"
done

# The same sources and a caller, compiled as a release build compiles them: the caller must be as if it called nothing.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
swiftc -O -parse-as-library -emit-module -module-name Runtime -emit-module-path "$work/Runtime.swiftmodule" \
  -c -o "$work/Runtime.o" -wmo Sources/Runtime/Failpoint*.swift
cat >"$work/Caller.swift" <<'SWIFT'
import Runtime
@_cdecl("caller") public func caller() -> Bool {
  failpoint(.acceptBegin)
  return isFaulty(.commitBeforeEffect)
}
SWIFT
swiftc -O -parse-as-library -module-name Caller -I "$work" -c -o "$work/Caller.o" "$work/Caller.swift"
! grep -qaE "$traces" "$work/Runtime.o" || die "a release build contains the arming code"
! nm --undefined-only "$work/Caller.o" | grep -qE 'failpoint|isFaulty' || die "a release build calls failpoints"
echo "failpoints: $(wc -w <<<"$points") points, all in place; none in a release build"
