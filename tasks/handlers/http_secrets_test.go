package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"evrun/tasks/expression"
)

func TestHTTPKeepsSecretsOutOfErrorsAndResults(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret/token")
	deps := Deps{Secrets: &expression.Secrets{}}
	status := 200
	server, got := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"echo": []any{r.Header.Get("Authorization")}, r.Header.Get("Authorization"): 1})
	})
	h := request(t, map[string]any{
		"url": server.URL + `/${ env("EVRUN_TEST_TOKEN") }`, "headers": map[string]any{"Authorization": `Bearer ${ env("EVRUN_TEST_TOKEN") }`},
	}, deps)
	for _, status = range []int{200, 500, 400} {
		result, err := h.Do(context.Background(), delivery(`{}`))
		if text := fmt.Sprint(result, err); strings.Contains(text, "s3cret") || !strings.Contains(text, "[secret]") {
			t.Error(text)
		}
		if isPermanentError(err) != (status == 400) {
			t.Errorf("%d: %v", status, err)
		}
	}
	if r := got()[0]; r.header.Get("Authorization") != "Bearer s3cret/token" || r.uri != "/s3cret%2Ftoken" {
		t.Errorf("%+v", r)
	}
	server.Close()
	if _, err := h.Do(context.Background(), delivery(`{}`)); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}

// A server that repeats its input can't bring a secret into an attempt's error, in any encoding.
func TestHTTPKeepsEncodedSecretsOutOfErrors(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "p4ss/w&rd with <odd> signs")
	server, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("Authorization"), r.Header.Get("X-Other"), r.RequestURI)
	})
	for name, header := range map[string]string{
		"basic":           `Basic ${ toBase64("user:" + env("EVRUN_TEST_TOKEN")) }`,
		"basic with data": `Basic ${ toBase64(data.user + ":" + env("EVRUN_TEST_TOKEN") + data.user) }`,
		"upper":           `${ upper(env("EVRUN_TEST_TOKEN")) }`,
		"json":            `${ toJSON({"a": env("EVRUN_TEST_TOKEN")})[2:] | replace("\n", " ") }`,
	} {
		for _, user := range []string{"a", "ab", "abc"} {
			h := request(t, map[string]any{"url": server.URL + `/?t=${ env("EVRUN_TEST_TOKEN") }`, "headers": map[string]any{"Authorization": header}},
				Deps{Secrets: &expression.Secrets{}})
			_, err := h.Do(context.Background(), delivery(`{"user":"`+user+`"}`))
			if err == nil || !strings.Contains(err.Error(), "[secret]") {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for _, part := range []string{"w&rd", "w%26rd", "W&RD", `w\u0026rd`, "cDRzcy93", "c3MvdyZyZC", "czL3cmcmQg", "3cmcmQ", "zcy93JnJk"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}
