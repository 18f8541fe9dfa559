package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	//lint:ignore SA1019 NTLM is made of it
	"golang.org/x/crypto/md4"
)

// ntlmServer lets connections in that prove a user by NTLMv2, and keeps what it was asked.
type ntlmServer struct {
	*httptest.Server
	scheme    string            // "NTLM"
	passwords map[string]string // by user in capitals
	binding   []byte            // that a connection must have, nil: any

	mu    sync.Mutex
	who   map[string]string // user of a connection, by its remote address
	sent  []leg
	reply func(w http.ResponseWriter, r *http.Request) bool // answers in place of the server
}

type leg struct {
	from, user string
	message    uint32 // type of NTLM message in the request, 0: none
	length     int
}

var serverChallenge = []byte("12345678")

func newNTLMServer(t *testing.T, start func(*httptest.Server)) *ntlmServer {
	t.Helper()
	s := &ntlmServer{scheme: "NTLM", passwords: map[string]string{"ANN": "word-a", "BOB": "word-b"}, who: map[string]string{}}
	s.Server = httptest.NewUnstartedServer(s)
	start(s.Server)
	t.Cleanup(s.Close)
	return s
}

func (s *ntlmServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reply != nil && s.reply(w, r) {
		return
	}
	n, _ := io.Copy(io.Discard, r.Body)
	l := leg{from: r.RemoteAddr, length: int(n)}
	defer func() { l.user = s.who[r.RemoteAddr]; s.sent = append(s.sent, l) }()
	if a := r.Header.Get("Authorization"); a != "" {
		delete(s.who, r.RemoteAddr)
		message, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(a, s.scheme+" "))
		if !bytes.HasPrefix(message, []byte("NTLMSSP\x00")) || len(message) < 12 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch l.message = binary.LittleEndian.Uint32(message[8:]); l.message {
		case 1:
			w.Header().Set("WWW-Authenticate", s.scheme+" "+base64.StdEncoding.EncodeToString(challengeMessage()))
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, strings.Repeat("denied ", 200))
			return
		case 3:
			if user := s.proves(message); user != "" {
				s.who[r.RemoteAddr] = user
			}
		}
	}
	if s.who[r.RemoteAddr] == "" {
		w.Header().Add("WWW-Authenticate", s.scheme)
		w.Header().Add("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	io.WriteString(w, s.who[r.RemoteAddr])
}

// challengeMessage is a CHALLENGE_MESSAGE with a domain among its target information. [MS-NLMP] 2.2.1.2
func challengeMessage() []byte {
	info := append([]byte{2, 0, 8, 0}, utf16le("CORP")...)
	info = append(info, 0, 0, 0, 0)
	m := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	m = append(m, 0, 0, 0, 0, 56, 0, 0, 0)                     // no target name
	m = binary.LittleEndian.AppendUint32(m, 0x00800201|0x8000) // target info, NTLM, Unicode
	m = append(m, serverChallenge...)
	m = append(m, make([]byte, 8)...)
	m = binary.LittleEndian.AppendUint16(m, uint16(len(info)))
	m = binary.LittleEndian.AppendUint16(m, uint16(len(info)))
	m = binary.LittleEndian.AppendUint32(m, 56)
	m = append(m, make([]byte, 8)...)
	return append(m, info...)
}

// proves checks an AUTHENTICATE_MESSAGE and gives its user. [MS-NLMP] 2.2.1.3, 3.3.2
func (s *ntlmServer) proves(m []byte) string {
	field := func(at int) []byte {
		n, off := int(binary.LittleEndian.Uint16(m[at:])), int(binary.LittleEndian.Uint32(m[at+4:]))
		return m[off : off+n]
	}
	response, domain, user := field(20), field(28), strings.ToUpper(fromUTF16(field(36)))
	h := md4.New()
	h.Write(utf16le(s.passwords[user]))
	key := hmacMD5(h.Sum(nil), utf16le(user), domain)
	if s.passwords[user] == "" || !bytes.Equal(response[:16], hmacMD5(key, serverChallenge, response[16:])) {
		return ""
	}
	if s.binding != nil && !bytes.Contains(response[44:], append([]byte{10, 0, 16, 0}, s.binding...)) {
		return ""
	}
	return user
}

func hmacMD5(key []byte, data ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, d := range data {
		h.Write(d)
	}
	return h.Sum(nil)
}

func utf16le(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func fromUTF16(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}
