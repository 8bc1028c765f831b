package notification

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/outgoing"
)

// Message is a notification to send.
type Message struct {
	RunID       string // mail systems and webhooks recognize a repeated message by it
	Title, Text string
}

// Send notifies the service of a url. Errors of the network or the service may be temporary. A wrong url is permanent, and so is a
// request that the service calls wrong.
func Send(ctx context.Context, way *outgoing.Way, url string, m Message, secrets *expression.Secrets, log *slog.Logger) error {
	ctx, cancel := outgoing.WithTimeout(ctx)
	defer cancel()
	by := &client{ctx: ctx, way: way, secrets: partsOf(url, false).With(secrets)}
	if strings.HasPrefix(strings.ToLower(url), "generic") {
		by.key = m.RunID
	}
	service, err := open(url, by)
	switch {
	case err != nil:
	case service.mail != nil:
		err = sendMail(ctx, way, service.mail, m, log)
	default:
		err = service.send(m.Title, m.Text)
	}
	switch failure := by.failure; {
	case err == nil && failure == nil:
		return nil
	case failure != nil:
		err = outgoing.Redacted(partsOf(url, false), failure)
	case service == nil:
		return tasks.Permanent(fmt.Errorf("url: %w", err))
	case service.mail != nil:
		err = outgoing.Redacted(partsOf(url, false), err)
	default:
		err = outgoing.Redacted(partsOf(url, true), err)
		if !by.asked() {
			err = tasks.Permanent(err)
		}
	}
	scheme, _, _ := strings.Cut(url, ":")
	return fmt.Errorf("%s: %w", scheme, outgoing.TimedOut(ctx, err))
}
