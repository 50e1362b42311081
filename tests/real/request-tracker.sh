#!/usr/bin/env bash
# The gateway in front of a real Request Tracker 5: the calls of a helpdesk, as an agent, a supervisor and an AI agent.
# usage: tests/real/request-tracker.sh    TARGETS=folder with request-tracker/ and tls-upstreams/ (skips with a message without it)
# Exits 0 when nobody sees what policy does not show, and the log of it verifies.
set -euo pipefail
cd "$(dirname "$0")/../.."

TARGETS="${TARGETS:-../shared/targets}"
RUN="${TARGETS_RUN:-${TMPDIR:-/tmp}/fieldgate-targets}"
PORT="${PORT:-9443}" ADMIN="${ADMIN:-9465}"
if [ ! -f "$TARGETS/request-tracker/rt.sh" ]; then
  echo "skipped: no Request Tracker in \`$TARGETS\`; set TARGETS to the folder that holds request-tracker/ and tls-upstreams/"; exit 0
fi
bash "$TARGETS/request-tracker/rt.sh" start >/dev/null
bash "$TARGETS/tls-upstreams/tls.sh" start >/dev/null
cargo build --release --quiet
BIN="${CARGO_TARGET_DIR:-target}/release/fieldgate"

DIR="$(mktemp -d)"
GATE=
cleanup() { if [ -n "$GATE" ]; then kill "$GATE" 2>/dev/null || true; wait "$GATE" 2>/dev/null || true; fi; rm -rf "$DIR"; }
trap cleanup EXIT
"$BIN" init --upstream https://localhost:8441 --upstream-ca "$RUN/certs/ca.pem" --alias http://localhost:8101 \
  --map request-tracker --dir "$DIR/gate" --listen "127.0.0.1:$PORT" --admin "127.0.0.1:$ADMIN" --pass-authorization >/dev/null
. "$DIR/gate/callers.env"
"$BIN" check --config "$DIR/gate/fieldgate.toml"
"$BIN" serve --config "$DIR/gate/fieldgate.toml" 2>"$DIR/stderr" &
GATE=$!
for _ in $(seq 100); do curl -sf -o /dev/null "http://127.0.0.1:$ADMIN/readyz" && break; sleep 0.1; done
curl -sf -o /dev/null "http://127.0.0.1:$ADMIN/readyz" || { cat "$DIR/stderr"; exit 1; }

CLAIMS=0 FAILED=0
claim() { # text, then a command
  local text="$1"; shift; CLAIMS=$((CLAIMS + 1))
  if "$@" >/dev/null 2>&1; then echo "ok   $text"; else echo "FAIL $text"; FAILED=$((FAILED + 1)); fi
}
absent() { # file needle...: in clear, without separators, and in base64 that was decoded
  local file="$1"; shift
  python3 - "$file" "$@" <<'PY'
import base64, json, re, sys
raw = open(sys.argv[1], encoding="utf-8").read()
texts = [raw]
def walk(value):
    if isinstance(value, dict):
        for inner in value.values(): walk(inner)
    elif isinstance(value, list):
        for inner in value: walk(inner)
    elif isinstance(value, str):
        texts.append(value)
        compact = re.sub(r"\s", "", value)
        if len(compact) >= 8 and re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", compact):
            try: texts.append(base64.b64decode(compact).decode("utf-8"))
            except Exception: pass
try: walk(json.loads(raw))
except Exception: pass
for text in texts:
    squeezed = re.sub(r"[ \-().]", "", text)
    for needle in sys.argv[2:]:
        if needle in text or needle.replace(" ", "").replace("-", "") in squeezed and len(needle) > 9:
            print("found", needle); sys.exit(1)
PY
}
has() { grep -qF -- "$2" "$1"; }
G="https://localhost:$PORT/REST/2.0" D="https://localhost:8441/REST/2.0"
JSON='Content-Type: application/json'
as() { # who file curl arguments...: prints the status
  local who="$1" out="$DIR/$2"; shift 2
  local key user
  case "$who" in
    agent) key="$FG_AGENT_KEY" user=agent1:Agent1-pass ;;
    supervisor) key="$FG_SUPERVISOR_KEY" user=supervisor1:Super1-pass ;;
    ai) key="$FG_AI_KEY" user=agent2:Agent2-pass ;;
  esac
  curl -sS --cacert "$DIR/gate/certs/ca.pem" -u "$user" -H "Fieldgate-Key: $key" -o "$out" -w '%{http_code}' "$@"
}
direct() { local out="$DIR/$1"; shift; curl -sS --cacert "$RUN/certs/ca.pem" -u root:password -o "$out" -w '%{http_code}' "$@"; }

