package shape

import (
	"net/http"

	"evrun/cmd/api/access"
)

// Page is a page of the dashboard, or a file that its pages use. It is not a part of the API: what it shows, it asks the API for.
type Page struct {
	Pattern string // as [http.ServeMux] takes it
	Right   access.Right
	Handler http.Handler
	Refused func(http.ResponseWriter, *http.Request, *Problem) // shows a person why the gate refuses a request; nil: it is not for people
}
