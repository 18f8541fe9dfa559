package exchangetest

import (
	"bytes"
	"crypto/rc4"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// unhex reads bytes in hexadecimal, blanks allowed.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The AUTHENTICATE_MESSAGE of [MS-NLMP] 4.2.4.3: User, Domain, Password.
const publishedProof = "4e544c4d53535000 03000000 1800 1800 6c000000 5400 5400 84000000 0c00 0c00 48000000 0800 0800 54000000 1000 1000 5c000000" +
	"1000 1000 d8000000 358288e2 0501280a0000000f 44006f006d00610069006e00 5500730065007200 43004f004d0050005500540045005200" +
	"86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa 68cd0ab851e51c96aabc927bebef6a1c 0101000000000000 0000000000000000" +
	"aaaaaaaaaaaaaaaa 00000000 02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000" +
	"c5dad2544fc9799094ce1ce90bc9d03e"

// TestPublishedProof holds the arithmetic against the specification's own example.
func TestPublishedProof(t *testing.T) {
	t.Parallel()
	m := unhex(t, publishedProof)
	owner := ownerKey("User", "Domain", "Password")
	if got := hex.EncodeToString(owner); got != "0c868a403bfd7a93a3001ef22ef02e3f" {
		t.Error("NTOWFv2", got)
	}
	response, _ := fieldOf(m, 20)
	base, info, ok := verifyV2(owner, unhex(t, "0123456789abcdef"), response)
	if !ok || hex.EncodeToString(base) != "8de40ccadbc14a82f15cb0ad0de95ca3" || fromUTF16(info[avComputer]) != "Server" {
		t.Errorf("%v %x %q", ok, base, fromUTF16(info[avComputer]))
	}
	session, _ := fieldOf(m, 52)
	if key := exportedKey(base, session, flagKeyExchange|flagSign); !bytes.Equal(key, bytes.Repeat([]byte{0x55}, 16)) {
		t.Errorf("session key %x", key)
	}
	s := New(Options{})
	defer s.Close()
	s.AddAccount("user", "Password")
	challenge := make([]byte, 56)
	copy(challenge[24:], unhex(t, "0123456789abcdef"))
	if user, ok := s.proven(nil, challenge, m); !ok || user != "User" {
		t.Error(user, ok)
	}
	challenge[24]++
	if _, ok := s.proven(nil, challenge, m); ok {
		t.Error("a proof to another challenge")
	}
}

// dialog is a client's side of NTLM on one connection.
type dialog struct {
	t      *testing.T
	url    string
	client *http.Client
	scheme string
}

func newDialog(t *testing.T, url string) *dialog {
	transport := &http.Transport{MaxConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	return &dialog{t, url, &http.Client{Transport: transport}, "NTLM"}
}

// get sends a GET and gives status and offers.
func (d *dialog) get(authorization string) (int, []string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := d.client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Values("WWW-Authenticate")
}

func (d *dialog) message(m []byte) string {
	return d.scheme + " " + base64.StdEncoding.EncodeToString(m)
}

// negotiateMessage asks for Unicode, NTLM and a key exchange.
func negotiateMessage() []byte {
	m := append([]byte(ntlmSignature), ntlmNegotiate, 0, 0, 0)
	m = binary.LittleEndian.AppendUint32(m, flagUnicode|flagTarget|flagNTLM|flagSign|flagExtended|flagKeyExchange)
	return append(m, make([]byte, 16)...)
}

// challenged makes the first leg and gives the challenge.
func (d *dialog) challenged() []byte {
	d.t.Helper()
	status, offers := d.get(d.message(negotiateMessage()))
	if status != 401 || len(offers) != 1 {
		d.t.Fatal(status, offers)
	}
	m, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(offers[0], d.scheme+" "))
	if err != nil || len(m) < 56 || m[8] != 2 {
		d.t.Fatal(err, m)
	}
	return m
}

// proof makes an AUTHENTICATE_MESSAGE with a MIC.
func proof(challenge []byte, user, domain, password string) []byte {
	at := binary.LittleEndian.Uint32(challenge[44:])
	info := challenge[at : at+uint32(binary.LittleEndian.Uint16(challenge[40:]))]
	temp := append([]byte{1, 1, 0, 0, 0, 0, 0, 0}, make([]byte, 20)...)
	temp = append(temp, info[:len(info)-4]...)
	temp = append(temp, avFlags, 0, 4, 0, avFlagMIC, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	owner := ownerKey(user, domain, password)
	nt := hmacMD5(owner, challenge[24:32], temp)
	base := hmacMD5(owner, nt)
	key, session := bytes.Repeat([]byte{7}, 16), make([]byte, 16)
	c, _ := rc4.NewCipher(base)
	c.XORKeyStream(session, key)
	values := [][]byte{nil, append(nt, temp...), utf16le(domain), utf16le(user), nil, session}
	m := append([]byte(ntlmSignature), ntlmAuthenticate, 0, 0, 0)
	offset := micAt + 16
	for _, v := range values {
		m = appendField(m, len(v), offset)
		offset += len(v)
	}
	m = binary.LittleEndian.AppendUint32(m, flagUnicode|flagNTLM|flagSign|flagKeyExchange)
	m = append(m, make([]byte, 8+16)...)
	m = append(m, slices.Concat(values...)...)
	copy(m[micAt:], hmacMD5(key, negotiateMessage(), challenge, m))
	return m
}

func ntlmServer(t *testing.T) (*Server, string) {
	s := New(Options{})
	s.AddAccount("backup", "secret")
	s.AddAccount("Other", "word")
	h := httptest.NewUnstartedServer(nil)
	h.Config = s.HTTPServer()
	h.Start()
	t.Cleanup(func() {
		h.Close()
		s.Close()
	})
	return s, h.URL + Path
}

// TestNTLM: three legs sign a connection in, and nothing else of that client.
func TestNTLM(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"NTLM", "Negotiate"} {
		s, url := ntlmServer(t)
		d := newDialog(t, url)
		d.scheme = scheme
		if status, offers := d.get(""); status != 401 || !slices.Equal(offers, []string{"Negotiate", "NTLM", `Basic realm="exchangetest"`}) {
			t.Error(status, offers)
		}
		if status, _ := d.get(d.message(proof(d.challenged(), "BACKUP", "CONTOSO", "secret"))); status != 200 {
			t.Error("proof", status)
		}
		for range 2 {
			if status, _ := d.get(""); status != 200 {
				t.Error("on the same connection", status)
			}
		}
		if status, _ := newDialog(t, url).get(""); status != 401 {
			t.Error("on another connection", status)
		}
		if got := fmt.Sprint(s.Throttling().SignIns); got != "map[ntlm.authenticate:1 ntlm.negotiate:1]" {
			t.Error(got)
		}
	}
}

func TestNTLMRefused(t *testing.T) {
	t.Parallel()
	edit := func(at int, to byte) func([]byte) []byte {
		return func(m []byte) []byte { m[at] = to; return m }
	}
	flip := func(at int) func([]byte) []byte {
		return func(m []byte) []byte { m[at] ^= 0xFF; return m }
	}
	for name, c := range map[string]struct {
		user, password string
		edit           func(m []byte) []byte
	}{
		"wrong password":     {"backup", "Secret", nil},
		"unknown user":       {"nobody", "secret", nil},
		"nobody":             {"", "", nil},
		"code over all":      {"backup", "secret", flip(micAt)},
		"another domain":     {"backup", "secret", flip(micAt + 16 + 16 + 28 + 20 + 60)},
		"field beyond":       {"backup", "secret", edit(20+6, 0xFF)},
		"field in the head":  {"backup", "secret", edit(20+4, 1)},
		"cut":                {"backup", "secret", func(m []byte) []byte { return m[:len(m)-1] }},
		"head alone":         {"backup", "secret", func(m []byte) []byte { return m[:40] }},
		"another kind":       {"backup", "secret", edit(8, 7)},
		"no signature":       {"backup", "secret", edit(0, 'n')},
		"older than version": {"backup", "secret", edit(20, 24)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, url := ntlmServer(t)
			d := newDialog(t, url)
			m := proof(d.challenged(), c.user, "CONTOSO", c.password)
			if c.edit != nil {
				m = c.edit(m)
			}
			if status, offers := d.get(d.message(m)); status != 401 || !slices.Contains(offers, "NTLM") {
				t.Error(status, offers)
			}
			if status, _ := d.get(""); status != 401 {
				t.Error("after it", status)
			}
			if n := s.Throttling().SignIns["ntlm.refused"]; n != 1 {
				t.Error("counted", n)
			}
			if status, _ := d.get(d.message(proof(d.challenged(), "backup", "", "secret"))); status != 200 {
				t.Error("a handshake anew", status)
			}
		})
	}
}

