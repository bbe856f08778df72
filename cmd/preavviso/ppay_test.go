package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"preavviso/internal/ppay/ppaysim"
)

// platform gives each script a PiemontePAY of its own, as $PPAY, and a file with
// the password of its caller.
func platform(env *testscript.Env) error {
	sim, err := ppaysim.Open(filepath.Join(env.WorkDir, "ppaysim.db"), ppaysim.Config{User: "chiamante", Password: "password-canarino",
		Enti: []ppaysim.Creditor{{CF: "01234567890", Segregation: "12", Types: []ppaysim.PaymentType{{Code: "MU01"}, {Code: "ML01", Kind: "MABL"}}}}})
	if err != nil {
		return err
	}
	server := httptest.NewServer(sim.Handler())
	env.Defer(func() {
		server.Close()
		_ = sim.Close() // its folder goes with it
	})
	env.Setenv("PPAY", server.URL)
	return os.WriteFile(filepath.Join(env.WorkDir, "caller.secret"), []byte("password-canarino\n"), 0o600)
}

// control calls the simulator's control API: control METHOD PATH BODY.
func control(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: control METHOD PATH BODY")
	}
	r, err := http.NewRequest(args[0], ts.Getenv("PPAY")+"/control/v1/"+args[1], strings.NewReader(args[2]))
	ts.Check(err)
	resp, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	if raw, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		ts.Fatalf("HTTP %d: %s", resp.StatusCode, raw)
	}
}

// field puts a text of a JSON object into a variable: field VARIABLE FILE NAME.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: field VARIABLE FILE NAME")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &object))
	text, ok := object[args[2]].(string)
	if !ok {
		ts.Fatalf("no text %s in %s", args[2], args[1])
	}
	ts.Setenv(args[0], text)
}

// status runs a command and wants an exit status: status N COMMAND ….
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND …")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; strconv.Itoa(got) != want {
		ts.Fatalf("exit status %d, want %s", got, want)
	}
}
