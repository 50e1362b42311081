#!/usr/bin/env bash
# What a real Request Tracker 5 stores behind a gateway that seals and tokenises, and who finds it again.
# usage: tests/real/request-tracker-stored.sh    TARGETS=folder with request-tracker/ and tls-upstreams/ (skips with a message without it)
#        BIN=path of a built fieldgate (default: builds the release), TICKETS=how many (default 20)
# Exits 0 when RT's database holds no seeded value, and a supervisor sees what an unprotected twin shows.
set -euo pipefail
cd "$(dirname "$0")/../.."

TARGETS="${TARGETS:-../shared/targets}"
RUN="${TARGETS_RUN:-${TMPDIR:-/tmp}/fieldgate-targets}"
PORT="${PORT:-9445}" ADMIN="${ADMIN:-9467}" TICKETS="${TICKETS:-20}"
if [ ! -f "$TARGETS/request-tracker/rt.sh" ]; then
  echo "skipped: no Request Tracker in \`$TARGETS\`; set TARGETS to the folder that holds request-tracker/ and tls-upstreams/"; exit 0
fi
bash "$TARGETS/request-tracker/rt.sh" start >/dev/null
bash "$TARGETS/tls-upstreams/tls.sh" start >/dev/null
if [ -z "${BIN:-}" ]; then cargo build --release --quiet; BIN="${CARGO_TARGET_DIR:-target}/release/fieldgate"; fi

DIR="$(mktemp -d)"
GATE=
cleanup() { if [ -n "$GATE" ]; then kill "$GATE" 2>/dev/null || true; wait "$GATE" 2>/dev/null || true; fi; rm -rf "$DIR"; }
trap cleanup EXIT
"$BIN" init --upstream https://localhost:8441 --upstream-ca "$RUN/certs/ca.pem" --alias http://localhost:8101 \
  --map request-tracker --dir "$DIR/gate" --listen "127.0.0.1:$PORT" --admin "127.0.0.1:$ADMIN" --pass-authorization >/dev/null
CONFIG="$DIR/gate/fieldgate.toml"
python3 - "$CONFIG" <<'PY'
import sys
path = sys.argv[1]
text = open(path).read()
for name, storage in {"email": "token:email", "phone": "token:phone", "card_number": "seal", "iban": "seal:indexed"}.items():
    line = f'name = "{name}"\n'
    assert line in text, name
    text = text.replace(line, line + f'storage = "{storage}"\nphase = "mixed"\n', 1)
text += '\n[keys]\nkeyset = "keys/keyset.json"\nkek = { provider = "file", path = "keys/kek" }\n\n[vault]\ntoken_domain = "fg.example.com"\n'
open(path, "w").write(text)
PY
"$BIN" keys new --config "$CONFIG" >/dev/null
"$BIN" vault init --config "$CONFIG" >/dev/null
"$BIN" check --config "$CONFIG"
. "$DIR/gate/callers.env"
"$BIN" serve --config "$CONFIG" 2>"$DIR/stderr" &
GATE=$!
for _ in $(seq 600); do curl -sf -o /dev/null "http://127.0.0.1:$ADMIN/readyz" && break; sleep 0.1; done
curl -sf -o /dev/null "http://127.0.0.1:$ADMIN/readyz" || { cat "$DIR/stderr"; exit 1; }

python3 - "$DIR" "$PORT" "$RUN" "$TICKETS" "$FG_AGENT_KEY" "$FG_SUPERVISOR_KEY" <<'PY'
import base64, http.client, json, os, random, ssl, sys, urllib.parse
folder, port, run, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
agent_key, supervisor_key = sys.argv[5], sys.argv[6]
claims = failed = 0
def claim(text, held):
    global claims, failed
    claims += 1
    if not held:
        failed += 1
        print("FAIL", text)
def connection(to, ca): return http.client.HTTPSConnection("localhost", to, context=ssl.create_default_context(cafile=ca))
gate, direct = connection(port, f"{folder}/gate/certs/ca.pem"), connection(8441, f"{run}/certs/ca.pem")
def call(to, user, key, method, path, body=None):
    headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()}
    if key: headers["Fieldgate-Key"] = key
    if body is not None: headers["Content-Type"] = "application/json"
    to.request(method, "/REST/2.0" + path, None if body is None else json.dumps(body), headers)
    answer = to.getresponse()
    text = answer.read()
    try: return answer.status, json.loads(text)
    except ValueError: return answer.status, text.decode(errors="replace")
def supervisor(*what): return call(gate, "supervisor1:Super1-pass", supervisor_key, *what)
def agent(*what): return call(gate, "agent1:Agent1-pass", agent_key, *what)
def root(*what): return call(direct, "root:password", None, *what)
rng = random.Random(os.urandom(8))
def luhn(digits):
    total = sum(d if i % 2 else (2 * d - 9 if 2 * d > 9 else 2 * d) for i, d in enumerate(reversed(digits)))
    return (10 - total % 10) % 10
def card():
    digits = [4] + [rng.randrange(10) for _ in range(14)]
    return "".join(map(str, digits + [luhn(digits)]))
