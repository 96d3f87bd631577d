#!/usr/bin/env bash
# Codex CLI on Claude: does a task in the current directory.
#
#   PLENUM_KEY=... examples/codex-on-claude/run.sh "Say what this project does."
set -euo pipefail
url=${PLENUM_URL:-http://127.0.0.1:8080}
: "${PLENUM_KEY:?is the key that Plenum was started with}"

# Codex takes a provider of its own on the command line, or in ~/.codex/config.toml. It may do what it likes to
# the directory it is started in: leave the last option out to be asked first.
exec codex exec --skip-git-repo-check \
	-c model=claude -c model_context_window=200000 -c model_reasoning_effort=medium \
	-c model_provider=plenum -c model_providers.plenum.name=Plenum -c model_providers.plenum.wire_api=responses \
	-c model_providers.plenum.base_url="$url/v1" -c model_providers.plenum.env_key=PLENUM_KEY \
	--dangerously-bypass-approvals-and-sandbox "$*"
