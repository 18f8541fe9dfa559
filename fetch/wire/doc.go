// Package wire is what the protocols of Exchange have alike below their languages: base64 that is decoded and
// encoded as it passes, bodies of requests with uploads in them, the notice of a server that cuts an export short, a watchdog for connections that stand still,
// and errors of the network without what may be secret in them. It must never know SOAP, JSON, an operation or an item.
package wire
