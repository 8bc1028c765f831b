package access

import (
	"net/http"
	"strings"
	"testing"
)

func TestATokenIsExactlyOneBearerHeader(t *testing.T) {
	token := NewSecret()
	for name, test := range map[string]struct {
		values []string
		want   string
		given  bool
	}{
		"none":                {nil, "", false},
		"a token":             {[]string{"Bearer " + token}, token, true},
		"another case":        {[]string{"bEARER " + token}, token, true},
		"empty":               {[]string{""}, "", true},
		"no scheme":           {[]string{token}, "", true},
		"another scheme":      {[]string{"Basic " + token}, "", true},
		"two headers":         {[]string{"Bearer " + token, "Bearer " + token}, "", true},
		"two in one":          {[]string{"Bearer " + token + ", Bearer " + token}, "", true},
		"two blanks":          {[]string{"Bearer  " + token}, "", true},
		"a tab":               {[]string{"Bearer\t" + token}, "", true},
		"something behind it": {[]string{"Bearer " + token + " x"}, "", true},
		"a control character": {[]string{"Bearer " + token + "\x00"}, "", true},
		"not ASCII":           {[]string{"Bearer " + token + "é"}, "", true},
		"only the scheme":     {[]string{"Bearer"}, "", true},
		"too long":            {[]string{"Bearer " + strings.Repeat("a", maxToken+1)}, "", true},
	} {
		if got, given := Bearer(http.Header{"Authorization": test.values}); got != test.want || given != test.given {
			t.Errorf("%s: %q, %v", name, got, given)
		}
	}
}

func TestATokenInAURLIsSeen(t *testing.T) {
	token := NewSecret()
	for target, want := range map[string]bool{
		"http://h/v1/runs":                        false,
		"http://h/v1/runs?type=evr_short":         false,
		"http://h/v1/runs?access_token=x":         true,
		"http://h/v1/runs?token=":                 true,
		"http://h/v1/runs?t=" + token:             true,
		"http://h/v1/runs?a=1&t=" + token + "&%z": true,
		"http://u:p@h/v1/runs":                    true,
	} {
		r, err := http.NewRequest(http.MethodGet, strings.ReplaceAll(target, "%z", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(target, "%z") {
			r.URL.RawQuery += "%z" // not valid
		}
		if inURL(r) != want {
			t.Errorf("%s: %v", target, !want)
		}
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer evr_ABC", "")
	f.Add("bearer ,", "Bearer x")
	f.Fuzz(func(t *testing.T, first, second string) {
		h := http.Header{"Authorization": {first}}
		if second != "" {
			h.Add("Authorization", second)
		}
		token, given := Bearer(h)
		switch {
		case !given:
			t.Error("credentials are not seen")
		case token == "":
		case second != "" || len(first) != len("Bearer ")+len(token) || !strings.HasSuffix(first, " "+token) || strings.ContainsAny(token, " \t\r\n,;\"\x00"):
			t.Errorf("%q %q: %q", first, second, token)
		}
	})
}
