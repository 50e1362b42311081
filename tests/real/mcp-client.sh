#!/usr/bin/env bash
# The official MCP SDK's client for Python (PyPI: mcp), unchanged, against the gateway in front of the sample CRM's MCP server.
# usage: tests/real/mcp-client.sh    VENV=folder for the SDK; BIN=an existing binary (skips with a message where there is no SDK to be had)
# Exits 0 when an agent sees pseudonyms everywhere, and what it writes back opens where it was shown and nowhere else.
set -euo pipefail
cd "$(dirname "$0")/../.."

PORT="${PORT:-9543}" ADMIN="${ADMIN:-9565}"
VENV="${VENV:-${TMPDIR:-/tmp}/fieldgate-mcp-venv}"
if [ ! -x "$VENV/bin/python" ] || ! "$VENV/bin/python" -c 'import mcp.client.streamable_http' 2>/dev/null; then
  python3 -m venv "$VENV" && "$VENV/bin/pip" -q install 'mcp>=2.3,<3' || { echo "skipped: the MCP SDK cannot be installed into \`$VENV\`; give a folder that holds it with VENV"; exit 0; }
fi
if [ -z "${BIN:-}" ]; then cargo build --release --quiet; BIN="${CARGO_TARGET_DIR:-target}/release/fieldgate"; fi

DIR="$(mktemp -d)"
DEMO= GATE=
cleanup() { for pid in $GATE $DEMO; do kill -INT "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done; rm -rf "$DIR"; }
trap cleanup EXIT
# The sample CRM comes with the demo; the gateway is our own, because the shipped policies let no AI write.
"$BIN" demo --dir "$DIR/demo" --listen "127.0.0.1:$((PORT + 1))" >"$DIR/demo.out" 2>&1 &
DEMO=$!
for _ in $(seq 200); do [ -f "$DIR/demo/demo.env" ] && grep -q "Serving until" "$DIR/demo.out" && break; sleep 0.1; done
CRM="$(sed -n 's/^url *= *"\(https:[^"]*\)".*/\1/p' "$DIR/demo/fieldgate.toml" | head -1)"
[ -n "$CRM" ] || { cat "$DIR/demo.out"; exit 1; }
"$BIN" init --upstream "$CRM" --upstream-ca "$DIR/demo/sandbox/ca.pem" --credential-header X-Api-Token \
  --credential "$DIR/demo/sandbox/token" --map sandbox --dir "$DIR/gate" --listen "127.0.0.1:$PORT" --admin "127.0.0.1:$ADMIN" >/dev/null
python3 - "$DIR/gate/policies/ai_assistant.cedar" <<'PY'
import sys
text = open(sys.argv[1], encoding="utf-8").read()
never = 'action in [Action::"create", Action::"update", Action::"delete", Action::"export"]'
assert never in text
text = text.replace(never, 'action in [Action::"create", Action::"delete", Action::"export"]')
text += '@id("ai-updates-customers") permit (principal in Role::"ai_assistant", action == Action::"update", resource == Resource::"customer");\n'
open(sys.argv[1], "w", encoding="utf-8").write(text)
PY
. "$DIR/gate/callers.env"
"$BIN" check --config "$DIR/gate/fieldgate.toml"
"$BIN" serve --config "$DIR/gate/fieldgate.toml" 2>"$DIR/stderr" &
GATE=$!
for _ in $(seq 100); do curl -sf -o /dev/null "http://127.0.0.1:$ADMIN/readyz" && break; sleep 0.1; done
curl -sf -o /dev/null "http://127.0.0.1:$ADMIN/readyz" || { cat "$DIR/stderr"; exit 1; }

GATE_URL="https://localhost:$PORT"
STATUS=0
GATE="$GATE_URL" CA="$DIR/gate/certs/ca.pem" KEY="$FG_AI_KEY" CRM="$CRM" CRM_CA="$DIR/demo/sandbox/ca.pem" \
  TOKEN="$(cat "$DIR/demo/sandbox/token")" "$VENV/bin/python" tests/real/mcp-client.py || STATUS=$?
kill -TERM "$GATE"; wait "$GATE" || true; GATE=
"$BIN" audit verify --dir "$DIR/gate/audit" --key "$DIR/gate/keys/audit.vkey" >"$DIR/verify" 2>&1 && echo "ok   the log of it verifies" \
  || { cat "$DIR/verify"; STATUS=1; }
exit "$STATUS"