// TestNTLMConnection: a challenge is for one proof, and a connection is one user's for ever.
func TestNTLMConnection(t *testing.T) {
	t.Parallel()
	_, url := ntlmServer(t)
	d := newDialog(t, url)
	good := proof(d.challenged(), "backup", "", "secret")
	if status, _ := newDialog(t, url).get(d.message(good)); status != 401 {
		t.Error("a proof to the challenge of another connection", status)
	}
	for i, want := range []int{200, 401} {
		if status, _ := d.get(d.message(good)); status != want {
			t.Error("proof", i, status)
		}
	}
	if status, _ := d.get(d.message(proof(d.challenged(), "other", "", "word"))); status != 401 {
		t.Error("another user on the connection", status)
	}
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	if status, _ := d.get(basic("other:word")); status != 401 {
		t.Error("another user by Basic", status)
	}
	if status, _ := d.get(basic("backup:secret")); status != 200 {
		t.Error("the same user by Basic", status)
	}
	if status, _ := d.get(d.message(proof(d.challenged(), "Backup", "", "secret"))); status != 200 {
		t.Error("the same user", status)
	}
	if status, _ := newDialog(t, url).get(basic("other:word")); status != 200 {
		t.Error("another user on another connection", status)
	}
	terms := negotiateMessage()
	terms[12] = 0 // neither Unicode nor OEM
	if status, offers := d.get(d.message(terms)); status != 401 || len(offers) != 3 {
		t.Error("no terms", status, offers)
	}
}

