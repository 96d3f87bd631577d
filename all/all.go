// Package all is the registration file: everything that a build of Plenum speaks, reaches and runs.
// Adding a dialect, a provider or an engine is a folder of its own and a line here.
package all

import (
	"github.com/plenum-foundry/plenum/dialect"
	dialectanthropic "github.com/plenum-foundry/plenum/dialect/anthropic"
	dialectcohere "github.com/plenum-foundry/plenum/dialect/cohere"
	dialectconverse "github.com/plenum-foundry/plenum/dialect/converse"
	dialectgemini "github.com/plenum-foundry/plenum/dialect/gemini"
	dialectinvoke "github.com/plenum-foundry/plenum/dialect/invoke"
	dialectollama "github.com/plenum-foundry/plenum/dialect/ollama"
	dialectopenai "github.com/plenum-foundry/plenum/dialect/openai"
	dialectresponses "github.com/plenum-foundry/plenum/dialect/responses"
	dialectxaigrpc "github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/engine"
	enginellamacpp "github.com/plenum-foundry/plenum/engine/llamacpp"
	engineollama "github.com/plenum-foundry/plenum/engine/ollama"
	"github.com/plenum-foundry/plenum/provider"
	"github.com/plenum-foundry/plenum/provider/anthropic"
	"github.com/plenum-foundry/plenum/provider/azure"
	"github.com/plenum-foundry/plenum/provider/bedrock"
	"github.com/plenum-foundry/plenum/provider/cerebras"
	"github.com/plenum-foundry/plenum/provider/cohere"
	"github.com/plenum-foundry/plenum/provider/compatible"
	"github.com/plenum-foundry/plenum/provider/deepseek"
	"github.com/plenum-foundry/plenum/provider/fireworks"
	"github.com/plenum-foundry/plenum/provider/gemini"
	"github.com/plenum-foundry/plenum/provider/groq"
	"github.com/plenum-foundry/plenum/provider/huggingface"
	"github.com/plenum-foundry/plenum/provider/llamacpp"
	"github.com/plenum-foundry/plenum/provider/mistral"
	"github.com/plenum-foundry/plenum/provider/moonshot"
	"github.com/plenum-foundry/plenum/provider/nvidia"
	"github.com/plenum-foundry/plenum/provider/ollama"
	"github.com/plenum-foundry/plenum/provider/openai"
	"github.com/plenum-foundry/plenum/provider/openrouter"
	"github.com/plenum-foundry/plenum/provider/perplexity"
	"github.com/plenum-foundry/plenum/provider/together"
	"github.com/plenum-foundry/plenum/provider/vertex"
	"github.com/plenum-foundry/plenum/provider/vllm"
	"github.com/plenum-foundry/plenum/provider/xai"
	"github.com/plenum-foundry/plenum/provider/zai"
	"github.com/plenum-foundry/plenum/vault"
	"github.com/plenum-foundry/plenum/vault/awskms"
)

// Dialects returns the dialects, the first of which answers paths that belong to none.
func Dialects() []*dialect.Dialect {
	return []*dialect.Dialect{dialectopenai.Dialect(), dialectresponses.Dialect(), dialectanthropic.Dialect(), dialectinvoke.Dialect(), dialectconverse.Dialect(), dialectollama.Dialect(), dialectollama.Generate(), dialectcohere.Dialect(), dialectcohere.First(), dialectcohere.Generate(), dialectopenai.Completions(), dialectopenai.FIM(), dialectxaigrpc.Dialect(), dialectgemini.Dialect()}
}

// Providers returns the kinds of provider.
func Providers() []provider.Kind {
	return []provider.Kind{
		xai.Kind, openai.Kind, azure.Kind, anthropic.Kind, gemini.Kind, bedrock.Kind, vertex.Kind, groq.Kind, mistral.Kind, deepseek.Kind, together.Kind,
		fireworks.Kind, openrouter.Kind, perplexity.Kind, cohere.Kind, cerebras.Kind, nvidia.Kind, huggingface.Kind,
		moonshot.Kind, zai.Kind, ollama.Kind, vllm.Kind, llamacpp.Kind, compatible.OpenAI, compatible.Anthropic,
	}
}

// KMS returns the key management services that can hold master keys.
func KMS() []vault.Service { return []vault.Service{awskms.Service{}} }

// Engines returns the kinds of local engine, in the order in which `plenum up` looks for them.
func Engines() []engine.Kind {
	return []engine.Kind{engineollama.Kind, enginellamacpp.Kind}
}
