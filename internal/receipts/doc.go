// Package receipts keeps what PiemontePAY tells about an IUV besides its esiti
// and payments: receipts (RT), requests to revoke a payment, expired avvisi.
//
// # The problem
//
// None of it is what it seems. A receipt may be negative, exists for few
// payments, and is sent once; a revocation comes without most of what its schema
// demands; an avviso that the platform calls expired is still owed.
//
// # The way out
//
// Each is a record under its IUV, and a line in the history of the code with that
// IUV. Being told twice changes nothing, in whatever order. A revocation, and a
// receipt of nobody's, open a discrepancy, for a person to decide.
//
// # What is not done here
//
// Nothing is paid, unpaid, settled or ended by any of these.
package receipts
