package openapi

import "net/http"

// Refusals are the statuses of problems, and what they mean here.
var Refusals = map[int]string{
	http.StatusBadRequest:            "The request is wrong; a parameter that is unknown or malformed is named.",
	http.StatusUnauthorized:          "By TCP: no token was sent, or it is not valid.",
	http.StatusForbidden:             "By TCP: the token does not have the right. For an attempt's token: the attempt has ended.",
	http.StatusMisdirectedRequest:    "By TCP: the Host is not a name of this server.",
	http.StatusNotFound:              "It does not exist.",
	http.StatusConflict:              "The state of it forbids this.",
	http.StatusRequestTimeout:        "The body did not come in time.",
	http.StatusRequestEntityTooLarge: "The body, or the data of an event, is too large.",
	http.StatusUnsupportedMediaType:  "The body is of another media type.",
	http.StatusUnprocessableEntity:   "The data breaks the schema of its type: violations says where. Or the wiring file is wrong: faults says where.",
	http.StatusTooManyRequests:       "Too much at once: try again after Retry-After.",
	http.StatusNotImplemented:        "This needs a running daemon.",
	http.StatusServiceUnavailable:    "evrun is stopping, or the store is busy: try again after Retry-After.",
	http.StatusInsufficientStorage:   "The disk is full.",
}
