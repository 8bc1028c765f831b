package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Confirm asks a question at a terminal. Where nobody can be asked, --yes is needed, and why says what for. After a no the error is declined.
func (e *Env) Confirm(ctx context.Context, question, why, declined string) error {
	if f, ok := e.In.(*os.File); !ok || !isTerminal(f) {
		return Usage("%s: say --yes", why)
	}
	fmt.Fprint(e.Err, question+" [y/N] ")
	answer := make(chan string, 1)
	go func() { // without an answer it ends with the process
		line, _ := bufio.NewReader(e.In).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
		return &ExitError{Code: ExitFailed, Err: errors.New(declined)}
	case <-ctx.Done():
		return ctx.Err()
	}
}
