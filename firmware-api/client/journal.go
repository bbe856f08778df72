package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// A journal is a file of records: length and CRC-32C, both little-endian, 4 bytes
// each, and the payload. The CRC covers the length too. A record counts once it is
// whole and on the disk.
const (
	headLen   = 8
	maxRecord = 16 << 20 // far above the whole state: 1,000 codes with their slips
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged means that the journal holds less than was written to it: the disk
// lost it, or somebody changed it. What it knew is lost; the way back is that of a
// new installation.
var ErrDamaged = errors.New("client: the journal is damaged")

type journal struct {
	path string
	f    file
	size int64
	err  error // a write failed: nobody knows what is on the disk until it is opened again
}

// file is the *os.File of a journal.
type file interface {
	io.WriteCloser
	Sync() error
}

// openJournal opens or makes a journal and returns its payloads. A record that was
// being written when the device died is cut off: nobody was told of it.
func openJournal(path string) (*journal, [][]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err = writeFile(path, nil); err == nil {
			f, err = os.OpenFile(path, os.O_RDWR, 0o600)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	j, payloads, err := resume(path, f)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return j, payloads, nil
}

// readFile is the *os.File of a journal that is opened.
type readFile interface {
	file
	io.ReadSeeker
	Truncate(size int64) error
}

// resume reads a journal and makes it ready for more. What was read may be in the
// memory of the system only, if the program was killed before it was synced: it is on
// the disk before anybody acts on it.
func resume(path string, f readFile) (*journal, [][]byte, error) {
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, nil, err
	}
	payloads, whole, err := readRecords(data)
	if err != nil {
		return nil, nil, err
	}
	if whole < int64(len(data)) {
		err = f.Truncate(whole)
	}
	if err == nil && len(data) > 0 {
		err = f.Sync()
	}
	if err == nil {
		_, err = f.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return nil, nil, err
	}
	return &journal{path: path, f: f, size: whole}, payloads, nil
}

// readRecords returns the records of a journal and how many bytes they are. What
// follows them is torn, as a crash leaves it, if there is no whole record in it:
// each is on the disk before the next is begun.
func readRecords(data []byte) (payloads [][]byte, whole int64, err error) {
	for int(whole) < len(data) {
		payload, ok := first(data[whole:])
		if !ok {
			break
		}
		payloads = append(payloads, payload)
		whole += int64(headLen + len(payload))
	}
	for at := int(whole) + 1; at < len(data); at++ {
		if _, ok := first(data[at:]); ok {
			return nil, 0, fmt.Errorf("%w: at byte %d", ErrDamaged, whole)
		}
	}
	return payloads, whole, nil
}

// first returns the payload of the record that data begins with.
func first(data []byte) (payload []byte, ok bool) {
	if len(data) < headLen {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(data)
	if n == 0 || n > maxRecord || uint64(n) > uint64(len(data)-headLen) {
		return nil, false
	}
	payload = data[headLen : headLen+int(n)]
	return payload, checksum(data[:4], payload) == binary.LittleEndian.Uint32(data[4:])
}

func checksum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, payload)
}

func record(payload []byte) []byte {
	b := make([]byte, headLen, headLen+len(payload))
	binary.LittleEndian.PutUint32(b, uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[4:], checksum(b[:4], payload))
	return append(b, payload...)
}

// append returns when the payload is on the disk. After an error nothing more is
// written: what a failed fsync left behind, a second one does not tell.
func (j *journal) append(payload []byte) error {
	if j.err != nil {
		return j.err
	}
	if len(payload) == 0 || len(payload) > maxRecord {
		return fmt.Errorf("client: a record of %d bytes", len(payload))
	}
	n, err := j.f.Write(record(payload))
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		j.err = fmt.Errorf("client: writing the journal: %w", err)
		return j.err
	}
	j.size += int64(n)
	return nil
}

// rewrite replaces all records by one. The old journal stays until the new one is
// whole.
func (j *journal) rewrite(payload []byte) error { return j.replace(payload, writeFile) }

// replace is rewrite by way of write, which may fail before the new file has taken
// the name or after. After it, what is appended to the old one would be lost.
func (j *journal) replace(payload []byte, write func(path string, data []byte) error) error {
	if j.err != nil {
		return j.err
	}
	before, err := os.Stat(j.path)
	if err != nil {
		return fmt.Errorf("client: compacting the journal: %w", err)
	}
	if err := write(j.path, record(payload)); err != nil {
		err = fmt.Errorf("client: compacting the journal: %w", err)
		if after, gone := os.Stat(j.path); gone != nil || !os.SameFile(before, after) {
			j.err = err
		}
		return err
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		j.err = fmt.Errorf("client: opening the compacted journal: %w", err)
		return j.err
	}
	old := j.f
	j.f, j.size = f, int64(headLen+len(payload))
	return old.Close()
}

func (j *journal) close() error { return j.f.Close() }

// writeFile makes or replaces a file at once: after a crash it is the old one or
// the new one.
func writeFile(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
