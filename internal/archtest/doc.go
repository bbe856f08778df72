// Package archtest keeps the arrows between packages pointing one way.
//
// It has no code but a test. The test holds, as tables, which package may import
// which, which may use which module of others, who may touch the machine, and who
// may ask what time it is. An arrow changes in a reviewed line of a table and not
// by accident; a package that is in no table fails until somebody says where it
// stands.
package archtest
