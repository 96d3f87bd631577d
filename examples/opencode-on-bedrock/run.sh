#!/usr/bin/env bash
# opencode on Bedrock: does a task in the current directory.
#
#   PLENUM_KEY=... examples/opencode-on-bedrock/run.sh "Say what this project does."
set -euo pipefail
url=${PLENUM_URL:-http://127.0.0.1:8080}
: "${PLENUM_KEY:?is the key that Plenum was started with}"

# opencode takes a provider of its own from its configuration, here given in the environment.
export OPENCODE_CONFIG_CONTENT='{
  "model": "plenum/bedrock", "small_model": "plenum/bedrock", "autoupdate": false, "share": "disabled",
  "provider": {"plenum": {
    "npm": "@ai-sdk/openai-compatible", "name": "Plenum", "models": {"bedrock": {"name": "Bedrock"}},
    "options": {"baseURL": "'"$url"'/v1", "apiKey": "{env:PLENUM_KEY}"}
  }},
  "permission": {"edit": "allow", "bash": "allow"}
}'

exec opencode run "$*"