CARD='4012 8888 8888 1881' PLAIN=4012888888881881 MAIL=jane.roe@example.net PHONE='(415) 555-0188'
# A ticket with a card in every place that Request Tracker has, made past the gateway.
direct made -H "$JSON" -d "{\"Queue\":\"Support\",\"Subject\":\"Card $CARD declined\",\"Requestor\":\"$MAIL\",\"Content\":\"mail $MAIL, phone $PHONE, card $CARD\",\"ContentType\":\"text/plain\",\"CustomFields\":{\"Card\":\"$PLAIN\",\"Customer Email\":\"$MAIL\",\"Customer Phone\":\"$PHONE\"}}" "$D/ticket" >/dev/null
ID="$(jq -r .id "$DIR/made")"
direct note -H "$JSON" -d "{\"Content\":\"card again: $CARD\",\"ContentType\":\"text/plain\"}" "$D/ticket/$ID/comment" >/dev/null
FILE="$(printf 'email,card\n%s,%s\n' "$MAIL" "$PLAIN" | base64 -w0)"
direct sent -H "$JSON" -d "{\"Content\":\"statement attached for $MAIL\",\"ContentType\":\"text/plain\",\"Attachments\":[{\"FileName\":\"statement.csv\",\"FileType\":\"text/csv\",\"FileContent\":\"$FILE\"}]}" "$D/ticket/$ID/correspond" >/dev/null
direct changed -X PUT -H "$JSON" -d "{\"CustomFields\":{\"Card\":\"$PLAIN \"},\"Subject\":\"Card $CARD declined twice\"}" "$D/ticket/$ID" >/dev/null
direct all "$D/ticket/$ID/attachments?fields=Filename,ContentType&per_page=50" >/dev/null
CSV="$(jq -r '[.items[]|select(.Filename=="statement.csv")][0].id' "$DIR/all")"
TEXT="$(jq -r '[.items[]|select(.ContentType=="text/plain")][0].id' "$DIR/all")"
direct txn "$D/ticket/$ID/history?fields=Type&per_page=50" >/dev/null
COMMENT="$(jq -r '[.items[]|select(.Type=="Comment")][0].id' "$DIR/txn")"

FIELDS='Type,Created,Creator,Content,Data,Field,OldValue,NewValue'
for who in agent supervisor ai; do
  echo "== $who"
  claim "reads the ticket" [ "$(as $who ticket "$G/ticket/$ID")" = 200 ]
  claim "searches by TicketSQL" [ "$(as $who search -G --data-urlencode "query=id=$ID" --data-urlencode fields=Subject,Status,Requestor,CustomFields "$G/tickets")" = 200 ]
  claim "reads the history" [ "$(as $who history "$G/ticket/$ID/history?fields=$FIELDS&per_page=50")" = 200 ]
  claim "reads the comment's transaction" [ "$(as $who transaction "$G/transaction/$COMMENT")" = 200 ]
  claim "lists attachments" [ "$(as $who attachments "$G/ticket/$ID/attachments?fields=Filename,ContentType,Subject&per_page=50")" = 200 ]
  claim "reads the text of the mail" [ "$(as $who text "$G/attachment/$TEXT")" = 200 ]
  claim "reads the CSV attachment" [ "$(as $who csv "$G/attachment/$CSV")" = 200 ]
  claim "lists queues" [ "$(as $who queues "$G/queues/all")" = 200 ]
  missing="$(as $who error "$G/ticket/99999999")"
  claim "gets an error for a ticket that is not there ($missing)" [ "$missing" -ge 400 ]
  for part in ticket search history transaction attachments text csv error; do
    claim "sees no card in $part" absent "$DIR/$part" "$CARD" "$PLAIN"
    [ $who = supervisor ] || claim "sees no e-mail and no phone in $part" absent "$DIR/$part" "$MAIL" "$PHONE"
    claim "has no link past the gateway in $part" absent "$DIR/$part" "localhost:8101" "localhost:8441"
  done
