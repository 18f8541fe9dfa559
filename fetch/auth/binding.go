package auth

import (
	"crypto"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"

	"github.com/Azure/go-ntlmssp"
)

// answer is the AUTHENTICATE_MESSAGE to a challenge, bound to the connection's certificate.
func (n *ntlm) answer(challenge []byte, over *tls.ConnectionState) ([]byte, error) {
	if over != nil && len(over.PeerCertificates) > 0 {
		challenge = bound(challenge, channelBinding(over.PeerCertificates[0]))
	}
	return ntlmssp.NewAuthenticateMessage(challenge, n.user, n.password, nil)
}

// channelBinding is the MD5 of the gss_channel_bindings_struct for a certificate. [MS-NLMP] 2.2.2.1; RFC 5929, 4.1.
func channelBinding(cert *x509.Certificate) [md5.Size]byte {
	h := crypto.SHA256
	switch cert.SignatureAlgorithm { // SHA-256 stands in for MD5 and SHA-1
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		h = crypto.SHA512
	}
	sum := h.New()
	sum.Write(cert.Raw)
	data := sum.Sum([]byte("tls-server-end-point:"))
	b := make([]byte, 16, 20+len(data)) // no addresses
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return md5.Sum(append(b, data...))
}

// Offsets in a CHALLENGE_MESSAGE and kinds of AV_PAIR. [MS-NLMP] 2.2.1.2, 2.2.2.1.
const (
	targetInfoField = 40 // length, most, offset
	avEOL           = 0
	avBinding       = 10
)

// bound is the challenge with a channel binding among its target information: the client answers with that information,
// and the binding is the client's to add. A challenge without target information, or one that is broken, stays as it is.
func bound(challenge []byte, binding [md5.Size]byte) []byte {
	if len(challenge) < targetInfoField+8 {
		return challenge
	}
	field := challenge[targetInfoField:]
	length, offset := uint64(binary.LittleEndian.Uint16(field)), uint64(binary.LittleEndian.Uint32(field[4:]))
	if length == 0 || offset+length > uint64(len(challenge)) {
		return challenge
	}
	info := []byte{}
	for rest := challenge[offset : offset+length]; ; {
		if len(rest) < 4 {
			return challenge
		}
		id, n := binary.LittleEndian.Uint16(rest), 4+int(binary.LittleEndian.Uint16(rest[2:]))
		if id == avEOL {
			break
		}
		if n > len(rest) {
			return challenge
		}
		if id != avBinding {
			info = append(info, rest[:n]...)
		}
		rest = rest[n:]
	}
	info = append(binary.LittleEndian.AppendUint16(info, avBinding), md5.Size, 0)
	info = append(append(info, binding[:]...), avEOL, 0, 0, 0)
	if len(info) > 1<<15 {
		return challenge
	}
	out := append([]byte{}, challenge...)
	binary.LittleEndian.PutUint16(out[targetInfoField:], uint16(len(info)))
	binary.LittleEndian.PutUint16(out[targetInfoField+2:], uint16(len(info)))
	binary.LittleEndian.PutUint32(out[targetInfoField+4:], uint32(len(challenge)))
	return append(out, info...)
}
