#!/bin/sh
# Installs this checkout and the libraries of one lock into a fresh environment: install.sh LOCK TARGET
#
# What the images run; it also serves a machine without containers. Every library comes as a wheel whose hash the lock
# names, so nothing is compiled, but for the few that are published as Python source alone. PYTHON chooses the Python.
set -eu

lock=$1
target=$2
python=${PYTHON:-python3}
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$target"
in_target() { "$target/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

# The lock pins setuptools too: with it the sources are packed, not with whatever is newest today.
grep -A 3 '^setuptools==' "$here/$lock" | grep -E '^setuptools==|^ +--hash=' > "$work/build.txt"
in_target install --quiet --require-hashes --only-binary :all: --requirement "$work/build.txt"
in_target install --quiet --require-hashes --no-build-isolation --only-binary :all: --no-binary thespian \
    --requirement "$here/$lock"
# From a copy: packing leaves folders behind, which the next one would pick up.
mkdir "$work/source"
for one in setup.cfg pyproject.toml README.md LICENSE actors adapters batch deploy domain gateway monitoring; do
    cp -R "$here/$one" "$work/source/"
done
in_target wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/wheel" "$work/source"
in_target install --quiet --no-deps --no-index "$work"/wheel/hotbasket-*.whl
# What installed it is not needed to run it.
in_target uninstall --quiet --yes setuptools pip
