#!/usr/bin/env bash
# Two gateways' vaults in one real PostgreSQL server: they see each other's tokens and erasures at once; while the server is stopped
# nothing is shown, and when it is back they go on without a restart.
# Then keys are rotated and `fieldgate rewrap` sweeps beside a gateway that readers and searchers use.
# usage: tests/real/postgres-vault.sh    as root; installs Debian's postgresql where it is not there. PORT=5439
#        PROFILE=--release (default: a debug build), FIELDGATE_ROTATION_RECORDS=how many records are swept (default 300)
set -euo pipefail
cd "$(dirname "$0")/../.."

PORT="${PORT:-5439}" PROFILE="${PROFILE:-}"
if [ "$(id -u)" != 0 ]; then echo "skipped: has to be root, to run the server as user postgres"; exit 0; fi
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y postgresql >/dev/null
fi
BIN="$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)"

DIR="$(mktemp -d)"
as() { (cd "$DIR" && runuser -u postgres -- "$@"); }
cleanup() { as "$BIN/pg_ctl" -D "$DIR/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$DIR"; }
trap cleanup EXIT
chmod 711 "$DIR"
(umask 077; head -c 24 /dev/urandom | base64 > "$DIR/password")
install -d -o postgres -m 700 "$DIR/data" "$DIR/socket"
install -o postgres -m 600 "$DIR/password" "$DIR/initial"
as "$BIN/initdb" -D "$DIR/data" -A scram-sha-256 -U fieldgate --pwfile "$DIR/initial" >/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -addext basicConstraints=critical,CA:FALSE -keyout "$DIR/server.key" -out "$DIR/server.pem" 2>/dev/null
install -o postgres -m 600 "$DIR/server.key" "$DIR/data/server.key"
install -o postgres -m 644 "$DIR/server.pem" "$DIR/data/server.crt"
cat >> "$DIR/data/postgresql.conf" <<CONF
listen_addresses = 'localhost'
port = $PORT
unix_socket_directories = '$DIR/socket'
ssl = on
CONF
cat > "$DIR/start" <<START
cd "$DIR" && runuser -u postgres -- "$BIN/pg_ctl" -w -D "$DIR/data" -l "$DIR/data/log" start >/dev/null
START
cat > "$DIR/stop" <<STOP
cd "$DIR" && runuser -u postgres -- "$BIN/pg_ctl" -w -D "$DIR/data" -m fast stop >/dev/null
STOP
sh "$DIR/start"
PGPASSWORD="$(cat "$DIR/password")" psql -q -h localhost -p "$PORT" -U fieldgate -d postgres -c 'CREATE DATABASE fieldgate'

export FIELDGATE_VAULT_URL="postgres://fieldgate@localhost:$PORT/fieldgate"
export FIELDGATE_VAULT_PASSWORD_FILE="$DIR/password" FIELDGATE_VAULT_CA="$DIR/server.pem"
export FIELDGATE_VAULT_STOP="sh $DIR/stop" FIELDGATE_VAULT_START="sh $DIR/start"
# shellcheck disable=SC2086
cargo test --quiet $PROFILE --lib vault::tests::postgres -- --ignored --test-threads 1

# What lies in the server: no text, no token, no record id.
PGPASSWORD="$(cat "$DIR/password")" pg_dump -h localhost -p "$PORT" -U fieldgate fieldgate > "$DIR/dump"
for canary in x.example fg1t fg.example.com person1; do
  for form in "$canary" "$(printf %s "$canary" | od -An -tx1 | tr -d ' \n')"; do
    if grep -q -- "$form" "$DIR/dump"; then echo "FAIL: \`$canary\` lies in clear in the database"; exit 1; fi
  done
done
PGPASSWORD="$(cat "$DIR/password")" psql -q -h localhost -p "$PORT" -U fieldgate -d postgres -c 'CREATE DATABASE rotation'
# shellcheck disable=SC2086
FIELDGATE_VAULT_URL="postgres://fieldgate@localhost:$PORT/rotation" \
  cargo test --quiet $PROFILE --test it -- rotation::keys_are_replaced --nocapture
echo "ok: one vault for two gateways, closed while the server was gone, nothing in clear"