def iban():
    account = "".join(str(rng.randrange(10)) for _ in range(18))
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"
def values(n):
    tag = f"{rng.randrange(16**8):08x}"
    return {"Customer Email": f"Canary.{tag}@Example.com", "Customer Phone": f"+1415555{rng.randrange(10000):04d}", "Card": card(), "IBAN": iban()}
def fields(ticket): return {field["name"]: field["values"] for field in ticket.get("CustomFields", [])}
seeded, protected, twins = [], [], []
for n in range(count):
    custom = values(n)
    body = {"Queue": "Support", "Subject": f"order {n}", "Content": "please call back", "ContentType": "text/plain", "CustomFields": custom}
    status, made = supervisor("POST", "/ticket", body)
    claim(f"ticket {n} is made through the gateway: {status} {made}", status == 201)
    protected.append(int(made["id"])); seeded.append(custom)
    status, made = root("POST", "/ticket", {"Queue": "Support", "Subject": f"twin {n}", "ContentType": "text/plain", "Content": "x", "CustomFields": {"Card": ["".join(reversed(custom["Card"]))]}})
    twins.append(int(made["id"]))
for number, custom in zip(protected, seeded):
    _, held = root("GET", f"/ticket/{number}")
    raw = fields(held)
    claim(f"{number}: RT holds stored forms {raw}", all(custom[name] not in json.dumps(raw) for name in custom)
          and raw["Card"][0].startswith("fg1_") and raw["IBAN"][0].startswith("fg1_")
          and raw["Customer Email"][0].endswith("@fg.example.com") and raw["Customer Phone"][0].startswith("+999"))
    _, shown = supervisor("GET", f"/ticket/{number}")
    unprotected = {name: [value] for name, value in custom.items()}
    seen = {name: value for name, value in fields(shown).items() if name in custom}
    if "•" in json.dumps(seen["Card"]): seen["Card"] = unprotected["Card"]  # the card needs a purpose
    claim(f"{number}: the supervisor sees what was written {seen}", seen == unprotected)
    _, masked = agent("GET", f"/ticket/{number}")
    text = json.dumps(masked, ensure_ascii=False)
    claim(f"{number}: the agent sees masks", all(value not in text for value in custom.values()) and "fg1_" not in text and "fg.example.com" not in text and "+999" not in text)
def search(query, who=agent):
    status, found = who("GET", "/tickets?query=" + urllib.parse.quote(query))
    return status, sorted(int(item["id"]) for item in found["items"]) if status == 200 else found
for number, custom in zip(protected, seeded):
    for name in ("Customer Email", "Customer Phone", "IBAN"):
        spelled = custom[name].lower() if name == "Customer Email" else custom[name]
        status, found = search(f"'CF.{{{name}}}' = '{spelled}'")
        claim(f"{number}: the agent finds it by {name}: {status} {found}", found == [number])
status, found = search(f"Queue = 'Support' AND ('CF.{{IBAN}}' = '{seeded[0]['IBAN']}' OR 'CF.{{Customer Email}}' = '{seeded[1]['Customer Email']}')")
claim(f"OR over two fields: {status} {found}", found == sorted(protected[:2]))
status, found = search("'CF.{Customer Email}' LIKE 'Canary'")
claim(f"LIKE on a stored field is refused: {status}", status == 422 and found["code"] == "unsupported_on_protected")
status, found = search("'CF.{Customer Email}' = 'nobody@example.com'")
claim(f"nobody is nobody: {status} {found}", found == [])
_, seen = agent("GET", f"/ticket/{protected[0]}")
status, _ = agent("PUT", f"/ticket/{protected[0]}", {"Subject": "changed", "CustomFields": {name: value[0] for name, value in fields(seen).items() if name in seeded[0] and value}})
_, before = root("GET", f"/ticket/{protected[0]}")
_, shown = supervisor("GET", f"/ticket/{protected[0]}")
claim(f"masks written back change nothing: {status}", fields(shown)["IBAN"] == [seeded[0]["IBAN"]] and before["Subject"] == "changed")
status, refused = supervisor("PUT", f"/ticket/{protected[1]}", {"CustomFields": {"IBAN": fields(before)["IBAN"][0]}})
claim(f"a ciphertext of another ticket is refused: {status}", status == 422 and refused["code"] == "injected_value")
database = b"".join(open(f"{run}/rt/{name}", "rb").read() for name in os.listdir(f"{run}/rt") if name.startswith("rt.sqlite") and not name.endswith(".ok"))
clear = [value for custom in seeded for value in custom.values() if value.encode() in database or value.lower().encode() in database.lower()]
claim(f"the database holds no clear value: {clear[:3]}", not clear)
claim("the search for clear values finds those of the twins", all("".join(reversed(custom["Card"])).encode() in database for custom in seeded))
print(f"{claims} claims, {failed} failed")
sys.exit(1 if failed else 0)
PY
"$BIN" audit verify --dir "$DIR/gate/audit" --key "$DIR/gate/keys/audit.vkey"
