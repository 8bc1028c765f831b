// Package columns writes what the drivers store alike: events' extensions, outputs and handlers as the values of columns, and reads them back. What differs
// between them, such as the types of columns, is the drivers' own.
//
// No goroutines.
package columns
