package exchangetest

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	//lint:ignore SA1019 NTLM is made of it
	"golang.org/x/crypto/md4"

	"mailbrick/fetch/mapi"
)

// Messages of NTLM; all numbers are little endian. [MS-NLMP] 2.2.1
//
//	NEGOTIATE      0  "NTLMSSP\0"   8  1   12  flags   16  domain, workstation (fields)   32  version (8)
//	CHALLENGE      0  "NTLMSSP\0"   8  2   12  target name (field)   20  flags   24  challenge (8)   32  0 (8)
//	              40  target information (field)   48  version (8)
//	AUTHENTICATE   0  "NTLMSSP\0"   8  3   12  LM response   20  NT response   28  domain   36  user   44  workstation
//	              52  session key (fields)   60  flags   64  version (8)   72  MIC (16), if the response says that there is one
//
// A field is length:u16, room:u16, offset:u32 of what lies behind.
const (
	ntlmSignature    = "NTLMSSP\x00"
	ntlmNegotiate    = 1
	ntlmAuthenticate = 3
	negotiateLength  = 32
	authenticateHead = 64
	micAt            = 72
	maxNTLM          = 16 << 10
)

// Flags. [MS-NLMP] 2.2.2.5
const (
	flagUnicode      = 0x00000001
	flagOEM          = 0x00000002
	flagTarget       = 0x00000004
	flagSign         = 0x00000010
	flagSeal         = 0x00000020
	flagNTLM         = 0x00000200
	flagAlwaysSign   = 0x00008000
	flagDomain       = 0x00010000
	flagExtended     = 0x00080000
	flagTargetInfo   = 0x00800000
	flagVersion      = 0x02000000
	flag128          = 0x20000000
	flagKeyExchange  = 0x40000000
	flag56           = 0x80000000
	flagsIfRequested = flagTarget | flagSign | flagSeal | flagNTLM | flagAlwaysSign | flagExtended | flagVersion | flag128 | flagKeyExchange | flag56
)

// Kinds of AV_PAIR. [MS-NLMP] 2.2.2.1
const (
	avEnd         = 0
	avComputer    = 1
	avDomain      = 2
	avDNSComputer = 3
	avDNSDomain   = 4
	avFlags       = 6
	avTimestamp   = 7
	avFlagMIC     = 2
)

// messageKind is 0 for what is no message.
func messageKind(m []byte) uint32 {
	if len(m) < negotiateLength || len(m) > maxNTLM || !bytes.HasPrefix(m, []byte(ntlmSignature)) {
		return 0
	}
	return binary.LittleEndian.Uint32(m[8:])
}

// challengeTo makes the CHALLENGE_MESSAGE, nil where no terms are found. [MS-NLMP] 2.2.1.2, 3.2.5.1.1
func (s *Server) challengeTo(negotiate []byte) []byte {
	asked := binary.LittleEndian.Uint32(negotiate[12:])
	flags := asked&flagsIfRequested | flagTargetInfo | flagDomain
	encode := utf16le
	switch {
	case asked&flagNTLM == 0:
		return nil
	case asked&flagUnicode != 0:
		flags |= flagUnicode
	case asked&flagOEM != 0:
		flags |= flagOEM
		encode = func(text string) []byte { return []byte(text) }
	default:
		return nil
	}
	const head = 56
	name, info := encode("CONTOSO"), targetInformation(s.now())
	m := append([]byte(ntlmSignature), 2, 0, 0, 0)
	m = appendField(m, len(name), head)
	m = binary.LittleEndian.AppendUint32(m, flags)
	m = append(m, make([]byte, 16)...)
	io.ReadFull(s.options.Rand, m[24:32]) // without randomness challenges are all the same
	m = appendField(m, len(info), head+len(name))
	m = append(m, 10, 0, 0x63, 0x45, 0, 0, 0, 15) // VERSION, [MS-NLMP] 2.2.2.10: 10.0.17763, revision 15
	return append(append(m, name...), info...)
}

func appendField(b []byte, length, offset int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}

