package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"preavviso": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: platform,
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"control": control, "field": field, "status": status},
	})
}
