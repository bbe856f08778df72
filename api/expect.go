package api

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// etag names a version of a record.
func etag(version uint64) string { return fmt.Sprintf("%q", strconv.FormatUint(version, 10)) }

// versionOf reads what etag wrote.
func versionOf(etag string) (uint64, error) {
	n, err := strconv.ParseUint(strings.Trim(etag, `"`), 10, 64)
	if err != nil {
		return 0, fault.Wrap(fault.Invalid, "request.bad_if_match", "L'intestazione If-Match non è tra quelle restituite dal servizio.", err)
	}
	return n, nil
}

// expect hands If-Match on to where the change is made. The record is the one that
// the path names.
func expect(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	return func(c *gin.Context, request any) (any, error) {
		given := c.GetHeader("If-Match")
		if given == "" || operation == "ChangeCreditor" { // which asks for it, and checks it itself
			return next(c, request)
		}
		version, err := versionOf(given)
		if err != nil {
			return nil, err
		}
		_, rest, _ := strings.Cut(c.FullPath(), "/:cf/")
		kind, _, _ := strings.Cut(rest, "/")
		id := c.Param("id")
		if kind == "documents" {
			id = c.Param("kind")
		}
		c.Request = c.Request.WithContext(multe.WithExpected(c.Request.Context(),
			multe.Expected{Creditor: multe.CreditorID(c.Param("cf")), Kind: kind, ID: id, Version: version}))
		return next(c, request)
	}
}
