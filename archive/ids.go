package archive

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"sync"

	"mailbrick/archive/pack"
	"mailbrick/archive/seal"
)

// idMaker makes the keyed names of an archive: HMAC-SHA-256 under a key of their own, the first 16 bytes. Under a secret
// key 128 bits are enough: 2^40 chunks meet by chance with probability 2^-49, and nobody outside can look for it.
type idMaker struct{ chunks, names *sync.Pool }

func newIDMaker(key seal.Key) idMaker {
	return idMaker{chunks: macPool(key.Derive("chunk id")), names: macPool(key.Derive("name"))}
}

func macPool(key [32]byte) *sync.Pool {
	return &sync.Pool{New: func() any { return hmac.New(sha256.New, key[:]) }}
}

func sum(pool *sync.Pool, parts ...[]byte) (id [16]byte) {
	m := pool.Get().(hash.Hash)
	defer pool.Put(m)
	m.Reset()
	for _, p := range parts {
		m.Write(p)
	}
	var full [sha256.Size]byte
	copy(id[:], m.Sum(full[:0]))
	return id
}

// chunk names a chunk by its bytes.
func (m idMaker) chunk(data []byte) chunkID { return sum(m.chunks, data) }

// namer names chunks as idMaker does, and each only once while it remembers it: a tag of the bytes is found at a fifth of the cost,
// and most of what a mailbox holds is in others too. The tag is a GMAC under a random key; neither leaves the process. So nobody can
// choose two chunks of one tag, not even who has the keys of the archive: they meet with a probability of 2^-113 at most (length in
// blocks + 1 by 2^128: McGrew and Viega 2004), less than ids themselves do. That one nonce serves for all tells nobody anything.
type namer struct {
	ids   idMaker
	tags  cipher.AEAD
	nonce []byte
	known *lru[chunkTag, chunkID]
}

type chunkTag [16]byte

const (
	namesHeld = 1 << 14
	longNamed = 4 << 10 // a shorter chunk is named as fast as it is looked up
)

func newNamer(ids idMaker, random io.Reader) (*namer, error) {
	var key [32]byte
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return nil, fmt.Errorf("choose a key for tags of chunks: %w", err)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("tags of chunks: %w", err)
	}
	tags, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("tags of chunks: %w", err)
	}
	return &namer{ids, tags, make([]byte, tags.NonceSize()), newLRU[chunkTag, chunkID](namesHeld)}, nil
}

// chunk names a chunk by its bytes.
func (n *namer) chunk(data []byte) chunkID {
	if len(data) < longNamed {
		return n.ids.chunk(data)
	}
	tag := chunkTag(n.tags.Seal(nil, n.nonce, nil, data))
	if id, ok := n.known.get(tag); ok {
		return id
	}
	id := n.ids.chunk(data)
	n.known.put(tag, id, 1)
	return id
}

// recipe names a recipe by the blob that it gives and by its shape: those two make it what it is, to the byte. The bytes that it
// holds itself are the blob's, so they need not be hashed a second time.
func (m idMaker) recipe(blob [sha256.Size]byte, shape []byte) chunkID {
	return sum(m.names, []byte("recipe\x00"), blob[:], shape)
}

// item names an item by its mailbox and the server's id.
func (m idMaker) item(mailbox, itemID string) ID {
	return sum(m.names, []byte("item\x00"), []byte(mailbox), []byte{0}, []byte(itemID))
}

// similar marks what copies have in common; nothing in common is no mark.
func (m idMaker) similar(key []byte) (mark pack.Similar) {
	if len(key) > 0 {
		id := sum(m.names, []byte("similar\x00"), key)
		copy(mark[:], id[:])
	}
	return mark
}

// folder and cursor name rows of a mailbox without saying what they are of.
func (m idMaker) folder(id string) [16]byte  { return sum(m.names, []byte("folder\x00"), []byte(id)) }
func (m idMaker) cursor(key string) [16]byte { return sum(m.names, []byte("cursor\x00"), []byte(key)) }
