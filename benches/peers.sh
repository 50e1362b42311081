#!/usr/bin/env bash
# CPU time per request of the gateway and of what people use today, in one run: proxy on one core, load and upstream on the other.
# usage: benches/peers.sh [ROUNDS]      TARGETS=folder with the peers and the static upstream (skips with a message without it)
#        SECS=seconds per measurement (4)  CONNS=connections (32)  PEERS="nginx-plain nginx-lua"
set -euo pipefail
cd "$(dirname "$0")/.."

TARGETS="${TARGETS:-../shared/targets}"
ROUNDS="${1:-3}" SECS="${SECS:-4}" CONNS="${CONNS:-32}" PEERS="${PEERS:-nginx-plain nginx-lua}"
RUN="${TARGETS_RUN:-${TMPDIR:-/tmp}/fieldgate-targets}"
CERTS="$RUN/certs"
declare -A PORT=([nginx-plain]=9001 [nginx-lua]=9002 [nginx-njs]=9003 [mitmproxy]=9004 [haproxy]=9005 [fieldgate-relay]=9011 [fieldgate-mask]=9012)

if [ ! -x "$TARGETS/peers/peers.sh" ] && [ ! -f "$TARGETS/peers/peers.sh" ]; then
  echo "skipped: no peers in \`$TARGETS\`; set TARGETS to the folder that holds peers/ and tls-upstreams/"; exit 0
fi
for tool in wrk taskset openssl python3; do
  command -v "$tool" >/dev/null || { echo "skipped: \`$tool\` is not installed"; exit 0; }
done
[ "$(nproc)" -ge 2 ] || { echo "skipped: two cores are needed"; exit 0; }

bash "$TARGETS/tls-upstreams/tls.sh" start >/dev/null
for peer in $PEERS; do bash "$TARGETS/peers/peers.sh" start "$peer" >/dev/null; done
cargo build --release --quiet
BIN="${CARGO_TARGET_DIR:-target}/release/fieldgate"

DIR="$(mktemp -d)"
GATE=
cleanup() { if [ -n "$GATE" ]; then kill "$GATE" 2>/dev/null || true; wait "$GATE" 2>/dev/null || true; fi; rm -rf "$DIR"; }
trap cleanup EXIT

# A configuration with two listeners, and a caller with a JWT (RS256).
"$BIN" init --upstream https://localhost:8447 --upstream-ca "$CERTS/ca.pem" --map benches/peers/contacts.toml \
  --dir "$DIR/gate" --listen 127.0.0.1:9012 --admin 127.0.0.1:9464 >/dev/null
cp benches/peers/relay.toml "$DIR/gate/crm/relay.toml"
openssl genrsa -out "$DIR/jwt.key" 2048 2>/dev/null
python3 - "$DIR" "$(openssl rsa -in "$DIR/jwt.key" -noout -modulus 2>/dev/null | cut -d= -f2)" <<'PY'
import base64, json, sys
folder, modulus = sys.argv[1], bytes.fromhex(sys.argv[2])
b64 = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
json.dump({"keys": [{"kty": "RSA", "kid": "bench", "alg": "RS256", "use": "sig", "n": b64(modulus), "e": "AQAB"}]}, open(folder + "/gate/keys/jwks.json", "w"))
import time
part = lambda value: b64(json.dumps(value).encode())
open(folder + "/signing-input", "w").write(part({"alg": "RS256", "kid": "bench", "typ": "JWT"}) + "." + part(
    {"iss": "https://issuer.test", "aud": "fieldgate", "sub": "bench-agent", "roles": ["agent"], "iat": int(time.time()), "exp": int(time.time()) + 36000}))
PY
JWT="$(cat "$DIR/signing-input").$(openssl dgst -sha256 -sign "$DIR/jwt.key" "$DIR/signing-input" | base64 -w0 | tr '+/' '-_' | tr -d '=')"
cat >>"$DIR/gate/fieldgate.toml" <<TOML

[[listener]]
name = "relay"
address = "127.0.0.1:9011"
public_url = "https://localhost:9011"
upstream = "relay"

[listener.tls]
certificates = [{ certificate = "certs/gateway.pem", key = "certs/gateway.key" }]

[[upstream]]
name = "relay"
url = "https://localhost:8447"
map = "crm/relay.toml"
ca = "certs/crm-ca.pem"