// targetInformation names the server. A time in it asks the client for a MIC.
func targetInformation(now time.Time) []byte {
	var b []byte
	pair := func(kind uint16, value []byte) {
		b = binary.LittleEndian.AppendUint16(b, kind)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	pair(avDomain, utf16le("CONTOSO"))
	pair(avComputer, utf16le("EX1"))
	pair(avDNSDomain, utf16le("contoso.example"))
	pair(avDNSComputer, utf16le("ex1.contoso.example"))
	pair(avTimestamp, mapi.NewTime(mapi.PidTagLastModificationTime, now).Data) // a FILETIME, like all times of MAPI
	pair(avEnd, nil)
	return b
}

// proven gives the account that an AUTHENTICATE_MESSAGE proves. [MS-NLMP] 3.2.5.1.2
func (s *Server) proven(negotiate, challenge, m []byte) (string, bool) {
	if challenge == nil || len(m) < authenticateHead {
		return "", false
	}
	response, ok1 := fieldOf(m, 20)
	domain, ok2 := fieldOf(m, 28)
	name, ok3 := fieldOf(m, 36)
	sessionKey, ok4 := fieldOf(m, 52)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return "", false
	}
	flags := binary.LittleEndian.Uint32(m[60:])
	decode := fromUTF16
	if flags&flagUnicode == 0 {
		decode = func(b []byte) string { return string(b) }
	}
	user := decode(name)
	s.mu.RLock()
	password, known := s.accounts[strings.ToLower(user)]
	s.mu.RUnlock()
	if !known {
		return "", false
	}
	owner := ownerKey(user, decode(domain), password)
	base, info, ok := verifyV2(owner, challenge[24:32], response)
	if !ok || wantsMIC(info) && !verifyMIC(exportedKey(base, sessionKey, flags), negotiate, challenge, m) {
		return "", false
	}
	return user, true
}

// fieldOf gives what a field points at; it lies behind the head.
func fieldOf(m []byte, at int) ([]byte, bool) {
	n, offset := int64(binary.LittleEndian.Uint16(m[at:])), int64(binary.LittleEndian.Uint32(m[at+4:]))
	if n == 0 {
		return nil, true
	}
	if offset < authenticateHead || offset+n > int64(len(m)) {
		return nil, false
	}
	return m[offset : offset+n], true
}

// ownerKey is NTOWFv2. [MS-NLMP] 3.3.2
func ownerKey(user, domain, password string) []byte {
	h := md4.New()
	h.Write(utf16le(password))
	return hmacMD5(h.Sum(nil), utf16le(strings.ToUpper(user)+domain))
}

// verifyV2 checks an NTLMv2_RESPONSE and gives the session base key and the
// client's AV_PAIRs. The older responses are 24 bytes; they and that of nobody
// (none at all) are refused. [MS-NLMP] 2.2.2.7, 2.2.2.8, 3.3.2
func verifyV2(owner, challenge, response []byte) (base []byte, info map[uint16][]byte, ok bool) {
	const proof, head = 16, 28 // of the response; of the client's challenge, up to its AV_PAIRs
	if len(response) < proof+head+4 || response[proof] != 1 || response[proof+1] != 1 {
		return nil, nil, false
	}
	if !hmac.Equal(response[:proof], hmacMD5(owner, challenge, response[proof:])) {
		return nil, nil, false
	}
	info, ok = readPairs(response[proof+head:])
	return hmacMD5(owner, response[:proof]), info, ok
}

// readPairs reads AV_PAIRs up to the one that ends them.
func readPairs(b []byte) (map[uint16][]byte, bool) {
	out := map[uint16][]byte{}
	for len(b) >= 4 {
		kind, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if kind == avEnd {
			return out, n == 0
		}
		if 4+n > len(b) {
			break
		}
		out[kind] = b[4 : 4+n]
		b = b[4+n:]
	}
	return nil, false
}

func wantsMIC(info map[uint16][]byte) bool {
	flags := info[avFlags]
	return len(flags) == 4 && binary.LittleEndian.Uint32(flags)&avFlagMIC != 0
}

// exportedKey is the ExportedSessionKey. [MS-NLMP] 3.2.5.1.2
func exportedKey(base, encrypted []byte, flags uint32) []byte {
	if flags&flagKeyExchange == 0 || flags&(flagSign|flagSeal) == 0 {
		return base
	}
	if len(encrypted) != len(base) {
		return nil
	}
	c, _ := rc4.NewCipher(base) // 16 bytes are a good key
	key := make([]byte, len(encrypted))
	c.XORKeyStream(key, encrypted)
	return key
}

// verifyMIC checks that all three messages are those that were sent.
func verifyMIC(key, negotiate, challenge, m []byte) bool {
	if key == nil || len(m) < micAt+md5.Size {
		return false
	}
	blank := slices.Clone(m)
	clear(blank[micAt : micAt+md5.Size])
	return hmac.Equal(m[micAt:micAt+md5.Size], hmacMD5(key, negotiate, challenge, blank))
}

func hmacMD5(key []byte, data ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, d := range data {
		h.Write(d)
	}
	return h.Sum(nil)
}

func utf16le(text string) []byte {
	b, _ := binary.Append(nil, binary.LittleEndian, utf16.Encode([]rune(text))) // numbers of a fixed size
	return b
}

func fromUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
