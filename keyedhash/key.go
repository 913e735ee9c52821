package keyedhash

import (
	"bytes"
	"encoding"
	"hash"
	"sync"
)

// Key is a MAC with one key, and with what every message begins with: what can be
// computed of both is, once, and not for every link. It is immutable, and any number of
// goroutines may use it.
//
// Of an HMAC the states behind its two padded keys are kept (FIPS 198-1, section 6), so
// that a short message costs two blocks and not four. Of a digest the state behind the
// beginning is kept where that fills a block: a secret of 64 characters is one of
// SHA-256. These states are as secret as the key; see [link.Verifier] for why they
// should be held in a function.
type Key struct {
	mac          MAC
	empty        bool   // the key is empty, so no signature is right
	beginning    []byte // of every message, unless it is in the state
	inner, outer []byte // states; nil: the digest begins anew, or there is no outer one
}

// Key returns the MAC with this key and this beginning of every message. It keeps
// neither.
func (m MAC) Key(key, beginning []byte) *Key {
	k := &Key{mac: m, empty: len(key) == 0}
	w := m.Algorithm.digest.borrow()
	defer w.back(m.Algorithm.digest)
	switch {
	case m.Algorithm.keyed:
		w.pad(key)
		w.hash.Reset()
		w.hash.Write(w.block)
		w.write(beginning)
		k.inner = w.state()
		w.outerPad()
		w.hash.Reset()
		w.hash.Write(w.block)
		k.outer = w.state()
	case len(beginning) >= w.hash.BlockSize():
		w.hash.Reset()
		w.write(beginning)
		k.inner = w.state()
	default:
		k.beginning = bytes.Clone(beginning)
	}
	return k
}

// Equal is [MAC.Equal] for the key and for a message that goes on behind the beginning.
func (k *Key) Equal(given string, message []byte) bool {
	var sum [maxDigest]byte
	return k.mac.shows(given, k.append(sum[:0], message)) && !k.empty
}

func (k *Key) append(dst, message []byte) []byte {
	digest := k.mac.Algorithm.digest
	if k.inner == nil {
		if len(k.beginning) == 0 {
			return digest.append(dst, message)
		}
		var buf [512]byte
		return digest.append(dst, append(append(buf[:0], k.beginning...), message...))
	}
	w := digest.borrow()
	defer w.back(digest)
	w.restore(k.inner)
	w.write(message)
	w.sum = w.hash.Sum(w.sum[:0])
	if k.outer != nil {
		w.restore(k.outer)
		w.hash.Write(w.sum)
		w.sum = w.hash.Sum(w.sum[:0])
	}
	return append(dst, w.sum...)
}

// worker is the memory of one computation. What is given to a [hash.Hash] moves to the
// heap, so it is lent from a pool; its buffers are wiped before it goes back.
type worker struct {
	hash    hash.Hash
	message []byte
	sum     []byte
	block   []byte // a padded key
}

var workers [numDigests]sync.Pool

func (d digest) borrow() *worker {
	if w, ok := workers[d].Get().(*worker); ok {
		return w
	}
	h := d.new()
	return &worker{hash: h, message: make([]byte, 0, 512), sum: make([]byte, 0, maxDigest), block: make([]byte, h.BlockSize())}
}

func (w *worker) back(d digest) {
	clear(w.message)
	clear(w.sum)
	clear(w.block)
	if cap(w.message) <= 64<<10 { // the memory of a monster is not kept
		workers[d].Put(w)
	}
}

func (w *worker) write(b []byte) {
	w.message = append(w.message[:0], b...)
	w.hash.Write(w.message)
}

// pad makes of the key the block with which the inner digest of an HMAC begins.
func (w *worker) pad(key []byte) {
	clear(w.block)
	if len(key) > len(w.block) {
		w.hash.Reset()
		w.write(key)
		w.sum = w.hash.Sum(w.sum[:0])
		key = w.sum
	}
	copy(w.block, key)
	for i := range w.block {
		w.block[i] ^= innerPad
	}
}

// RFC 2104, section 2.
const (
	innerPad = 0x36
	outerPad = 0x5c
)

// outerPad makes of that block the one with which the outer digest begins.
func (w *worker) outerPad() {
	for i := range w.block {
		w.block[i] ^= innerPad ^ outerPad
	}
}

func (w *worker) state() []byte {
	state, err := w.hash.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic(err) // no digest of the standard library does that
	}
	return state
}

func (w *worker) restore(state []byte) {
	if err := w.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic(err) // the state is its own
	}
}
