package notification

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
	gomail "github.com/wneessen/go-mail"
	gosmtp "github.com/wneessen/go-mail/smtp"

	"evrun/tasks"
	"evrun/tasks/outgoing"
)

// sendMail sends a mail in one transaction for all recipients. shoutrrr reads the url and go-mail does the rest, because shoutrrr
// waits for a connected server without a timeout, keeps the connection after an error, and sends a mail to each recipient, so that a
// retry would repeat the mails that were sent. A 5xx of the server is permanent.
func sendMail(ctx context.Context, way *outgoing.Way, config *smtp.Config, m Message, log *slog.Logger) error {
	c := config.Clone()
	c.FixEmailTags()
	message, to, err := m.message(&c)
	if err != nil {
		return tasks.Permanent(err)
	}
	options := append(clientOptions(&c, way), gomail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := way.Guard.DialContext(dialing, network, address)
		if err != nil {
			return nil, outgoing.RequestError(err)
		}
		context.AfterFunc(ctx, func() { conn.Close() }) // go-mail uses the context only while it dials
		if implicitTLS(&c) {
			conn = tls.Client(conn, tlsConfig(&c, way))
		}
		return conn, nil
	}))
	ctx, cancel := context.WithCancel(ctx) // its end closes the connection
	defer cancel()
	client, err := gomail.NewClient(c.Host, options...)
	if err != nil {
		return tasks.Permanent(err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err == nil {
		if err = transact(session, message, to, log); err == nil {
			_ = session.Quit() // the server has the mail
			return nil
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return mailError(err)
}

func implicitTLS(c *smtp.Config) bool {
	return c.Encryption == smtp.EncMethods.ImplicitTLS || c.Encryption == smtp.EncMethods.Auto && c.Port == smtp.ImplicitTLSPort
}

func tlsConfig(c *smtp.Config, way *outgoing.Way) *tls.Config {
	config := way.TLS()
	config.ServerName, config.InsecureSkipVerify = c.Host, c.SkipTLSVerify
	return config
}

// clientOptions translates the settings of a url for go-mail.
func clientOptions(c *smtp.Config, way *outgoing.Way) []gomail.Option {
	policy := gomail.TLSOpportunistic
	switch {
	case implicitTLS(c), !c.UseStartTLS, c.Encryption == smtp.EncMethods.None:
		policy = gomail.NoTLS
	case c.RequireStartTLS, c.Encryption == smtp.EncMethods.ExplicitTLS:
		policy = gomail.TLSMandatory
	}
	name := c.ClientHost
	if name == "auto" {
		var err error
		if name, err = os.Hostname(); err != nil {
			name = "localhost"
		}
	}
	options := []gomail.Option{gomail.WithPort(int(c.Port)), gomail.WithHELO(name), gomail.WithTLSPolicy(policy), gomail.WithTLSConfig(tlsConfig(c, way)),
		gomail.WithTimeout(1000 * time.Hour)} // the context ends it before
	if addresses := c.FromAddress + strings.Join(c.ToAddresses, ""); !strings.ContainsFunc(addresses, func(r rune) bool { return r > unicode.MaxASCII }) {
		options = append(options, gomail.WithoutSMTPUTF8()) // not every server between here and there has it
	}
	if auth, ok := mailAuth[c.Auth.String()]; ok {
		options = append(options, gomail.WithSMTPAuth(auth), gomail.WithUsername(c.Username), gomail.WithPassword(c.Password))
	}
	return options
}

// mailAuth has the methods of authentication by their names in a url.
var mailAuth = map[string]gomail.SMTPAuthType{
	"Plain": gomail.SMTPAuthPlain, "CRAMMD5": gomail.SMTPAuthCramMD5, "OAuth2": gomail.SMTPAuthXOAUTH2, "Login": gomail.SMTPAuthLogin,
}

// transact sends a message. A recipient that the server refuses for good does not keep the message from the others; one that it
// can't accept now fails the attempt before any recipient gets the message.
func transact(session *gosmtp.Client, message *gomail.Msg, to []*netmail.Address, log *slog.Logger) error {
	from, err := message.GetSender(false)
	if err != nil {
		return err
	}
	if err := session.Mail(from); err != nil {
		return fmt.Errorf("the sender: %w", err)
	}
	var refused []error
	for i, a := range to {
		err := session.Rcpt((&netmail.Address{Address: a.Address}).String())
		if err == nil {
			continue
		}
		var code *textproto.Error
		gone := errors.As(err, &code) && code.Code >= 500 && code.Code != 552 // 552: too many recipients (RFC 5321, 4.5.3.1.10)
		err = fmt.Errorf("recipient %d of %d: %w", i+1, len(to), err)
		if !gone {
			return err
		}
		refused = append(refused, err)
	}
	if len(refused) == len(to) {
		return errors.Join(refused...)
	}
	w, err := session.Data()
	if err != nil {
		return fmt.Errorf("the message: %w", err)
	}
	for _, err := range refused {
		log.Warn("a mail goes out without one of its recipients", slog.Any("error", err))
	}
	if _, err = message.WriteTo(w); err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("the message: %w", err)
	}
	return nil
}

// maxSubject keeps the line of a subject within what mail allows, in characters (RFC 5322, 2.1.1).
const maxSubject = 200

// message makes the mail. Line breaks in title, text and names do not end a line of the header.
func (m Message) message(c *smtp.Config) (message *gomail.Msg, to []*netmail.Address, err error) {
	from, err := netmail.ParseAddress(c.FromAddress)
	if err != nil {
		return nil, nil, errors.New("from is not a valid mail address")
	}
	if c.FromName != "" {
		from.Name = c.FromName
	}
	for i, a := range c.ToAddresses {
		address, err := netmail.ParseAddress(a)
		if err != nil {
			return nil, nil, fmt.Errorf("recipient %d is not a valid mail address", i+1)
		}
		to = append(to, address)
	}
	subject := strings.Join(strings.Fields(m.Title), " ")
	if r := []rune(subject); len(r) > maxSubject {
		subject = string(r[:maxSubject]) + "…"
	}
	for _, other := range []string{c.Subject, "Notification"} {
		if subject == "" {
			subject = other
		}
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	message = gomail.NewMsg(gomail.WithCharset("utf-8"), gomail.WithNoDefaultUserAgent())
	message.FromMailAddress(from)
	message.ToMailAddress(to...)
	message.Subject(subject)
	message.SetMessageIDWithValue(url.PathEscape(m.RunID) + "@" + domain)
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	contentType := gomail.TypeTextPlain
	if c.UseHTML {
		contentType = gomail.TypeTextHTML
	}
	message.SetBodyString(contentType, m.Text+"\n")
	return message, to, nil
}

// mailError marks permanent errors: a 5xx of the server, and what go-mail itself refuses, such as sending a password unencrypted.
func mailError(err error) error {
	var (
		code     *textproto.Error
		network  net.Error
		protocol textproto.ProtocolError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		untrust  *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &code):
		if code.Code < 500 {
			return err
		}
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &protocol), errors.As(err, &record),
		errors.As(err, &alert), errors.As(err, &untrust):
		return err
	}
	return tasks.Permanent(err)
}
