package handlers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	netsmtp "net/smtp"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"

	"evrun/tasks"
)

// mail is a notification by mail.
type mail struct {
	id          string // the run's: mail systems recognize a repeated message by it
	title, text string
}

// sendMail hands a mail to a server, in one transaction for all recipients. The library's own way is not taken: once it is
// connected it waits for its server without end, it keeps the connection after an error, and it sends a mail for each
// recipient, so that a retry would repeat those that went out. What the server refuses with a 5xx is permanent.
func sendMail(ctx context.Context, g *guard, config *smtp.Config, m mail, log *slog.Logger) error {
	c := config.Clone()
	c.FixEmailTags()
	from, err := netmail.ParseAddress(c.FromAddress)
	if err != nil {
		return tasks.Permanent(errors.New("from is not a valid mail address"))
	}
	if c.FromName != "" {
		from.Name = c.FromName
	}
	to := make([]*netmail.Address, len(c.ToAddresses))
	for i, a := range c.ToAddresses {
		if to[i], err = netmail.ParseAddress(a); err != nil {
			return tasks.Permanent(fmt.Errorf("recipient %d is not a valid mail address", i+1))
		}
	}

	conn, err := g.DialContext(ctx, "tcp", net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))))
	if err != nil {
		return requestError(err)
	}
	defer conn.Close()
	// The deadline of the context, or its end before that, breaks off whatever waits for the server.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	err = (&mailSession{conn: conn, config: &c, log: log}).send(from, to, m)
	if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// mailSession is one conversation with a mail server.
type mailSession struct {
	conn   net.Conn
	config *smtp.Config
	log    *slog.Logger
}

func (s *mailSession) send(from *netmail.Address, to []*netmail.Address, m mail) error {
	c := s.config
	tlsConfig := &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.SkipTLSVerify}
	implicit := c.Encryption == smtp.EncMethods.ImplicitTLS || c.Encryption == smtp.EncMethods.Auto && c.Port == smtp.ImplicitTLSPort
	if implicit {
		s.conn = tls.Client(s.conn, tlsConfig)
	}
	client, err := netsmtp.NewClient(s.conn, c.Host)
	if err != nil {
		return mailError("the greeting", err)
	}
	name := c.ClientHost
	if name == "auto" {
		if name, err = os.Hostname(); err != nil {
			name = "localhost"
		}
	}
	if err := client.Hello(name); err != nil {
		return mailError("the greeting", err)
	}
	if !implicit && c.UseStartTLS && c.Encryption != smtp.EncMethods.None {
		offered, _ := client.Extension("STARTTLS")
		switch {
		case offered:
			if err := client.StartTLS(tlsConfig); err != nil {
				return mailError("STARTTLS", err)
			}
		case c.RequireStartTLS || c.Encryption == smtp.EncMethods.ExplicitTLS:
			return tasks.Permanent(errors.New("the server has no STARTTLS, and the url asks for it"))
		}
	}
	if auth := s.auth(); auth != nil {
		if err := client.Auth(auth); err != nil {
			var code *textproto.Error
			if !errors.As(err, &code) && !isNetwork(err) { // such as a password that would go out in the clear
				return tasks.Permanent(fmt.Errorf("authentication: %w", err))
			}
			return mailError("authentication", err)
		}
	}
	if err := client.Mail(from.Address); err != nil {
		return mailError("the sender", err)
	}
	if err := s.recipients(client, to); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return mailError("the message", err)
	}
	if err := writeMail(w, c, from, to, m); err != nil {
		return mailError("the message", err)
	}
	if err := w.Close(); err != nil {
		return mailError("the message", err)
	}
	_ = client.Quit() // the server has the mail
	return nil
}

func (s *mailSession) auth() netsmtp.Auth {
	switch c := s.config; c.Auth {
	case smtp.AuthTypes.Plain:
		return netsmtp.PlainAuth("", c.Username, c.Password, c.Host)
	case smtp.AuthTypes.CRAMMD5:
		return netsmtp.CRAMMD5Auth(c.Username, c.Password)
	case smtp.AuthTypes.OAuth2:
		return smtp.OAuth2Auth(c.Username, c.Password)
	case smtp.AuthTypes.Login:
		return smtp.LoginAuth(c.Username, c.Password, c.Host)
	}
	return nil
}

// recipients names them to the server. One that it refuses for good doesn't keep the mail from the others; one that it can't
// take now makes it a matter of another attempt, before anybody has the mail.
func (s *mailSession) recipients(client *netsmtp.Client, to []*netmail.Address) error {
	var refused []error
	for i, a := range to {
		err := client.Rcpt(a.Address)
		var code *textproto.Error
		switch {
		case err == nil:
		case errors.As(err, &code) && code.Code >= 500 && code.Code != 552: // 552: too many recipients (RFC 5321, 4.5.3.1.10)
			refused = append(refused, mailError(fmt.Sprintf("recipient %d of %d", i+1, len(to)), err))
		default:
			return mailError(fmt.Sprintf("recipient %d of %d", i+1, len(to)), err)
		}
	}
	if len(refused) == len(to) {
		return tasks.Permanent(errors.Join(refused...))
	}
	for _, err := range refused {
		s.log.Warn("a mail goes out without one of its recipients", slog.Any("error", err))
	}
	return nil
}

// maxSubject keeps the line of a subject within what mail allows, in characters (RFC 5322, 2.1.1).
const maxSubject = 200

// writeMail writes header and body. Whatever is in title and text, they end no line of the header.
func writeMail(w io.Writer, c *smtp.Config, from *netmail.Address, to []*netmail.Address, m mail) error {
	subject := strings.Join(strings.Fields(m.title), " ")
	if r := []rune(subject); len(r) > maxSubject {
		subject = string(r[:maxSubject]) + "…"
	}
	for _, other := range []string{c.Subject, "Notification"} {
		if subject == "" {
			subject = other
		}
	}
	contentType := "text/plain; charset=utf-8"
	if c.UseHTML {
		contentType = "text/html; charset=utf-8"
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	names := make([]string, len(to))
	for i, a := range to {
		names[i] = a.String()
	}
	var b strings.Builder
	for _, h := range [][2]string{
		{"Date", time.Now().Format(time.RFC1123Z)},
		{"From", from.String()},
		{"To", strings.Join(names, ",\r\n\t")},
		{"Subject", mime.QEncoding.Encode("utf-8", subject)},
		{"Message-ID", "<" + escapeAll(m.id) + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", contentType},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if _, err := io.WriteString(w, b.String()+"\r\n"); err != nil {
		return err
	}
	body := quotedprintable.NewWriter(w)
	if _, err := io.WriteString(body, m.text+"\n"); err != nil {
		return err
	}
	return body.Close()
}

// mailError says what the server did not take, and whether it never will.
func mailError(what string, err error) error {
	var code *textproto.Error
	permanent := errors.As(err, &code) && code.Code >= 500
	if err = fmt.Errorf("%s: %w", what, err); permanent {
		return tasks.Permanent(err)
	}
	return err
}

func isNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
