// Package auth signs requests in: Basic, NTLM and OAuth, each an http.RoundTripper around the one that carries the
// requests.
//
// It owns credentials and what is done with them on the wire. It must never know what is asked: no SOAP, no Graph, no
// mailbox.
//
//	Basic    Exchange on-premises where Basic is switched on for EWS     a password with every request
//	NTLM     Exchange on-premises as it comes                            a password proves itself once for a connection
//	Bearer   Exchange Online: EWS and Graph                              a token of an App, which a secret or a certificate proves
//
// # What holds for all of them
//
// Credentials go to one server, the target that the RoundTripper was made for; a request to any other host is
// ErrOtherHost and is not sent. They go over https, or to this machine's own loopback; anything else is ErrInsecure,
// when the RoundTripper is made. Redirects are not followed: a RoundTripper gives back the answer it got, and who
// follows one meets ErrOtherHost at the next host.
//
// No error and no String holds a password, a secret, a key or a token. What an authority says in its answer is cut to
// its first sentence, and the secret is taken out of it should it be there.
//
// # Basic
//
// RFC 7617, in UTF-8.
//
// # NTLM
//
// NTLM [MS-NLMP] over HTTP [MS-NTHT] proves who a connection is, not a request. So each request in flight has a
// connection of its own, all of one RoundTripper are of one identity, and nobody else gets them:
//
//	client                                      server
//	POST, empty, NTLM NEGOTIATE_MESSAGE    ->
//	                                       <-   401, NTLM CHALLENGE_MESSAGE
//	POST, body, NTLM AUTHENTICATE_MESSAGE  ->
//	                                       <-   200
//	POST, body                             ->                               the connection is known now
//	                                       <-   200
//
// A connection that was lost is never replaced behind the handshake's back, so that a body is sent once, whatever its
// length, and never held. A request with a body must have GetBody. Only a 401 to an AUTHENTICATE_MESSAGE, or on a
// connection that is known, is handed on; those of the handshake are not refusals.
//
// Over TLS the AUTHENTICATE_MESSAGE is bound to the certificate of the server (RFC 5929, tls-server-end-point), which
// servers with Extended Protection insist on, and which makes it worthless to anybody in between.
//
// # OAuth
//
// An App is an application that an authority knows by a client id and by a secret or a certificate. It asks for tokens
// by the client credentials grant (RFC 6749, 4.4), one for each scope:
//
//	POST {authority}/oauth2/v2.0/token     grant_type=client_credentials  client_id  scope
//	                                       client_secret, or client_assertion: a JWT that the certificate's key signs
//
// A token is kept until shortly before it expires; whoever needs one while it is asked for waits for that answer. The
// old one serves on while a new one cannot be had. A 401 makes a token forgotten that was good before, and once a minute
// one that never was: the 401 is handed on, and who sends the request again, as clients do once, has a new one. So no body
// is sent by this package twice, and a server that says no to everybody costs the authority one request a minute.
//
// A token that the authority refuses is ErrRefused, and asked for again after a minute at the earliest: asking on would
// not help, and may lock the application.
package auth
