// Package spool keeps the outputs of print jobs in a folder: name.out, and
// name.N.state for its checkpoints. They name people, so only the service's user
// reads them. It is what package prints asks of a spool.
package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"preavviso/internal/fault"
	"preavviso/internal/prints"
)

// Spool is a folder of outputs.
type Spool struct{ dir string }

// New returns the spool in a folder, which is made when it is first needed.
func New(dir string) *Spool { return &Spool{dir} }

func (s *Spool) output(name string) string { return filepath.Join(s.dir, filepath.Base(name)+".out") }

func (s *Spool) checkpoint(name string, n int) string {
	return filepath.Join(s.dir, filepath.Base(name)+"."+strconv.Itoa(n)+".state")
}

// missing says NotFound of a file that is not there.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.NotFound, "print.spool", "Il file della stampa non c'è più.", err)
	}
	return err
}

// Open opens an output to go on from size: what is behind is cut off. One that is
// shorter is not there; with size 0 it is made.
func (s *Spool) Open(name string, size int64) (prints.Output, error) {
	flags := os.O_RDWR
	if size == 0 {
		flags |= os.O_CREATE
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(s.output(name), flags, 0o600)
	if err != nil {
		return nil, missing(err)
	}
	err = func() error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.Size() < size {
			return missing(fmt.Errorf("output of %d bytes, want %d: %w", info.Size(), size, fs.ErrNotExist))
		}
		if err := f.Truncate(size); err != nil {
			return err
		}
		if _, err = f.Seek(size, io.SeekStart); err != nil {
			return err
		}
		return syncDir(s.dir)
	}()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Keep replaces the checkpoint whole: half of one is never read.
func (s *Spool) Keep(name string, n int, checkpoint []byte) error {
	f, err := os.CreateTemp(s.dir, ".state-*")
	if err != nil {
		return err
	}
	_, err = f.Write(checkpoint)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.checkpoint(name, n))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(s.dir)
}

// Checkpoint reads a checkpoint.
func (s *Spool) Checkpoint(name string, n int) ([]byte, error) {
	b, err := os.ReadFile(s.checkpoint(name, n))
	return b, missing(err)
}

// Forget drops a checkpoint, if it is there.
func (s *Spool) Forget(name string, n int) error {
	if err := os.Remove(s.checkpoint(name, n)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Read opens an output to be read, and tells its size.
func (s *Spool) Read(name string) (io.ReadSeekCloser, int64, error) {
	f, err := os.Open(s.output(name))
	if err != nil {
		return nil, 0, missing(err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Remove removes an output and its checkpoints, if they are there.
func (s *Spool) Remove(name string) error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), name+".") {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, f.Name())))
		}
	}
	return err
}

// Names lists the outputs that there are, whole or not.
func (s *Spool) Names() ([]string, error) {
	files, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, f := range files {
		if name, _, ok := strings.Cut(f.Name(), "."); ok && name != "" && (len(names) == 0 || names[len(names)-1] != name) {
			names = append(names, name)
		}
		if strings.HasPrefix(f.Name(), ".state-") { // of a process that was killed; this one writes none now
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, f.Name())))
		}
	}
	return names, err
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
