// Package guide has what users are told about the expression language: the table of its functions.
package guide
