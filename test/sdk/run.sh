#!/usr/bin/env bash
# Runs the official SDKs, unmodified, against a Plenum built from this tree.
#
#   test/sdk/run.sh                 all three languages
#   test/sdk/run.sh python go       some of them
#
# The SDKs are installed by name and pinned version through pip, npm and go, once, under .cache. It prints
# a table of language, SDK and upstream, and fails if any test did. PLENUM_BIN names a binary to test
# instead of building one; KEEP=1 keeps the logs of a good run too.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${PLENUM_SDK_CACHE:-$root/.cache/sdk}
mkdir -p "$cache"
work=$(mktemp -d "${TMPDIR:-/tmp}/plenum-sdk.XXXXXX")
languages=("$@")
[ ${#languages[@]} -gt 0 ] || languages=(python node go)
failed=0
plenum_pid=""
upstream_pid=""

finish() {
	exec 9>&- || true
	for pid in $plenum_pid $upstream_pid; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	if [ "$failed" != 0 ] || [ -n "${KEEP:-}" ]; then
		echo "logs: $work"
	else
		rm -rf "$work"
	fi
}
trap finish EXIT

# await FILE PATTERN: waits until a line of the file holds the pattern, and prints it.
await() {
	for _ in $(seq 200); do
		if grep -m1 -e "$2" "$1" 2>/dev/null; then return 0; fi
		sleep 0.1
	done
	echo "gave up waiting for $2 in $1:" >&2
	cat "$1" >&2
	failed=1
	return 1
}

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

start() {
	mkfifo "$work/hold"
	(cd "$root" && go build -o "$work/upstream" ./test/sdk/upstream)
	if [ -z "${PLENUM_BIN:-}" ]; then
		PLENUM_BIN=$work/plenum
		(cd "$root" && go build -o "$PLENUM_BIN" ./cmd/plenum)
	fi
	# The upstream ends when its standard input does, so that it cannot outlive this script.
	"$work/upstream" <"$work/hold" >"$work/upstream.json" 2>"$work/upstream.log" &
	upstream_pid=$!
	exec 9>"$work/hold"
	local urls
	urls=$(await "$work/upstream.json" control)
	PLENUM_SDK_CONTROL=$(echo "$urls" | field control)
	OPENAI_SIDE=$(echo "$urls" | field openai) ANTHROPIC_SIDE=$(echo "$urls" | field anthropic)
	export PLENUM_SDK_CONTROL OPENAI_SIDE ANTHROPIC_SIDE
	export PLENUM_KEY=pk-caller-0123456789abcdef VENDOR_KEY=sk-vendor-0123456789abcdef
	# The vendor of realtime sessions is played by the tests themselves, on a port that is free now.
	PLENUM_SDK_REALTIME_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	export PLENUM_SDK_REALTIME_PORT
	export PLENUM_DATA=$work/data PLENUM_ADMIN_KEY=admin-0123456789abcdef
	"$PLENUM_BIN" serve --config "$here/plenum.yaml" 9>&- 2>"$work/plenum.log" &
	plenum_pid=$!
	PLENUM_URL=$(await "$work/plenum.log" '"msg":"serving"' | field url)
	export PLENUM_URL
	PLENUM_AWS=$("$PLENUM_BIN" create key aws --aws --config "$here/plenum.yaml" 2>/dev/null | tr '\n' ' ')
	export PLENUM_AWS
}

# environment NAME: the packages that a folder pins, installed once.
environment() {
	local venv=$cache/$1
	if ! cmp -s "$here/$1/requirements.txt" "$venv/requirements.txt"; then
		rm -rf "$venv"
		python3 -m venv "$venv"
		"$venv/bin/pip" install --quiet --no-deps -r "$here/$1/requirements.txt"
		cp "$here/$1/requirements.txt" "$venv/requirements.txt"
	fi
}

# suite_python runs the SDKs and, beside them, LangChain and other frameworks, which pin other versions of some.
suite_python() {
	local folder pids=() bad=0
	for folder in ${PYTEST_FOLDERS:-python langchain frameworks}; do
		environment "$folder"
		(cd "$here/$folder" && PYTHONDONTWRITEBYTECODE=1 "$cache/$folder/bin/python" -m pytest ${PYTEST_ARGS:-.}) >"$work/$folder.log" 2>&1 &
		pids+=($!)
	done
	for folder in "${pids[@]}"; do
		wait "$folder" || bad=1
	done
	for folder in ${PYTEST_FOLDERS:-python langchain frameworks}; do
		cat "$work/$folder.log"
	done
	return "$bad"
}

suite_node() {
	local dir=$cache/node
	mkdir -p "$dir"
	if ! cmp -s "$here/node/package-lock.json" "$dir/installed.json"; then
		cp "$here/node/package.json" "$here/node/package-lock.json" "$dir/"
		(cd "$dir" && npm ci --no-audit --no-fund --loglevel=error)
		cp "$here/node/package-lock.json" "$dir/installed.json"
	fi
	cp "$here"/node/*.mjs "$dir/"
	(cd "$dir" && node --test --test-reporter=dot $(cd "$here/node" && ls ${NODE_TESTS:-*.test.mjs}))
}

suite_go() {
	(cd "$here/go" && GOWORK=off go test -count=1 ./...)
}

start
export PLENUM_SDK_RESULTS=$work/results.jsonl
for language in "${languages[@]}"; do
	echo "== $language"
	"suite_$language" || failed=1
done
python3 "$here/matrix.py" "$PLENUM_SDK_RESULTS" || failed=1
exit "$failed"
