package client

import (
	"context"
	"net/http"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
)

// Tokens lists the tokens that may send requests by TCP.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	list, err := request[shape.TokenList](ctx, c, http.MethodGet, "/v1/tokens", body{})
	return list.Tokens, err
}

// CreateToken makes a token.
func (c *Client) CreateToken(ctx context.Context, ask api.TokenRequest) (api.NewToken, error) {
	return post[api.NewToken](ctx, c, "/v1/tokens", ask)
}

// RevokeToken ends a token. The error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) RevokeToken(ctx context.Context, name string) (api.RevokedToken, error) {
	return request[api.RevokedToken](ctx, c, http.MethodPost, "/v1/tokens/"+segment(name)+"/revoke", body{})
}

// Link makes a link that signs a browser in: to a page, or to the first one if next is empty. Only a daemon with a TCP port has one; else the error is a
// *[api.Problem] with status 409.
func (c *Client) Link(ctx context.Context, next string) (api.Link, error) {
	return post[api.Link](ctx, c, "/v1/links", api.LinkRequest{Next: next})
}

// Session says who sends the client's requests, and what that allows.
func (c *Client) Session(ctx context.Context) (api.Session, error) {
	return request[api.Session](ctx, c, http.MethodGet, "/v1/session", body{})
}
