// Command plenum is an AI foundry in one binary. `plenum up` starts it; `plenum --help` says the rest.
package main

import (
	"os"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/app"
)

func main() {
	os.Exit(app.Main(app.Parts{Dialects: all.Dialects(), Providers: all.Providers(), Engines: all.Engines(), KMS: all.KMS()}, os.Args[1:]))
}
