// Package archive is the store.
package archive