// TestNTLMOfOthers signs in with a client by another hand.
func TestNTLMOfOthers(t *testing.T) {
	t.Parallel()
	version, err := exec.CommandContext(t.Context(), "curl", "--version").Output()
	if err != nil || !bytes.Contains(version, []byte("NTLM")) {
		t.Skip("no curl with NTLM")
	}
	s, url := ntlmServer(t)
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, []byte("<x/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{`CONTOSO\backup:secret`: "200 500", "backup:secret": "200 500", "backup:wrong": "401 401"} {
		// A GET, then a POST that is no SOAP, on one connection.
		out, err := exec.CommandContext(t.Context(), "curl", "-sS", "--noproxy", "*", "--ntlm", "-u", user, "-o", os.DevNull, "-w", "%{http_code} ", url,
			"--next", "-sS", "--noproxy", "*", "--ntlm", "-u", user, "-o", os.DevNull, "-w", "%{http_code}",
			"-H", "Content-Type: text/xml", "--data-binary", "@"+body, url).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%s: %s %v", user, out, err)
		}
	}
	t.Log(s.Throttling().SignIns)
}

func FuzzNTLM(f *testing.F) {
	f.Add(negotiateMessage(), []byte{})
	f.Add(negotiateMessage(), unhex(f, publishedProof))
	s := New(Options{Clock: func() time.Time { return time.Unix(1e9, 0) }, Rand: bytes.NewReader(nil)})
	s.AddAccount("user", "Password")
	f.Fuzz(func(t *testing.T, first, second []byte) {
		c := new(connection)
		token := base64.StdEncoding.EncodeToString
		_, challenge, _ := s.handshake(c, token(first))
		if challenge != nil && len(challenge) < 56 {
			t.Error("a challenge that is none")
		}
		_, again, ok := s.handshake(c, token(second))
		if ok && (again != nil || !c.signedIn || messageKind(second) != ntlmAuthenticate) {
			t.Error("signed in by what is no proof")
		}
	})
}
