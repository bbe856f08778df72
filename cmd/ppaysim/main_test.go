package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ppaysim": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:      "testdata",
		Deadline: time.Now().Add(time.Minute), // a command that serves where it should refuse
		Cmds:     map[string]func(*testscript.TestScript, bool, []string){"status": status},
	})
}

// TestServe starts on a free port, answers, and stops with status 0 when told.
func TestServe(t *testing.T) {
	enti := filepath.Join(t.TempDir(), "enti.json")
	if err := os.WriteFile(enti, []byte(`{"enti":[{"cf":"01234567890","segregation":"12","types":[{"code":"MU01"}]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	done := make(chan int, 1)
	var log bytes.Buffer
	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0", "-data", filepath.Join(t.TempDir(), "db"), "--enti", enti, "--scenario", "scenarios/happy-day.yaml"}, w, &log)
		w.Close()
	}()
	line := make([]byte, 200)
	n, err := r.Read(line)
	if err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	endpoint := strings.TrimSpace(string(line[:n]))
	base, _, _ := strings.Cut(endpoint, "/wso001/")
	resp, err := http.Get(base + "/control/v1/enti")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || !strings.Contains(string(raw), "01234567890") {
		t.Errorf("HTTP %d: %s", resp.StatusCode, raw)
	}
	stop()
	if code := <-done; code != exitOK {
		t.Errorf("exit status %d: %s", code, &log)
	}
}

// status runs a command and wants an exit status.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status n command …")
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
