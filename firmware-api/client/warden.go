package client

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	triesFile = "tries"
	// freeTries is how many wrong PINs cost nothing but the time to type them.
	freeTries = 5
	// firstLock is the pause after them; it doubles with every further one, up to
	// maxLock: ten thousand PINs then take a year, and a forgetful warden a minute.
	firstLock = time.Minute
	maxLock   = time.Hour
	// maxIterations and maxHash bound what a roster can make a handheld compute.
	maxIterations = 2_000_000
	maxHash       = 64
)

// The errors of a login.
var (
	ErrPIN    = errors.New("client: no such warden, or another PIN")
	ErrLocked = errors.New("client: too many wrong PINs: wait")
)

// warden is a person of the roster.
type warden struct {
	Matricola string `json:"matricola"`
	Name      string `json:"name"`
	PIN       struct {
		Alg        string `json:"alg"`
		Iterations int    `json:"iterations"`
		Salt       []byte `json:"salt"`
		Hash       []byte `json:"hash"`
	} `json:"pin"`
}

// pinTries is how often a wrong PIN was typed since the last right one. It is on the
// disk: switching the handheld off and on is no way around it.
type pinTries struct {
	Wrong int       `json:"wrong"`
	Until time.Time `json:"until,omitzero"`
}

// Wardens returns how many wardens the kept shift has: without any, the matricola is
// typed and nobody can check it.
func (d *Device) Wardens() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shift == nil {
		return 0
	}
	return len(d.shift.Wardens)
}

// Login checks a PIN against the roster of the kept shift, with or without a network,
// and returns the warden's name. After five wrong ones in a row it is [ErrLocked] for
// a minute, then two, then four.
func (d *Device) Login(matricola, pin string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var t pinTries
	path := filepath.Join(d.dir, triesFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err == nil && json.Unmarshal(text, &t) != nil {
		t = pinTries{} // a file that somebody changed is as none: who can do that has the roster too
	}
	now := d.conn.Now()
	if now.Before(t.Until) && t.Until.Sub(now) <= maxLock { // more: the clock was moved
		return "", ErrLocked
	}
	if d.shift == nil {
		return "", ErrNoShift
	}
	i := slices.IndexFunc(d.shift.Wardens, func(w warden) bool { return w.Matricola == matricola })
	if i >= 0 && d.shift.Wardens[i].knows(pin) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		return d.shift.Wardens[i].Name, nil
	}
	t.Wrong++
	if over := t.Wrong - freeTries; over >= 0 {
		t.Until = now.Add(min(maxLock, firstLock<<min(over, 10)))
	}
	if text, err = json.Marshal(t); err != nil {
		return "", err
	}
	return "", errors.Join(ErrPIN, writeFile(path, text))
}

func (w warden) knows(pin string) bool {
	p := w.PIN
	if p.Alg != "pbkdf2-sha256" || p.Iterations < 1 || p.Iterations > maxIterations || len(p.Hash) == 0 || len(p.Hash) > maxHash {
		return false
	}
	sum, err := pbkdf2.Key(sha256.New, pin, p.Salt, p.Iterations, len(p.Hash))
	return err == nil && subtle.ConstantTimeCompare(sum, p.Hash) == 1
}
