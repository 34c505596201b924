#!/usr/bin/env bash
# Holds the sources to the module graph: arrows run one way, C modules have one importer, a process imports no process.
# Modules that are not ours (Foundation, Synchronization, Testing, …) are free, but for the pure ones, see below.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What a module of ours may import of ours. The same arrows as in Package.swift and docs/architecture.md.
declare -A allowed=(
  [CSimdJSON]="" [JSON]="CSimdJSON"
  [BSON]="" [CivilTime]="" [CSV]=""
  [Crypto]="CCrypto"
  [JWT]="CivilTime Crypto JSON"
  [Runtime]="CivilTime JSON"
  [Kafka]="CRdKafka Runtime"
  [Mongo]="BSON CMongoC Runtime"
  [HTTP]="CCurl CMicroHTTPD Runtime"
  [CRMCore]="BSON CivilTime Crypto JSON"
  [CRMStore]="BSON CivilTime CRMCore Crypto JSON Mongo Runtime"
  [CRMMessaging]="BSON CivilTime CRMCore Crypto JSON Kafka Runtime"
  [ServiceHost]="BSON CivilTime CRMCore CRMMessaging CRMStore HTTP JSON Kafka Mongo Runtime"
)
libraries="BSON CivilTime CRMCore CRMMessaging CRMStore Crypto CSV HTTP JSON JWT Kafka Mongo Runtime ServiceHost"
processes="APIGateway Bench DevStack IngestWorker JobExpander ReceiptAggregator SendWorker VendorSim"
c_modules="CCrypto CCurl CMicroHTTPD CMongoC CRdKafka CSimdJSON"
for process in $processes; do allowed[$process]=$libraries; done

# Pure modules do no I/O: these are refused there.
pure="BSON CivilTime CRMCore Crypto CSV JSON JWT"
impure="FoundationNetworking Dispatch"

contains() { [[ " $1 " == *" $2 "* ]]; }

problems=0
problem() {
  echo "$1" >&2
  problems=$((problems + 1))
}

# Prints file:line:module for each import statement, whatever attribute, access level or kind stands beside it.
imports() {
  grep -rnE --include='*.swift' '^[[:space:]]*((@[A-Za-z_]+(\([^)]*\))?|public|package|internal|fileprivate|private)[[:space:]]+)*import[[:space:]]' "$1" |
    sed -E 's/^([^:]+:[0-9]+):.*import[[:space:]]+((struct|class|enum|protocol|typealias|func|let|var)[[:space:]]+)?([A-Za-z0-9_]+).*/\1:\4/' ||
    true
}

ours="$libraries $processes $c_modules"
for directory in Sources/*/; do
  module=$(basename "$directory")
  if [[ ! -v allowed[$module] ]]; then
    contains "$c_modules" "$module" || problem "$directory: a module the graph in scripts/check-imports.sh does not know"
    continue
  fi
  while IFS=: read -r file line imported; do
    if contains "$ours" "$imported"; then
      [[ $imported == "$module" ]] || contains "${allowed[$module]}" "$imported" ||
        problem "$file:$line: $module must not import $imported (it may: ${allowed[$module]:-nothing of ours})"
    elif contains "$pure" "$module" && contains "$impure" "$imported"; then
      problem "$file:$line: $module is pure and must not import $imported"
    fi
  done < <(imports "$directory")
done

# Tests reach C only through the wrappers, as everyone else; only a wrapper's own tests may name what it wraps.
while IFS=: read -r file line imported; do
  module=${file#Tests/}
  module=${module%%Tests/*}
  if contains "$c_modules" "$imported" && ! contains "${allowed[$module]:-}" "$imported"; then
    problem "$file:$line: tests must not import $imported"
  fi
done < <(imports Tests)

if ((problems)); then
  echo "check-imports: $problems import(s) against the graph" >&2
  exit 1
fi
echo "imports: in order"
