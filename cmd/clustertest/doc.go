// Package clustertest has the proofs of several daemons on one PostgreSQL. It has tests alone.
//
// A proof keeps a history: what was sent, when it was acknowledged, and what the handlers have left in the database. A checker (history_test.go) reads it.
// Daemons are processes of their own, and reach the database through a proxy that can cut them off.
package clustertest
