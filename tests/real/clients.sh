#!/bin/sh
# Real clients against the recorded shapes: installs simple-salesforce, hubspot-api-client and zenpy (PyPI) and jsforce (npm) below
# DIR, which is kept, then runs the ignored test of tests/it/clients.rs.   Usage: tests/real/clients.sh [DIR]
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-${TMPDIR:-/tmp}/fieldgate-clients}
mkdir -p "$dir/js"
if [ ! -x "$dir/venv/bin/python" ]; then
    python3 -m venv "$dir/venv"
    "$dir/venv/bin/pip" install --quiet simple-salesforce hubspot-api-client zenpy
fi
if [ ! -d "$dir/js/node_modules/jsforce" ]; then
    (cd "$dir/js" && npm init -y >/dev/null && npm install --silent jsforce)
fi
"$dir/venv/bin/pip" list 2>/dev/null | grep -iE '^(simple-salesforce|hubspot-api-client|zenpy) '
node -p "'jsforce ' + require('$dir/js/node_modules/jsforce/package.json').version"
cd "$here"
FIELDGATE_CLIENTS=$dir cargo test --test it -- --ignored --nocapture clients::
