// Command profiled is plenum with a CPU profile of the whole run, written to the file that
// PLENUM_CPU_PROFILE names. The benchmark builds it when it is asked for a profile.
package main

import (
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/app"
)

func main() {
	os.Exit(run())
}

func run() int {
	f, err := os.Create(os.Getenv("PLENUM_CPU_PROFILE"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "profiled:", err)
		return 1
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		fmt.Fprintln(os.Stderr, "profiled:", err)
		return 1
	}
	defer pprof.StopCPUProfile()
	return app.Main(app.Parts{Dialects: all.Dialects(), Providers: all.Providers(), Engines: all.Engines(), KMS: all.KMS()}, os.Args[1:])
}
