package access

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// Argon2id with the least that OWASP's password storage sheet asks for: 33 ms of
// one core here. More memory would let a few strangers starve the service.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	saltBytes    = 16
	hashBytes    = 32
	// maxHashes at a time: two cost 38 MiB and leave the other cores to the town.
	maxHashes = 2
	// maxWaiting for a hash: two seconds' worth. A flood of logins from everywhere is
	// refused then, and who signs in between its waves gets through.
	maxWaiting = 100
)

// The bounds of a password, in characters: length is what makes it strong (NIST
// SP 800-63B-4), and nobody types a book.
const (
	minPassword = 12
	maxPassword = 128
)

// nobody is the password of a login that nobody has: checking it takes as long.
var nobody = phc{memory: argonMemory, time: argonTime, threads: argonThreads, salt: make([]byte, saltBytes), hash: make([]byte, hashBytes)}

func errBadPassword(why string) error { return fault.New(fault.Invalid, "password.weak", why) }

// checkPassword says whether somebody may choose a password.
func checkPassword(o multe.Operator, password string) error {
	n := utf8.RuneCountInString(password)
	user, _, _ := strings.Cut(o.Login, "@")
	lower := strings.ToLower(password)
	switch {
	case !utf8.ValidString(password) || n < minPassword:
		return errBadPassword("La password deve avere almeno 12 caratteri: una frase è facile da ricordare e difficile da indovinare.")
	case n > maxPassword:
		return errBadPassword("La password può avere al massimo 128 caratteri.")
	case len(user) > 3 && strings.Contains(lower, user):
		return errBadPassword("La password non può contenere il nome con cui si accede.")
	case strings.Count(lower, lower[:1]) == len(lower) || strings.Contains("0123456789012345678901234567890", lower):
		return errBadPassword("La password è troppo semplice.")
	}
	return nil
}

// phc is a hash in the form of the Password Hashing Competition,
// "$argon2id$v=19$m=19456,t=2,p=1$salt$hash".
type phc struct {
	memory, time uint32
	threads      uint8
	salt, hash   []byte
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.hash))
}

// maxArgon bounds what a stored hash can make us do: KiB of memory and rounds.
const (
	maxArgonMemory = 256 << 10
	maxArgonTime   = 16
)

func parsePHC(s string) (phc, error) {
	bad := errors.New("not an argon2id hash")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, bad
	}
	var p phc
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return phc{}, bad
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	p.hash, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || p.memory < 8 || p.memory > maxArgonMemory || p.time < 1 || p.time > maxArgonTime || p.threads < 1 ||
		len(p.salt) < 8 || len(p.salt) > 64 || len(p.hash) < 16 || len(p.hash) > 64 || p.String() != s {
		return phc{}, bad
	}
	return p, nil
}

func (p phc) of(password string) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.hash)))
}

// hash makes the stored form of a password.
func (a *Access) hash(ctx context.Context, password string) (string, error) {
	p := nobody
	p.salt = make([]byte, saltBytes)
	if _, err := io.ReadFull(a.random, p.salt); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	err := a.withHash(ctx, func() { p.hash = p.of(password) })
	return p.String(), err
}

// matches reports whether password is what stored was made of. "" is nobody's
// password, and takes as long as anybody's.
func (a *Access) matches(ctx context.Context, stored, password string) (bool, error) {
	p := nobody
	if stored != "" {
		var err error
		if p, err = parsePHC(stored); err != nil {
			return false, err
		}
	}
	if len(password) > 4*maxPassword {
		password = ""
	}
	equal := false
	err := a.withHash(ctx, func() { equal = subtle.ConstantTimeCompare(p.hash, p.of(password)) == 1 })
	return equal && stored != "", err
}

// withHash runs fn when fewer than maxHashes are at it.
func (a *Access) withHash(ctx context.Context, fn func()) error {
	select {
	case a.waiting <- struct{}{}:
		defer func() { <-a.waiting }()
	default:
		return fault.New(fault.Unavailable, "access.busy", "Troppi accessi nello stesso momento: riprovare tra qualche secondo.")
	}
	select {
	case a.hashing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("waiting to hash: %w", errors.Join(fault.Unavailable, ctx.Err()))
	}
	defer func() { <-a.hashing }()
	fn()
	return nil
}

func newAEAD(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return cipher.NewGCM(block)
}

// seal encrypts a secret for one operator; nobody else's opens it.
func (a *Access) seal(o multe.Operator, secret string) ([]byte, error) {
	nonce := make([]byte, a.aead.NonceSize())
	if _, err := io.ReadFull(a.random, nonce); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return a.aead.Seal(nonce, nonce, []byte(secret), []byte(o.ID)), nil
}

func (a *Access) open(o multe.Operator) (string, error) {
	n := a.aead.NonceSize()
	if len(o.TOTP.Sealed) < n {
		return "", errors.New("a second factor without a secret")
	}
	secret, err := a.aead.Open(nil, o.TOTP.Sealed[:n], o.TOTP.Sealed[n:], []byte(o.ID))
	if err != nil {
		return "", fmt.Errorf("opening a second factor, is office-key-file the one it was sealed with: %w", err)
	}
	return string(secret), nil
}
