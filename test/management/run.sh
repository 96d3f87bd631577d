#!/usr/bin/env bash
# Sends the management API what its own OpenAPI document allows, and much that it does not, with Schemathesis: nothing may
# fail within, and nothing may be answered that the document does not have.
#
#   EXAMPLES=200 test/management/run.sh     more of it
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${PLENUM_SDK_CACHE:-$root/.cache/sdk}/management
work=$(mktemp -d "${TMPDIR:-/tmp}/plenum-management.XXXXXX")
pid=""

finish() {
	status=$?
	[ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
	if [ "$status" != 0 ]; then
		cat "$work/plenum.log" >&2 || true
	fi
	rm -rf "$work"
}
trap finish EXIT

if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --no-deps -r "$here/requirements.txt"
	cp "$here/requirements.txt" "$venv/requirements.txt"
fi
(cd "$root" && go build -o "$work/plenum" ./cmd/plenum)
cat >"$work/plenum.yaml" <<YAML
listen: 127.0.0.1:0
data_dir: $work/data
admin_key: admin-0123456789abcdef
log: {format: json}
connections: [{name: declared, provider: openai, credentials: {api_key: sk-vendor-0123456789abcdef}}]
deployments: [{name: declared, targets: [{connection: declared, upstream_model: m}]}]
YAML
"$work/plenum" serve --config "$work/plenum.yaml" 2>"$work/plenum.log" &
pid=$!
url=""
for _ in $(seq 200); do
	url=$(sed -n 's/.*"msg":"serving","url":"\([^"]*\)".*/\1/p' "$work/plenum.log")
	[ -z "$url" ] || break
	sleep 0.1
done
[ -n "$url" ] || { echo "it does not start" >&2; exit 1; }
"$venv/bin/schemathesis" run "$url/admin/v1/openapi.json" --header "Authorization: Bearer admin-0123456789abcdef" \
	--checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance,unsupported_method \
	--max-examples "${EXAMPLES:-8}" --generation-deterministic --no-color >"$work/report" 2>&1 || { cat "$work/report"; exit 1; }
grep -E "generated,|Tested:" "$work/report"
