package rest

import "net/http"

// NoticeBody and ReadEverything are for the tests outside the package.

type NoticeBody = notice

// ReadEverything reads an answer as every call would, and returns how many were
// satisfied by it.
func ReadEverything(raw []byte) (done int) {
	try := func(err error) {
		if err == nil {
			done++
		}
	}
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		try(read(status, raw, &PositionRef{}))
		try(read(status, raw, &PaymentRef{}))
		try(read(status, raw, &StampTaxRef{}))
		try(read(status, raw, &Status{}))
		try(read(status, raw, &PaymentData{}))
		try(read(status, raw, &Receipt{}))
		try(read(status, raw, &notice{}))
		try(read(status, raw, &attachment{}))
		try(read(status, raw, &none{}))
	}
	return done
}
