package backoffice

import (
	"testing"
	"time"

	"preavviso/internal/multe"
)

// AdminInvitation opens an office of its own and returns the way in for who manages
// it: nobody in the demo does.
func AdminInvitation(t *testing.T) string {
	o := newOffice(t)
	o.world.Pass(time.Since(o.world.Now())) // the codes of a second factor are of now
	_, code, err := o.access.Invite(t.Context(), "admin", torino, "Ada Rossi", "ada@example.it", multe.RoleAmministratore)
	if err != nil {
		t.Fatal(err)
	}
	return o.base + pathInvite + "?codice=" + code
}
