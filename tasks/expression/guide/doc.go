// Package guide has what users are told about the expression language: the table of its functions, and what is probably meant by an
// expression that is written as in another language.
package guide
