#!/usr/bin/env bash
# GitHub Copilot CLI on Bedrock: does a task in the current directory.
#
#   PLENUM_KEY=... examples/copilot-on-bedrock/run.sh "Say what this project does."
set -euo pipefail
url=${PLENUM_URL:-http://127.0.0.1:8080}
: "${PLENUM_KEY:?is the key that Plenum was started with}"

# "Bring your own key": Copilot CLI takes any address that speaks OpenAI's dialect, and then wants no account.
export COPILOT_PROVIDER_BASE_URL=$url/v1 COPILOT_PROVIDER_API_KEY=$PLENUM_KEY COPILOT_MODEL=bedrock
export COPILOT_OFFLINE=true COPILOT_AUTO_UPDATE=false

exec copilot -p "$*" --allow-all-tools --allow-all-paths --no-color
