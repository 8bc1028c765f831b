package api

import (
	"net/http"

	"evrun/cmd/api/access"
	"evrun/cmd/api/openapi"
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
}
