#!/bin/sh
# Makes an environment and installs this checkout into it: setup.sh FOLDER '.[EXTRA]'.
# On Debian, python3-venv is installed if it is missing.
set -eu
cd "$(dirname "$0")/.."
: "${PYTHON:=python3}"

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "sipsense needs Python 3.11 or later: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    $as_root apt-get install -qq -y python3-venv
fi
[ -x "$1/bin/python" ] || "$PYTHON" -m venv "$1"
"$1/bin/pip" install --quiet --disable-pip-version-check --editable "$2"
