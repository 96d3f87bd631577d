#!/usr/bin/env bash
# Runs the three programs that the README shows, as they stand there, against `plenum up` with its local model.
#
# The SDKs are those that test/sdk/run.sh has installed. Only the address and the key are put in. PLENUM_OFFLINE=1 leaves
# this out, since the local engine may have to be fetched.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${PLENUM_SDK_CACHE:-$root/.cache/sdk}
languages=("$@")
[ ${#languages[@]} -gt 0 ] || languages=(python node go)
if [ "${PLENUM_OFFLINE:-}" = 1 ]; then
	echo "left out: PLENUM_OFFLINE=1"
	exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/plenum-readme.XXXXXX")
plenum_pid=""

finish() {
	if [ -n "$plenum_pid" ]; then
		kill "$plenum_pid" 2>/dev/null || true
		wait "$plenum_pid" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap finish EXIT

# program LANGUAGE: the README's program in it, with the address that Plenum has here.
program() {
	awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```$/ { on = 0 } on' "$root/README.md" |
		sed "s|http://127.0.0.1:8080|$url|"
}

# said LANGUAGE FILE: whether a program has printed an answer.
said() {
	if [ "$(tr -d '[:space:]' <"$2" | wc -c)" -lt 20 ]; then
		echo "the README's program in $1 printed no answer:" >&2
		cat "$2" >&2
		exit 1
	fi
	printf '  %-7s %s ...\n' "$1" "$(tr '\n' ' ' <"$2" | cut -c1-70)"
}

(cd "$root" && go build -o "$work/plenum" ./cmd/plenum)
"$work/plenum" up --listen 127.0.0.1:0 --data-dir "$work/data" --engine llamacpp >"$work/up.txt" 2>&1 &
plenum_pid=$!
for _ in $(seq 600); do
	grep -q '^  Ready' "$work/up.txt" && break
	kill -0 "$plenum_pid" 2>/dev/null && ! grep -q 'not available' "$work/up.txt" || {
		cat "$work/up.txt" >&2
		exit 1
	}
	sleep 0.5
done
url=$(sed -n 's/^  URL   //p' "$work/up.txt")
PLENUM_KEY=$(sed -n 's/^  Key   //p' "$work/up.txt")
export PLENUM_KEY

for language in "${languages[@]}"; do
	case $language in
	python)
		program python >"$work/readme.py"
		"$cache/python/bin/python" "$work/readme.py" >"$work/python.txt"
		;;
	node)
		program ts >"$cache/node/readme.mjs"
		(cd "$cache/node" && node readme.mjs) >"$work/node.txt"
		;;
	go)
		mkdir "$work/go"
		program go >"$work/go/main.go"
		(cd "$root/test/sdk/go" && GOWORK=off go run "$work/go/main.go") >"$work/go.txt"
		;;
	esac
	said "$language" "$work/$language.txt"
done
