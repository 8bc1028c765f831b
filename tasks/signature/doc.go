// Package signature checks who sent a request, and signs the requests that evrun sends: one scheme for each way in which senders of webhooks do it.
//
//	s, err := signature.New(signature.Options{Scheme: signature.HMACSHA256, Header: "X-Hub-Signature-256", Prefix: "sha256=", Secrets: []string{secret}})
//	err = s.Verify(signature.Request{Header: r.Header, Query: r.URL.Query(), Body: body}, time.Now())
//
// A request that is not accepted is a [*Refusal]. It says in words what is wrong and what to do, for the operator: the sender should see no more
// than a 401. No text of this package has a secret in it, or a value that the sender wrote. Secrets are compared in constant time.
//
// # Schemes
//
//   - standard-webhooks: the headers webhook-id, webhook-timestamp and webhook-signature (or those of Svix, svix-id and so on). A secret whsec_…
//     is for HMAC-SHA256 (v1), a key pair whsk_… and whpk_… for ed25519 (v1a). See https://www.standardwebhooks.com.
//   - hmac-sha256, hmac-sha1, hmac-sha512: a header has the HMAC of the body, in hexadecimal or base64, after a prefix. With Timestamp, another header
//     has the time, and "TIME:BODY" is signed.
//   - stripe: the header Stripe-Signature has the time and the HMAC-SHA256 of "TIME.BODY": t=…,v1=….
//   - slack: X-Slack-Signature has the HMAC-SHA256 of "v0:TIME:BODY", X-Slack-Request-Timestamp the time.
//   - token: a header or a parameter of the query is the secret itself.
//   - basic: user and password, as HTTP has them.
//   - none: everybody may send.
//
// Each secret of a list is accepted, so that a sender and its receiver need not change to a new one at the same moment.
package signature
