package handlers

import (
	"context"
	"strings"
	"testing"

	"evrun/tasks/expression"
)

// environmentOf runs env in a file's environment.
func environmentOf(t *testing.T, e Environment, with map[string]any, secrets *expression.Secrets) string {
	t.Helper()
	with["command"] = []any{"/usr/bin/env"}
	c := build[*command](t, "exec", with, Deps{Environment: e, Secrets: secrets})
	out, err := c.Do(context.Background(), delivery(`{"name":"Ada"}`))
	if err != nil {
		t.Fatal(err)
	}
	return "\n" + out.(string) + "\n"
}

func template(t *testing.T, text string, s expression.Scope) *expression.Template {
	t.Helper()
	compiled, err := expression.CompileTemplate(text, s)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func TestTheFilesEnvironmentStandsUnderTheHandlersOwn(t *testing.T) {
	t.Setenv("EVRUN_TEST_LANG", "C.UTF-8")
	t.Setenv("EVRUN_TEST_GREETING", "from outside")
	secrets := new(expression.Secrets)
	file := Environment{
		Env: map[string]*expression.Template{
			"GREETING": template(t, "from the file", expression.Environment),
			"NAME":     template(t, "nobody", expression.Environment),
			"LANG":     template(t, `${ env("EVRUN_TEST_LANG") }`, expression.Environment.In("", secrets)),
		},
	}
	got := environmentOf(t, file, map[string]any{"env": map[string]any{"NAME": "${ data.name }"}}, secrets)
	for _, want := range []string{"\nGREETING=from the file\n", "\nNAME=Ada\n", "\nLANG=[secret]\n", "\nEVRUN_HANDLER=h\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	if strings.Contains(got, "EVRUN_TEST") {
		t.Error(got)
	}
}

func TestPassedVariablesAreThoseOfEvrunAndTheirSecretsStaySecret(t *testing.T) {
	t.Setenv("LC_TIME", "de_DE")
	t.Setenv("HTTPS_PROXY", "http://ada:hunter2hunter2@proxy.test:3128")
	t.Setenv("GITHUB_TOKEN", "ghp_0123456789")
	t.Setenv("DB_PASS", "tr0ub4dor")
	t.Setenv("MYSQL_PWD", "c0rrecth0rse")
	got := environmentOf(t, Environment{Pass: []string{"LC_TIME", "HTTPS_PROXY"}}, map[string]any{"pass_env": []any{"GITHUB_TOKEN", "DB_PASS", "MYSQL_PWD", "NOT_SET_AT_ALL"}}, new(expression.Secrets))
	for _, want := range []string{"\nLC_TIME=de_DE\n", "\nHTTPS_PROXY=http://ada:[secret]@proxy.test:3128\n", "\nGITHUB_TOKEN=[secret]\n", "\nDB_PASS=[secret]\n", "\nMYSQL_PWD=[secret]\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	if strings.Contains(got, "NOT_SET_AT_ALL") {
		t.Error(got)
	}
}
