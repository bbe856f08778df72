package payments

// These are opened by package dispatch and closed here. Those opened here are in
// the guides of package multe.
const (
	kindAlreadyPaid = "position.already_paid"
	kindUnnotified  = "position.paid_unnotified"
)
