package multe

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"preavviso/internal/fault"
)

// WebhookID names a webhook within a creditor; ours, 32 hex digits.
type WebhookID string

// WebhookState says whether a webhook is told.
type WebhookState string

const (
	WebhookActive WebhookState = "active"
	WebhookPaused WebhookState = "paused" // by a person, or because it failed for too long
)

// The bounds of webhooks.
const (
	MaxWebhooks = 10 // of a creditor: a town has few programs that listen
	// WebhookGivesUp is how long a receiver may fail before it is paused: a long
	// weekend.
	WebhookGivesUp = 4 * 24 * time.Hour
	// SecretOverlap is how long the secret before is used beside the new one.
	SecretOverlap = 24 * time.Hour
	// webhookSecret is 256 bits, the key size of HMAC-SHA256.
	webhookSecretBytes = 32
)

// EventFamilies are what the history of a creditor is told by: the first word of
// an action. Operators, sessions and looks are nobody else's business.
var EventFamilies = []string{"change", "code", "device", "document", "payment", "print", "refund", "verbale"}

// WebhookSecret is a key of HMAC-SHA256 as Standard Webhooks writes it: "whsec_"
// and base64.
type WebhookSecret string

// NewWebhookSecret writes a key of 32 random bytes.
func NewWebhookSecret(key [webhookSecretBytes]byte) WebhookSecret {
	return WebhookSecret("whsec_" + base64.StdEncoding.EncodeToString(key[:]))
}

// Key returns the bytes of the key.
func (s WebhookSecret) Key() ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(string(s), "whsec_"))
}

// LogValue redacts the secret in logs.
func (WebhookSecret) LogValue() slog.Value { return slog.StringValue(redaction) }

// String redacts the secret in text.
func (WebhookSecret) String() string { return redaction }

// Format redacts the secret under every verb of package fmt.
func (WebhookSecret) Format(w fmt.State, _ rune) { redact(w) }

// Webhook is a program of the creditor that is told what happens: the lines of
// its history (AuditEntry) of some families, in order, each at least once.
type Webhook struct {
	Creditor CreditorID
	ID       WebhookID
	URL      string
	Families []string      // out of EventFamilies; none means all
	Secret   WebhookSecret // signs; kept as it is, for it must be used
	// Before is the secret that was replaced; it signs too, until BeforeUntil.
	Before      WebhookSecret `json:",omitzero"`
	BeforeUntil time.Time     `json:",omitzero"`

	State     WebhookState
	Cursor    uint64    // Seq of the last line that was told, or passed over
	Tries     int       `json:",omitzero"` // failures in a row
	Failing   time.Time `json:",omitzero"` // since when; zero if it does not fail
	NotBefore time.Time `json:",omitzero"` // of the next try
	Status    int       `json:",omitzero"` // of HTTP, of the last answer; 0 if there was none
	Told      time.Time `json:",omitzero"` // when the last line was taken
	Version   uint64
	Changed   time.Time
}

// ParseFamilies checks what a webhook is to be told, and sorts it.
func ParseFamilies(families []string) ([]string, error) {
	for _, f := range families {
		if !slices.Contains(EventFamilies, f) {
			return nil, fault.New(fault.Invalid, "webhook.bad_family", "Gli eventi si scelgono tra: "+strings.Join(EventFamilies, ", ")+".")
		}
	}
	sorted := slices.Sorted(slices.Values(families))
	return slices.Compact(sorted), nil
}

// Wants reports whether the webhook is told of a line of the history.
func (w Webhook) Wants(e AuditEntry) bool {
	family, _, _ := strings.Cut(e.Action, ".")
	if len(w.Families) == 0 {
		return slices.Contains(EventFamilies, family)
	}
	return slices.Contains(w.Families, family)
}

// Took records that everything up to seq was taken, with an HTTP status; 0 where
// nothing had to be told.
func (w Webhook) Took(seq uint64, status int, at time.Time) Webhook {
	w.Cursor, w.Tries, w.Failing, w.NotBefore = seq, 0, time.Time{}, time.Time{}
	if status != 0 {
		w.Status, w.Told = status, Instant(at)
	}
	return w.next(at)
}

// The pauses between tries: a receiver that restarts is back after a minute, one
// that is broken is not helped by more than a try every six hours.
const (
	webhookPause    = time.Minute
	webhookMaxPause = 6 * time.Hour
)

// Failed counts a try that was not taken; status is 0 if there was no answer. A
// receiver that says that it is gone (410), or that has failed for too long, is
// paused.
func (w Webhook) Failed(status int, at time.Time) Webhook {
	at = Instant(at)
	if w.Failing.IsZero() {
		w.Failing = at
	}
	w.Status = status
	w.NotBefore = at.Add(min(webhookPause<<min(w.Tries, 16), webhookMaxPause))
	w.Tries++
	if status == 410 || at.Sub(w.Failing) >= WebhookGivesUp {
		w.State = WebhookPaused
	}
	return w.next(at)
}

// Resume tells the webhook again, beginning after seq.
func (w Webhook) Resume(seq uint64, at time.Time) Webhook {
	w.State, w.Cursor, w.Tries, w.Failing, w.NotBefore = WebhookActive, seq, 0, time.Time{}, time.Time{}
	return w.next(at)
}

// Pause stops telling the webhook.
func (w Webhook) Pause(at time.Time) Webhook {
	w.State = WebhookPaused
	return w.next(at)
}

// Replace gives the webhook another secret; the one before signs for a while too.
func (w Webhook) Replace(s WebhookSecret, at time.Time) Webhook {
	w.Before, w.BeforeUntil, w.Secret = w.Secret, Instant(at.Add(SecretOverlap)), s
	return w.next(at)
}

// Secrets are what signs at an instant, the newest first.
func (w Webhook) Secrets(at time.Time) []WebhookSecret {
	if w.Before != "" && at.Before(w.BeforeUntil) {
		return []WebhookSecret{w.Secret, w.Before}
	}
	return []WebhookSecret{w.Secret}
}

func (w Webhook) next(at time.Time) Webhook {
	w.Version, w.Changed = w.Version+1, Instant(at)
	return w
}
