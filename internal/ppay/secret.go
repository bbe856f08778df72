package ppay

import (
	"log/slog"
	"net/http"
)

// Secret is a password, read by whoever builds a [Client] or a listener. It
// prints as a redaction wherever it is logged or formatted by accident. The zero
// Secret is none.
type Secret struct {
	// A pointer, because package fmt does not ask the methods of a value in an
	// unexported field of somebody's struct; of a pointer it prints the address.
	text *string
}

// NewSecret returns s as a Secret; "" is none.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{text: &s}
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// Authenticate shows user and the secret on req, as HTTP Basic.
func (s Secret) Authenticate(req *http.Request, user string) { req.SetBasicAuth(user, s.reveal()) }

// reveal returns the password itself.
func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

const redaction = "•••"

// LogValue redacts the secret in logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redaction) }

// String redacts the secret in formatted text.
func (Secret) String() string { return redaction }

// GoString redacts the secret under %#v.
func (Secret) GoString() string { return redaction }

// MarshalText redacts the secret in JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redaction), nil }