[[identity.jwt]]
issuer = "https://issuer.test"
audience = ["fieldgate"]
jwks_file = "keys/jwks.json"
algorithms = ["RS256"]
TOML
sed -i 's/^root_key = .*/&\nworkers = 1/' "$DIR/gate/fieldgate.toml"
taskset -c 0 "$BIN" serve --config "$DIR/gate/fieldgate.toml" 2>"$DIR/stderr" &
GATE=$!
for _ in $(seq 100); do curl -sf -o /dev/null http://127.0.0.1:9464/readyz && break; sleep 0.1; done
curl -sf -o /dev/null http://127.0.0.1:9464/readyz || { cat "$DIR/stderr"; exit 1; }

# The process (and its children) behind a name, pinned to the first core; everything else to the second.
pids_of() {
  case "$1" in
    fieldgate-*) echo "$GATE" ;;
    *) local parent; parent="$(cat "$RUN/pids/peer-$1")"; echo "$parent"; pgrep -P "$parent" || true ;;
  esac
}
ticks() { local sum=0 pid; for pid in $(pids_of "$1"); do sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat"))); done; echo "$sum"; }
for peer in $PEERS; do for pid in $(pids_of "$peer"); do taskset -apc 0 "$pid" >/dev/null; done; done
for pid in $(cat "$RUN/pids/tls-upstreams") $(pgrep -P "$(cat "$RUN/pids/tls-upstreams")"); do taskset -apc 1 "$pid" >/dev/null; done
HZ="$(getconf CLK_TCK)"

measure() { # name path
  local before after out requests
  before="$(ticks "$1")"
  out="$(taskset -c 1 wrk -t1 -c"$CONNS" -d"${SECS}s" --latency -H "Authorization: Bearer $JWT" "https://localhost:${PORT[$1]}$2")"
  after="$(ticks "$1")"
  requests="$(awk '/requests in/{print $1}' <<<"$out")"
  if grep -q 'Non-2xx' <<<"$out"; then echo "$1 $2: $(grep Non-2xx <<<"$out")" >&2; exit 1; fi
  awk -v name="$1" -v path="$2" -v t=$((after - before)) -v hz="$HZ" -v n="$requests" '
    /50%/{p50=$2} /99%/{p99=$2} /Requests\/sec/{rps=$2}
    END{printf "%s %s %.1f %s %s %s\n", name, path, t / hz * 1e6 / n, rps, p50, p99}' <<<"$out" >>"$DIR/results"
}

NAMES="$PEERS fieldgate-relay fieldgate-mask"
for name in $NAMES; do for path in /contact.json /contacts-50.json; do SECS=1 measure "$name" "$path"; done; done
: >"$DIR/results"
for _ in $(seq "$ROUNDS"); do
  for path in /contact.json /contacts-50.json; do for name in $NAMES; do measure "$name" "$path"; done; done
done

python3 - "$DIR/results" <<'PY'
import collections, statistics, sys
rows = collections.defaultdict(list)
for line in open(sys.argv[1]):
    name, path, cpu, rps, p50, p99 = line.split()
    rows[path, name].append((float(cpu), float(rps), p50, p99))
print(f"{'path':<20}{'proxy':<18}{'CPU µs/req':>11}{'min–max':>16}{'req/s':>9}{'p50':>9}{'p99':>9}{'× nginx':>9}{'× Lua':>8}")
paths = sorted({path for path, _ in rows})
for path in paths:
    base = {name: statistics.median(r[0] for r in found) for (p, name), found in rows.items() if p == path}
    for (p, name), found in rows.items():
        if p != path: continue
        cpus = sorted(r[0] for r in found)
        middle = sorted(found)[len(found) // 2]
        over = lambda peer: f"{base[name] / base[peer]:.2f}" if peer in base else "-"
        print(f"{path:<20}{name:<18}{base[name]:>11.1f}{f'{cpus[0]:.0f}–{cpus[-1]:.0f}':>16}{middle[1]:>9.0f}{middle[2]:>9}{middle[3]:>9}{over('nginx-plain'):>9}{over('nginx-lua'):>8}")
PY
echo "targets: relay <= 1.15 x nginx; mask <= 1.4 x nginx on both sizes and <= 0.4 x nginx + Lua on the list"
