package api

import (
	"net/http"
	"reflect"

	"evrun/cmd/api/access"
	"evrun/cmd/api/openapi"
)

const namedHook = "The name of a hook."

// anything is a request that the hook itself reads: its sender chooses the parameters and the body.
func anything(method func(*Server, http.ResponseWriter, *http.Request) error) endpoint {
	return endpoint{query: reflect.TypeFor[none](), of: func(s *Server) route {
		return func(w http.ResponseWriter, r *http.Request) error { return method(s, w, r) }
	}}
}

// text is the answer that a wiring file gives.
var text = []openapi.Content{{Type: "*/*", Doc: "What the wiring file says."}}

var hookRoutes = []Route{
	{
		Pattern: "POST /hooks/{name}", Right: access.Open, endpoint: anything((*Server).receive),
		Doc:   "Makes an event of a request. It needs no token: the hook's verify says how it must be signed, and else it is refused with 401. 403 is the answer to an address that may not send, 422 to a request of which no event can be made, 429 to one beyond the hook's rate.",
		Named: namedHook, Headers: traced,
		Bodies: []openapi.Content{{Type: "*/*", Doc: "What the sender sends: JSON, a form, or another text."}}, Optional: true,
		Answers: []openapi.Answer{
			{Status: http.StatusAccepted, Doc: "The event is in the journal, on disk.", Contents: []openapi.Content{{Type: openapi.JSON, Of: openapi.Of[Receipt]()}}},
			{Status: http.StatusOK, Doc: "It was known; or the hook has an answer of its own.", Contents: append([]openapi.Content{{Type: openapi.JSON, Of: openapi.Of[Receipt]()}}, text...)},
			{Status: http.StatusNoContent, Doc: "The hook's when is false: the request makes no event."},
		},
		Refuses: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusUnprocessableEntity},
	},
	{
		Pattern: "GET /hooks/{name}", Right: access.Open, endpoint: anything((*Server).receive),
		Doc: "Answers a challenge of a sender, where the hook has one. It changes nothing.", Named: namedHook,
		Answers: []openapi.Answer{{Status: http.StatusOK, Doc: "The answer to the challenge.", Contents: text}},
		Refuses: []int{http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	},
	{
		Pattern: "OPTIONS /hooks/{name}", Right: access.Open, endpoint: anything((*Server).receive),
		Doc: "Answers the handshake of CloudEvents, where the hook has challenge: cloudevents. It changes nothing.", Named: namedHook,
		Headers: []openapi.Header{{Name: "WebHook-Request-Origin", Doc: "The sender's name."}},
		Answers: []openapi.Answer{{Status: http.StatusOK, Doc: "The sender may send.", Headers: []openapi.Header{
			{Name: "WebHook-Allowed-Origin", Doc: "The sender's name."}, {Name: "WebHook-Allowed-Rate", Doc: "So many requests a minute, or *."}}}},
		Refuses: []int{http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusServiceUnavailable},
	},
	{
		Pattern: "GET /v1/hooks", Right: access.Read, endpoint: returns((*Server).listHooks),
		Doc: "The hooks, and how many requests they took and refused since the daemon began.",
	},
	{
		Pattern: "GET /v1/hooks/{name}", Right: access.Read, endpoint: returns((*Server).getHook),
		Doc: "One hook, with the last 100 requests that it refused.", Named: namedHook,
	},
}
