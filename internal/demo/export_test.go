package demo

// Prepare is prepare, for tests.
var Prepare = prepare
