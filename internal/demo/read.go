package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errNoTool says that a program of the Debian packages is not installed.
var errNoTool = errors.New("not installed")

// readSymbols prints a PDF at 300 dpi, as a laser printer would, and reads what
// its symbols say with decoders that share nothing with our encoders: zbar for
// the QR, libdmtx for the Data Matrix ("" if there is none).
func readSymbols(ctx context.Context, pdf string) (qr, dataMatrix string, err error) {
	for _, tool := range []string{"pdftoppm", "zbarimg", "dmtxread"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", "", fmt.Errorf("%s: %w", tool, errNoTool)
		}
	}
	dir, err := os.MkdirTemp("", "preavviso-demo-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(dir)
	page := filepath.Join(dir, "page")
	if out, err := exec.CommandContext(ctx, "pdftoppm", "-r", "300", "-gray", "-png", "-singlefile", pdf, page).CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("pdftoppm: %w: %s", err, out)
	}
	out, err := exec.CommandContext(ctx, "zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", page+".png").Output()
	if err != nil {
		return "", "", fmt.Errorf("zbarimg: %w", err)
	}
	qr = strings.TrimSuffix(string(out), "\n")
	out, err = exec.CommandContext(ctx, "dmtxread", "--stop-after=1", "--milliseconds=5000", page+".png").Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) { // 1: no symbol found
		return "", "", fmt.Errorf("dmtxread: %w", err)
	}
	return qr, string(out), nil
}
