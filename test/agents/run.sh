#!/usr/bin/env bash
# Runs real agents, unmodified, against a Plenum built from this tree, each on a model of another vendor.
#
#   test/agents/run.sh                        all of them, at once
#   test/agents/run.sh codex-on-claude        some of them, by the name of their example
#
# What is run is what examples/ shows: its script, and its configuration with the vendor's address replaced by that of a
# scripted model, which is as strict as the vendor and makes the agent read, edit and check a file. The task is done when the
# file is changed, the agent reports what it then says, and no request was refused. The agents are installed by name and
# pinned version through npm, once, under .cache; after that nothing leaves this machine. PLENUM_BIN names a binary to
# test instead of building one; KEEP=1 keeps the logs of a good run too.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${PLENUM_AGENTS_CACHE:-$root/.cache/agents}
bound=90 # seconds for one agent
mkdir -p "$cache"
work=$(mktemp -d "${TMPDIR:-/tmp}/plenum-agents.XXXXXX")
agents=("$@")
[ ${#agents[@]} -gt 0 ] || agents=(claude-code-on-grok codex-on-claude gemini-cli-on-gpt copilot-on-bedrock opencode-on-bedrock)
failed=0
pids=()

finish() {
	exec 9>&- || true
	for pid in "${pids[@]}"; do
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

# The agents' programs are linked into one folder by hand: their own install scripts may fetch more, and are not run.
install() {
	if ! cmp -s "$here/package-lock.json" "$cache/installed.json"; then
		cp "$here/package.json" "$here/package-lock.json" "$cache/"
		# Not `npm ci`: it wants the programs of every other system listed in the lock as well. What is listed is held
		# to its version and its hash all the same.
		(cd "$cache" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error)
		cp "$here/package-lock.json" "$cache/installed.json"
	fi
	local modules=$cache/node_modules
	mkdir -p "$work/bin"
	link claude "$modules"/@anthropic-ai/claude-code-*/claude
	link codex "$modules"/@openai/codex-*/vendor/*/bin/codex
	link copilot "$modules"/@github/copilot-*/copilot
	link opencode "$modules"/opencode-*/bin/opencode
	link gemini "$modules"/.bin/gemini
}

# link NAME FILE...: makes a program known by its name; the first file that is there is it.
link() { ln -s "$2" "$work/bin/$1"; }

start_upstream() {
	mkfifo "$work/hold"
	(cd "$root" && go build -o "$work/upstream" ./test/sdk/upstream)
	if [ -z "${PLENUM_BIN:-}" ]; then
		PLENUM_BIN=$work/plenum
		(cd "$root" && go build -o "$PLENUM_BIN" ./cmd/plenum)
	fi
	# The upstream ends when its standard input does, so that it cannot outlive this script.
	"$work/upstream" <"$work/hold" >"$work/upstream.json" 2>"$work/upstream.log" &
	pids+=($!)
	exec 9>"$work/hold"
	await "$work/upstream.json" control >/dev/null
}

vendor_key=sk-vendor-0123456789abcdef
export PLENUM_KEY=pk-caller-0123456789abcdef
export XAI_API_KEY=$vendor_key ANTHROPIC_API_KEY=$vendor_key OPENAI_API_KEY=$vendor_key AWS_BEARER_TOKEN_BEDROCK=$vendor_key

# side EXAMPLE: where the scripted model of its vendor is. A place that speaks several dialects is held to one.
side() {
	case $1 in
	*-on-grok) echo "$(field openai <"$work/upstream.json")/v1" ;;
	*-on-gpt) echo "$(field openai <"$work/upstream.json")/v1\n    dialect: openai" ;;
	*-on-claude) field anthropic <"$work/upstream.json" ;;
	*-on-bedrock) field bedrock <"$work/upstream.json" ;;
	esac
}

# run EXAMPLE: has an agent do the task, and leaves what went wrong in its folder.
run() {
	local name=$1 dir=$work/$1
	mkdir -p "$dir/home" "$dir/task"
	echo 'Hello, world.' >"$dir/task/greeting.txt"
	{
		sed -e "s|^listen: .*|listen: 127.0.0.1:0|" \
			-e "s|^    provider: .*|&\n    base_url: $(side "$name")|" \
			-e "s|upstream_model: [^},]*|upstream_model: \"agent:$name\"|" "$root/examples/$name/plenum.yaml"
		echo "data_dir: $dir/data"
		echo "admin_key: admin-0123456789abcdef"
		echo "log: {format: json, level: info}"
	} >"$dir/plenum.yaml"
	"$PLENUM_BIN" serve --config "$dir/plenum.yaml" 9>&- 2>"$dir/plenum.log" &
	local plenum=$!
	local url
	url=$(await "$dir/plenum.log" '"msg":"serving"' | field url)
	# An address that nobody answers stands for the rest of the world.
	(cd "$dir/task" && env -i PATH="$work/bin:$PATH" HOME="$dir/home" TMPDIR="${TMPDIR:-/tmp}" IS_SANDBOX=1 CI=1 \
		HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost \
		OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1 \
		PLENUM_URL="$url" PLENUM_KEY="$PLENUM_KEY" timeout "$bound" "$root/examples/$name/run.sh" \
		"In the file $dir/task/greeting.txt replace Hello by Goodbye, then say what the file says." \
		</dev/null >"$dir/said" 2>&1 9>&-) || echo "it ended with $?" >>"$dir/wrong"
	kill "$plenum" 2>/dev/null || true
	wait "$plenum" 2>/dev/null || true
	judge "$name" "$dir"
}

# judge EXAMPLE DIRECTORY: the task is done when the file is changed, the agent saw it, and nothing was refused.
judge() {
	grep -qx 'Goodbye, world.' "$2/task/greeting.txt" || echo "the file was not changed: $(cat "$2/task/greeting.txt")" >>"$2/wrong"
	grep -q 'Done. The file says: Goodbye, world.' "$2/said" || echo "the report is not what was seen" >>"$2/wrong"
	curl -sS --noproxy '*' "$(field control <"$work/upstream.json")/calls?model=agent:$1" >"$2/calls.json"
	python3 - "$2/calls.json" >>"$2/wrong" <<'END'
import json, sys
calls = json.load(open(sys.argv[1]))
for c in calls:
    if c.get("refused"):
        print("a request was refused:", c["refused"])
if len(calls) < 4:
    print("the model was asked", len(calls), "times")
END
}

install
start_upstream
runs=()
for name in "${agents[@]}"; do
	run "$name" &
	runs+=($!)
done
for pid in "${runs[@]}"; do wait "$pid" || failed=1; done
for name in "${agents[@]}"; do
	if [ -s "$work/$name/wrong" ]; then
		failed=1
		echo "FAILED  $name"
		sed 's/^/        /' "$work/$name/wrong"
		tail -n 20 "$work/$name/said" | sed 's/^/        | /'
	else
		echo "done    $name"
	fi
done
exit "$failed"
