//go:build linux || darwin || freebsd

package client

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// lockFolder takes a folder for this program alone; it is free again when the program
// ends, however it does. Two programs on one folder would print the same code.
func lockFolder(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
