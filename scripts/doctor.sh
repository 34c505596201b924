#!/usr/bin/env bash
# Checks that this machine can build, test and run MiniCRM, and installs what is missing (Debian, Ubuntu).
# Quiet when nothing is missing; safe to run again at any time.
set -euo pipefail

die() {
  echo "doctor: $*" >&2
  exit 1
}

# A command or a pkg-config module, and the Debian package that brings it.
tools=(
  pkg-config:pkg-config python3:python3 shellcheck:shellcheck kcat:kcat jq:jq unzip:unzip curl:curl
)
libraries=(
  rdkafka:librdkafka-dev libmongoc-1.0:libmongoc-dev libbson-1.0:libbson-dev libmicrohttpd:libmicrohttpd-dev
  libcurl:libcurl4-openssl-dev libcrypto:libssl-dev simdjson:libsimdjson-dev
)

# Prints the packages that are missing, one a line.
missing_packages() {
  local item
  for item in "${tools[@]}"; do
    command -v "${item%%:*}" >/dev/null || echo "${item##*:}"
  done
  for item in "${libraries[@]}"; do
    pkg-config --exists "${item%%:*}" 2>/dev/null || echo "${item##*:}"
  done
  python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
  [[ -s /etc/ssl/certs/ca-certificates.crt ]] || echo ca-certificates
  if [[ -n ${KAFKA_HOME:-} ]] && ! command -v java >/dev/null; then echo openjdk-17-jre-headless; fi
}

install_packages() {
  command -v apt-get >/dev/null || die "missing: $*; this is no Debian: install their like by hand"
  [[ $(id -u) == 0 ]] || die "missing: $*; as root: apt-get install -y --no-install-recommends $*"
  echo "doctor: installing $*" >&2
  local log
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get -y -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "$@"; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: $*"
  fi
  rm -f "$log"
}

check_swift() {
  command -v swift >/dev/null || die "no swift on PATH: install Swift 6.2 or newer, https://www.swift.org/install/"
  local text version
  text=$(swift --version 2>&1) || die "swift does not run here: $text"
  version=$(sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' <<<"$text" | head -1)
  [[ $(printf '6.2\n%s\n' "$version" | sort -V | head -1) == 6.2 ]] || die "Swift $version is too old: 6.2 or newer"
}

check_swift
mapfile -t missing < <(missing_packages)
if ((${#missing[@]})); then
  install_packages "${missing[@]}"
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
fi
[[ ${1:-} == --quiet ]] || echo "doctor: everything is here"
