package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/googlechat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/lark"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/mattermost"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/rocketchat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/signal"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/slack"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/teams"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/wecom"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/zulip"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/opsgenie"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/pagerduty"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/bark"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/gotify"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ifttt"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/join"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/pushbullet"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/pushover"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/signalgrid"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/sms/twilio"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/notifiarr"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// services are the services of shoutrrr that send all requests by our HTTP client, which ends with its context, uses no proxy,
// follows no redirect to another host, and obeys the guard. sendMail replaces the client of smtp. MQTT is left out, because its
// client keeps its own connections and goroutines, and so is logger, because a notification without a url goes to the log.
var services = map[string]struct {
	make     func() types.Service
	untitled bool // without a title: the title becomes the first line of the message
}{
	"bark":       {make: func() types.Service { return &bark.Service{} }},
	"discord":    {make: func() types.Service { return &discord.Service{} }},
	"generic":    {make: func() types.Service { return &generic.Service{} }},
	"googlechat": {make: func() types.Service { return &googlechat.Service{} }, untitled: true},
	"gotify":     {make: func() types.Service { return &gotify.Service{} }},
	"hangouts":   {make: func() types.Service { return &googlechat.Service{} }, untitled: true},
	"ifttt":      {make: func() types.Service { return &ifttt.Service{} }},
	"join":       {make: func() types.Service { return &join.Service{} }},
	"lark":       {make: func() types.Service { return &lark.Service{} }},
	"matrix":     {make: func() types.Service { return &matrix.Service{} }},
	"mattermost": {make: func() types.Service { return &mattermost.Service{} }},
	"notifiarr":  {make: func() types.Service { return &notifiarr.Service{} }},
	"ntfy":       {make: func() types.Service { return &ntfy.Service{} }},
	"opsgenie":   {make: func() types.Service { return &opsgenie.Service{} }},
	"pagerduty":  {make: func() types.Service { return &pagerduty.Service{} }, untitled: true},
	"pushbullet": {make: func() types.Service { return &pushbullet.Service{} }},
	"pushover":   {make: func() types.Service { return &pushover.Service{} }},
	"rocketchat": {make: func() types.Service { return &rocketchat.Service{} }, untitled: true},
	"signal":     {make: func() types.Service { return &signal.Service{} }, untitled: true},
	"signalgrid": {make: func() types.Service { return &signalgrid.Service{} }},
	"slack":      {make: func() types.Service { return &slack.Service{} }},
	"smtp":       {make: func() types.Service { return &smtp.Service{} }},
	"teams":      {make: func() types.Service { return &teams.Service{} }},
	"telegram":   {make: func() types.Service { return &telegram.Service{} }},
	"twilio":     {make: func() types.Service { return &twilio.Service{} }},
	"wecom":      {make: func() types.Service { return &wecom.Service{} }, untitled: true},
	"zulip":      {make: func() types.Service { return &zulip.Service{} }},
}

// service is a service configured by its url.
type service struct {
	name     string
	library  types.Service
	untitled bool
	mail     *smtp.Config // nil: not a mail server
}

// lookupService finds the service of a scheme: its name, or name+https for a service that accepts the url of a webhook.
func lookupService(scheme string) (name, custom string, err error) {
	name, custom, _ = strings.Cut(strings.ToLower(scheme), "+")
	if _, ok := services[name]; ok {
		return name, custom, nil
	}
	known := slices.Sorted(maps.Keys(services))
	hint := fault.DidYouMean(name, known)
	switch {
	case name == "http" || name == "https":
		hint = fmt.Sprintf("generic+%s:// is a webhook", name)
	case name == "logger":
		hint = "leave the url out, and the notification goes to the daemon's log"
	case name == "mailto":
		hint = "smtp://user:password@server:587/?from=…&to=… is a mail"
	case hint == "":
		hint = "there are " + fault.And(known)
	}
	return "", "", &fault.Fault{Message: "unknown service " + fault.Quote(name), Hint: hint}
}

