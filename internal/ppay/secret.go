package ppay

import "log/slog"

// Secret is a password. It prints as a redaction wherever it is logged or
// formatted by accident; code that means the password converts it.
type Secret string

const redaction = "•••"

// LogValue redacts the secret in logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redaction) }

// String redacts the secret in formatted text.
func (Secret) String() string { return redaction }

// GoString redacts the secret under %#v.
func (Secret) GoString() string { return redaction }

// MarshalText redacts the secret in JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redaction), nil }
