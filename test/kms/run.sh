#!/usr/bin/env bash
# Keeps a vendor's credential under a master key of AWS KMS, as moto's server has it: it is sealed, it opens after a restart, it is
# sealed anew under another key and a file's, and a Plenum whose key is not to be had says so and does not start.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${PLENUM_SDK_CACHE:-$root/.cache/sdk}/kms
work=$(mktemp -d "${TMPDIR:-/tmp}/plenum-kms.XXXXXX")
moto="" plenum=""

finish() {
	status=$?
	for pid in $plenum $moto; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
	[ "$status" = 0 ] || cat "$work"/*.log >&2 || true
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

"$venv/bin/moto_server" -H 127.0.0.1 -p 0 >"$work/moto.log" 2>&1 &
moto=$!
url=""
for _ in $(seq 300); do
	url=$(sed -n 's/.*Running on \(http:[^ ]*\).*/\1/p' "$work/moto.log" | head -1)
	[ -z "$url" ] || break
	sleep 0.1
done
[ -n "$url" ] || { echo "moto's server does not start" >&2; exit 1; }
export AWS_ENDPOINT_URL_KMS=$url AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1 AWS_EC2_METADATA_DISABLED=true
newkey() { "$venv/bin/python" -c 'import boto3; print("aws-kms://" + boto3.client("kms").create_key()["KeyMetadata"]["Arn"])'; }
first=$(newkey) second=$(newkey)
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$work/file.key"

# serve starts Plenum with more lines of configuration, and waits until it serves.
serve() {
	printf '%s\n' "listen: 127.0.0.1:0" "data_dir: $work/data" "admin_key: admin-0123456789abcdef" "log: {format: json}" "$@" >"$work/plenum.yaml"
	: >"$work/plenum.log"
	"$work/plenum" serve --config "$work/plenum.yaml" 2>"$work/plenum.log" &
	plenum=$!
	at=""
	for _ in $(seq 200); do
		at=$(sed -n 's/.*"msg":"serving","url":"\([^"]*\)".*/\1/p' "$work/plenum.log")
		[ -z "$at" ] || return 0
		kill -0 "$plenum" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}
stop() { kill "$plenum"; wait "$plenum" || true; plenum=""; }
admin() { curl -sS -f -H "Authorization: Bearer admin-0123456789abcdef" "$@"; }
# opens reports whether the credential can be opened: a deployment through its connection is in force, and nothing was left out.
opens() {
	admin "$at/admin/v1/deployments/m" >/dev/null
	! grep -q '"level":"ERROR"' "$work/plenum.log" || { echo "$1: what was kept does not open" >&2; exit 1; }
	echo "$1: ok"
}

serve "master_key_kms: \"$first\""
admin -X POST "$at/admin/v1/connections" -d '{"name":"a","provider":"xai","credentials":{"api_key":"the-key-of-a-vendor"}}' >/dev/null
admin -X POST "$at/admin/v1/deployments" -d '{"name":"m","targets":[{"connection":"a","upstream_model":"grok-4.3"}]}' >/dev/null
stop
! grep -rq the-key-of-a-vendor "$work/data" || { echo "the credential is kept in clear" >&2; exit 1; }
serve "master_key_kms: \"$first\""
opens "after a restart"
stop
if serve "master_key: \"\${file:$work/file.key}\""; then
	grep -q '"level":"ERROR"' "$work/plenum.log" || { echo "it opens without its key" >&2; exit 1; }
	stop
fi
echo "without its key it does not open: ok"

serve "master_key_kms: \"$second\"" "master_keys_before: [\"$first\"]"
opens "under the next key, with the one before"
stop
"$work/plenum" rotate master-key --config "$work/plenum.yaml"
serve "master_key_kms: \"$second\""
opens "sealed anew under the next key of AWS KMS"
stop
serve "master_key: \"\${file:$work/file.key}\"" "master_keys_before: [\"$second\"]"
stop
"$work/plenum" rotate master-key --config "$work/plenum.yaml"
serve "master_key: \"\${file:$work/file.key}\""
opens "sealed anew under the key of a file"
stop

if serve "master_key_kms: \"${first%/*}/00000000-0000-0000-0000-000000000000\""; then
	echo "it starts with a key that there is not" >&2
	exit 1
fi
plenum=""
grep -q master_key_kms "$work/plenum.log" || { echo "it does not say what is wrong:" >&2; exit 1; }
echo "a key that there is not: $(tail -1 "$work/plenum.log" | cut -c1-160)"
