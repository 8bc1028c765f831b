package signature

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The commands in .github/docs/webhooks.md make secrets and keys that can be used.
func TestOpenSSLMakesSecretsAndKeys(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is missing")
	}
	script := `cd "$1" && echo "whsec_$(openssl rand -base64 32)"
openssl genpkey -algorithm ed25519 -out hook.pem
echo "whsk_$(openssl pkey -in hook.pem -outform DER | tail -c 32 | base64)"
echo "whpk_$(openssl pkey -in hook.pem -pubout -outform DER | tail -c 32 | base64)"`
	out, err := exec.Command("sh", "-c", script, "sh", t.TempDir()).Output()
	lines := strings.Fields(string(out))
	if err != nil || len(lines) != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	now := time.Unix(1614265330, 0)
	for signs, verifies := range map[string]string{lines[0]: lines[0], lines[1]: lines[2]} {
		header := newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{signs}, Signs: true}).Sign("1", []byte("x"), now)
		if err := newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{verifies}}).Verify(Request{Header: header, Body: []byte("x")}, now); err != nil {
			t.Error(err)
		}
	}
}