done
as supervisor ticket "$G/ticket/$ID" >/dev/null
claim "the supervisor sees the requestor's e-mail in a custom field" has "$DIR/ticket" "$MAIL"
as agent ticket "$G/ticket/$ID" >/dev/null
claim "the agent sees the subject around the card" has "$DIR/ticket" "declined twice"
as agent csv "$G/attachment/$CSV" >/dev/null
claim "the attachment stays base64 of its text" bash -c "jq -r .Content '$DIR/csv' | base64 -d | grep -q '^email,card'"
claim "the supervisor sees the card for a fraud case" bash -c "[ \"\$(curl -sS --cacert '$DIR/gate/certs/ca.pem' -u supervisor1:Super1-pass -H 'Fieldgate-Key: $FG_SUPERVISOR_KEY' -H 'Fieldgate-Purpose: fraud_investigation' -H 'Fieldgate-Case: CASE-7' '$G/ticket/$ID' | jq -r '[.CustomFields[]|select(.name==\"Card\").values[0]][0]' | tr -d ' ')\" = $PLAIN ]"

echo "== writes"
claim "the agent creates a ticket" [ "$(as agent created -H "$JSON" -d "{\"Queue\":\"Support\",\"Subject\":\"Locked out\",\"Requestor\":\"john.smith@example.org\",\"Content\":\"phone (415) 555-0134\",\"ContentType\":\"text/plain\",\"CustomFields\":{\"Card\":\"$PLAIN\"}}" "$G/ticket")" = 201 ]
NEW="$(jq -r .id "$DIR/created")"
direct stored "$D/ticket/$NEW" >/dev/null
claim "the CRM has its card" has "$DIR/stored" "$PLAIN"
claim "the agent comments" [ "$(as agent comment -H "$JSON" -d '{"Content":"called back","ContentType":"text/plain"}' "$G/ticket/$NEW/comment")" = 201 ]
claim "the agent updates" [ "$(as agent put -X PUT -H "$JSON" -d '{"Priority":50,"CustomFields":{"Customer Phone":"(415) 555-0199"}}' "$G/ticket/$NEW")" = 200 ]
claim "a masked card written back changes nothing" [ "$(as agent back -X PUT -H "$JSON" -d '{"Priority":60,"CustomFields":{"Card":"•••• •••• •••• 1881"}}' "$G/ticket/$NEW")" = 200 ]
direct stored "$D/ticket/$NEW" >/dev/null
claim "the CRM still has its card" has "$DIR/stored" "$PLAIN"
claim "and the new priority" [ "$(jq -r .Priority "$DIR/stored")" = 60 ]
claim "the AI agent may not write" [ "$(as ai denied -H "$JSON" -d '{"Content":"x","ContentType":"text/plain"}' "$G/ticket/$NEW/comment")" = 403 ]
claim "the agent may not delete" [ "$(as agent denied -X DELETE "$G/ticket/$NEW")" = 403 ]
claim "the supervisor deletes" bash -c "case $(as supervisor deleted -X DELETE "$G/ticket/$NEW") in 2*) true;; *) false;; esac"
claim "the agent reads a customer" [ "$(as agent person "$G/user/john.smith")" -lt 500 ]
claim "and sees no e-mail of it" absent "$DIR/person" "john.smith@example.org" "(415) 555-0134"
claim "an unmapped path is refused" [ "$(as supervisor unmapped "$G/assets")" = 404 ]
claim "by the gateway" has "$DIR/unmapped" unmapped_route

echo "== log"
kill "$GATE"; wait "$GATE" || true; GATE=
claim "the log verifies" "$BIN" audit verify --dir "$DIR/gate/audit" --key "$DIR/gate/keys/audit.vkey"
"$BIN" audit verify --dir "$DIR/gate/audit" --key "$DIR/gate/keys/audit.vkey" || true
claim "no record holds a value" bash -c "! grep -rqaF -e '$PLAIN' -e '$MAIL' -e '555-01' '$DIR/gate/audit'"
claim "standard error holds none" bash -c "! grep -qF -e '$PLAIN' -e '$MAIL' '$DIR/stderr'"
echo "$CLAIMS claims, $FAILED failed"
[ "$FAILED" = 0 ]
