#!/usr/bin/env bash
# Fieldgate's detection and Presidio's pattern recognisers (no language model) on the same texts: recall, precision and bytes
# per second of both, side by side. Prints counts, never a text.
# usage: FIELDGATE_PII_DATA=folder tests/real/detect-presidio.sh    (skips with a message without it)
#   PRESIDIO_VENV   a virtual environment that has, or gets, presidio-analyzer (default: one in the temporary folder)
#   FIELDGATE       the binary (default: built here)
# Further arguments go to detect_presidio.py: --no-presidio, --half 0|1, --shapes.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ ! -d "${FIELDGATE_PII_DATA:-}" ]; then
  echo "skipped: set FIELDGATE_PII_DATA to the folder with the labelled texts (presidio_*.json, pii_anon_*.jsonl, datafog_*.txt)"
  exit 0
fi
if [ -z "${FIELDGATE:-}" ]; then
  cargo build --release --quiet
  FIELDGATE="${CARGO_TARGET_DIR:-target}/release/fieldgate"
fi
VENV="${PRESIDIO_VENV:-${TMPDIR:-/tmp}/fieldgate-presidio}"
PYTHON=python3
case " $* " in
*" --no-presidio "*) ;;
*)
  [ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
  "$VENV/bin/python" -c 'import presidio_analyzer' 2>/dev/null || "$VENV/bin/pip" install --quiet presidio-analyzer
  PYTHON="$VENV/bin/python"
  ;;
esac
exec "$PYTHON" tests/real/detect_presidio.py "$FIELDGATE_PII_DATA" --fieldgate "$FIELDGATE" "$@"