// openService makes the service of a url, which sends by client. This alone may send requests. Errors show nothing of the url but
// its scheme.
func openService(text string, client *serviceClient) (s *service, err error) {
	u, parseErr := url.Parse(text)
	scheme, _, ok := strings.Cut(text, ":")
	if !ok {
		return nil, fault.New("it names no service").Hinting("such as slack://…, telegram://…, smtp://… or generic://…")
	}
	name, custom, err := lookupService(scheme)
	switch {
	case err != nil:
		return nil, err
	case parseErr != nil:
		return nil, &fault.Fault{Message: "it is not a valid url", Hint: "the characters : / ? # % @ and spaces in a password or a token are written as %3A, %2F and so on"}
	}
	defer func() {
		if p := recover(); p != nil { // the library does not expect every url
			s, err = nil, fault.New("the service %s can't read it", name)
		}
	}()
	library := services[name].make()
	if custom != "" {
		c, ok := library.(types.CustomURLService)
		if !ok {
			return nil, fault.New("the service %s takes no url of a webhook", name).Hinting("begin it with %s://", name)
		}
		if u, err = c.GetServiceURLFromCustom(u); err != nil {
			return nil, &fault.Fault{Message: redact(partsOf(text, true), err).Error()}
		}
	} else {
		u.Scheme = name
	}
	setter, ok := library.(types.HTTPClientSetter)
	if ok {
		setter.SetHTTPClient(client) // some send requests while they are made,
	}
	if err := library.Initialize(u, nil); err != nil {
		if client.asked() && client.offline {
			return nil, nil
		}
		return nil, &fault.Fault{Message: redact(partsOf(text, true), err).Error()}
	}
	if ok {
		setter.SetHTTPClient(client) // and some forget the client
	}
	s = &service{name: name, library: library, untitled: services[name].untitled}
	if !ok && name != "smtp" {
		return nil, fmt.Errorf("%s has no client of ours", name)
	}
	switch l := library.(type) {
	case *smtp.Service:
		s.mail = l.Config
	case *generic.Service:
		s.untitled = l.Config.Template == "" // the message is the body
	case *ifttt.Service:
		s.untitled = l.Config.UseTitleAsValue == 0
	case *discord.Service:
		l.Sleeper = sleepless{}
	}
	return s, nil
}

// sleepless skips the pauses of a service that retries by itself: the runner retries, and serviceClient refuses the others.
type sleepless struct{}

func (sleepless) Sleep(time.Duration) {}

// send sends the notification by the library.
func (s *service) send(title, message string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the notification can't be made")
		}
	}()
	params := types.Params{}
	switch {
	case title != "" && s.untitled:
		message = title + "\n\n" + message
	case title != "":
		params.SetTitle(title)
	}
	return s.library.Send(message, &params)
}

// serviceClient is the HTTP client of one attempt. It records how the last request failed: the library's errors say less, and some
// of its services ignore a 503. After a failure of the service or the network it refuses further requests: the runner retries.
type serviceClient struct {
	ctx       context.Context
	transport *http.Transport
	key       string // the idempotency key, for webhooks that get one request
	offline   bool   // refuse all requests
	secrets   *expression.Secrets

	mu       sync.Mutex
	requests int
	failure  error // of the last request; nil: success
	ended    bool  // refuse further requests
}

var errOffline = errors.New("nothing is sent while a file is checked")

func (c *serviceClient) asked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests > 0
}

// Do implements types.HTTPClient.
func (c *serviceClient) Do(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	switch {
	case c.offline:
		return nil, errOffline
	case c.ended:
		return nil, c.failure
	}
	req = req.Clone(c.ctx)
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "evrun")
	}
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	client := http.Client{Transport: c.transport, CheckRedirect: sameHost}
	resp, err := client.Do(req)
	if err != nil {
		return nil, c.failed(requestError(err), true)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	switch {
	case resp.StatusCode < 300 && err == nil:
		c.failure = nil
	case resp.StatusCode >= 300:
		_ = c.failed(statusError(resp, body, c.secrets), worthARetry(resp.StatusCode))
	default:
		return nil, c.failed(err, true)
	}
	return resp, nil
}

func (c *serviceClient) failed(err error, end bool) error {
	c.failure, c.ended = err, end
	return err
}

// partsOf returns the parts of a service's url as secrets, because any may be a token: with host, the host too.
func partsOf(text string, host bool) *expression.Secrets {
	var parts expression.Secrets
	u, err := url.Parse(text)
	if err != nil {
		return &parts
	}
	parts.Add(text)
	add := func(s string) {
		parts.Add(s)
		parts.Add(url.QueryEscape(s))
		parts.Add(url.PathEscape(s))
	}
	password, _ := u.User.Password()
	add(password)
	add(u.User.Username())
	add(u.Fragment)
	for segment := range strings.SplitSeq(u.Path, "/") {
		add(segment)
	}
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
		}
	}
	if host {
		add(u.Hostname())
	}
	return &parts
}
