// Package notification sends a notification to the service that a url names, as shoutrrr writes urls: chat, mail, push, webhook.
//
// All requests go out by a [outgoing.Way], end with their context, and are made once: whoever calls [Send] tries again.
package notification

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
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

	"evrun/tasks/fault"
	"evrun/tasks/outgoing"
)

// services are the services of shoutrrr that send all requests by our HTTP client, which ends with its context, uses no proxy but that of the file,
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

// Service is a service configured by its url.
type Service struct {
	name     string
	Library  types.Service
	untitled bool
	mail     *smtp.Config // nil: not a mail server
}

// Lookup finds the service of a scheme: its name, or name+https for a service that accepts the url of a webhook.
func Lookup(scheme string) (name, custom string, err error) {
	name, custom, _ = strings.Cut(strings.ToLower(scheme), "+")
	if _, ok := services[name]; ok {
		return name, custom, nil
	}
	known := Names()
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

// Names returns the names of all services, sorted.
func Names() []string { return slices.Sorted(maps.Keys(services)) }

// Open makes the service of a url and sends nothing: nil without an error is one that asks its server first. Errors show nothing of
// the url but its scheme.
func Open(text string) (*Service, error) { return open(text, &client{offline: true}) }

// open makes the service of a url, which sends by this client. This alone may send requests. Errors show nothing of the url but
// its scheme.
func open(text string, by *client) (s *Service, err error) {
	u, parseErr := url.Parse(text)
	scheme, _, ok := strings.Cut(text, ":")
	if !ok {
		return nil, fault.New("it names no service").Hinting("such as slack://…, telegram://…, smtp://… or generic://…")
	}
	name, custom, err := Lookup(scheme)
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
			return nil, &fault.Fault{Message: outgoing.Redacted(partsOf(text, true), err).Error()}
		}
	} else {
		u.Scheme = name
	}
	setter, ok := library.(types.HTTPClientSetter)
	if ok {
		setter.SetHTTPClient(by) // some send requests while they are made,
	}
	if err := library.Initialize(u, nil); err != nil {
		if by.asked() && by.offline {
			return nil, nil
		}
		return nil, &fault.Fault{Message: outgoing.Redacted(partsOf(text, true), err).Error()}
	}
	if ok {
		setter.SetHTTPClient(by) // and some forget the client
	}
	s = &Service{name: name, Library: library, untitled: services[name].untitled}
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

// sleepless skips the pauses of a service that retries by itself: the runner retries, and client refuses the others.
type sleepless struct{}

func (sleepless) Sleep(time.Duration) {}

// send sends the notification by the library.
func (s *Service) send(title, message string) (err error) {
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
	return s.Library.Send(message, &params)
}
