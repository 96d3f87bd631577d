#!/usr/bin/env bash
# Gemini CLI on GPT: does a task in the current directory.
#
#   PLENUM_KEY=... examples/gemini-cli-on-gpt/run.sh "Say what this project does."
set -euo pipefail
url=${PLENUM_URL:-http://127.0.0.1:8080}
: "${PLENUM_KEY:?is the key that Plenum was started with}"

# Gemini CLI takes its address and key from the environment. That it signs in with the key alone is a setting.
export GOOGLE_GEMINI_BASE_URL=$url GEMINI_API_KEY=$PLENUM_KEY GEMINI_MODEL=gpt
if [ ! -e "$HOME/.gemini/settings.json" ]; then
	mkdir -p "$HOME/.gemini"
	cp "$(dirname "$0")/settings.json" "$HOME/.gemini/settings.json"
fi

exec gemini -p "$*" --skip-trust --approval-mode yolo
