package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// confirm asks a question at a terminal. Where nobody can be asked, --yes is needed, and why says what for. After a no the error is declined.
func (e *env) confirm(ctx context.Context, question, why, declined string) error {
	if f, ok := e.in.(*os.File); !ok || !isTerminal(f) {
		return usage("%s: say --yes", why)
	}
	fmt.Fprint(e.err, question+" [y/N] ")
	answer := make(chan string, 1)
	go func() { // without an answer it ends with the process
		line, _ := bufio.NewReader(e.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
		return &exitError{code: exitFailed, err: errors.New(declined)}
	case <-ctx.Done():
		return ctx.Err()
	}
}
