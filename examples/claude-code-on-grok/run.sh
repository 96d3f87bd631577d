#!/usr/bin/env bash
# Claude Code on Grok: does a task in the current directory.
#
#   PLENUM_KEY=... examples/claude-code-on-grok/run.sh "Say what this project does."
set -euo pipefail
url=${PLENUM_URL:-http://127.0.0.1:8080}
: "${PLENUM_KEY:?is the key that Plenum was started with}"

# Claude Code takes its address, key and model from the environment.
export ANTHROPIC_BASE_URL=$url ANTHROPIC_AUTH_TOKEN=$PLENUM_KEY ANTHROPIC_MODEL=grok
export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1

exec claude -p "$*" --allowedTools "Read,Edit,Write,Bash"
