// Package backoffice is the office as pages: what a clerk sees, and the door in
// front of it.
//
// Every route stands in a table with the permission it asks for (routes), and
// nothing is reachable that does not; a test walks the table with every role. The
// pages work without JavaScript, and none of it is inline.
//
// A session is a cookie that says nothing by itself (package access). What changes
// something is a POST from a page of ours, which two independent things must show:
// what the browser says of where it came from, and a token in the form.
package backoffice
