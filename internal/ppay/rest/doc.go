// Package rest speaks epayapi, PiemontePAY's synchronous REST interface, version
// 1 with the additions of 1.1.
//
// # Why beside SOAP
//
// A list sent by SOAP ([preavviso/internal/ppay]) is queued and answered later,
// and refuses a debtor once the amount is set (196). Here one position is changed
// while the caller waits, and the debtor of an ANONIMO position can be set after
// activation. Both see the same positions; a change made here causes no esito.
//
// # What an answer says
//
// The statuses are not those of the YAML: 200 comes with code 000, 403 with 200,
// 400 with 300, and 500 with any other code, always with a body. So the body is
// read whatever the status, and the code in it decides:
//
//	code 000, if the status is 2xx       done
//	another code                         [Refusal], with the verdict of ppay's table
//	status 400 and an error of the API   fault.Invalid: nothing was done
//	401, or 403 without a code           fault.Unavailable ppay.auth: nothing was done
//	anything else, or no answer          fault.Unavailable: nobody knows
//	no connection                        the same, and multe.ErrNotSent
//
// Code 300 stands for "paid" as well as for "end before start", and the platform's
// text is for people: nothing here compares it. Whoever must know asks
// [Client.Status].
//
// # Repeating
//
// Reading, updating and deleting may be repeated, but the second update that
// brings a debtor is refused with 218: [Client.Apply] knows. Creating may not: the
// platform takes each identificativoPagamento once, even when it then fails, and
// without the IUV of the lost answer nothing can be asked.
//
// # Money and dates
//
// Amounts are JSON numbers with two decimals, written and read digit by digit.
// Days are sent as their first instant in Rome, with its offset: the platform
// would take a bare day as midnight UTC.
//
// # What is not done here
//
// Nothing is stored, retried or decided about a verbale.
package rest
