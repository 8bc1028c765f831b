package api

import (
	"net/http"

	"evrun/cmd/api/access"
	"evrun/cmd/api/openapi"
	"evrun/cmd/api/shape"
)

var tokenRoutes = []Route{
	{
		Pattern: "GET /v1/tokens", Right: access.Admin, endpoint: returns((*Server).listTokens),
		Doc: "The tokens that may send requests by TCP: the owner's, those of the wiring file, and those that were made by command.",
	},
	{
		Pattern: "POST /v1/tokens", Right: access.Admin, endpoint: takesAndWrites((*Server).createToken),
		Doc:     "Makes a token. The answer has it, and nothing else ever does.",
		Answers: []openapi.Answer{answer[NewToken](http.StatusCreated, "")}, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "POST /v1/tokens/{name}/revoke", Right: access.Admin, endpoint: returns((*Server).revokeToken),
		Doc: "Revokes a token that was made by command. The requests that it began end.", Named: "The name of the token.", Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "GET /v1/session", Right: access.Any, endpoint: returns((*Server).session),
		Doc: "Who sends the request, with which rights.",
	},
	{
		Pattern: "POST /v1/links", Right: access.Admin, Daemon: true, endpoint: takes((*Server).createLink),
		Doc: "Makes a link that signs a browser in. It works once, for 10 minutes. The session has the rights of the token that asks for the link; by the socket, those of the owner.", Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "POST /sign-in", Right: access.Open, Host: true, endpoint: writes((*Server).signIn),
		Doc:     "Signs a browser in, with a token or with the code of a link. The answer sets a cookie that stands for the token until it ends, for 30 days at most. A form is answered with a redirect to `next`.",
		Bodies:  []openapi.Content{{Type: openapi.JSON, Of: openapi.Of[SignIn]()}, {Type: formType, Doc: "The same members, as fields of a form."}},
		Answers: []openapi.Answer{answer[Session](http.StatusOK, ""), {Status: http.StatusSeeOther, Doc: "To a form."}},
		Refuses: []int{http.StatusUnauthorized, http.StatusConflict},
	},
	{
		Pattern: "POST /sign-out", Right: access.Open, Host: true, endpoint: writes((*Server).signOut),
		Doc:     "Signs the browser out: its cookie is no longer valid, and its open requests end. A form is answered with a redirect to the page where browsers sign in.",
		Answers: []openapi.Answer{answer[shape.SignedOut](http.StatusOK, ""), {Status: http.StatusSeeOther, Doc: "To a form."}},
	},
}
